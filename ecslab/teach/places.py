"""Where things are: the content people read, and a learner's own files."""
from __future__ import annotations

import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent


def content_root() -> Path:
    """The folder that holds `labs/` and `quizzes/`: `ECSLAB_CONTENT`, else a checkout's root, else the package's copy."""
    if chosen := os.environ.get("ECSLAB_CONTENT"):
        return Path(chosen).expanduser()
    checkout = PACKAGE.parent
    if (checkout / "labs").is_dir() and (checkout / "quizzes").is_dir():
        return checkout
    return PACKAGE / "content"


def home() -> Path:
    """The learner's own folder: `ECSLAB_HOME`, else the platform's data folder. Not created here."""
    if chosen := os.environ.get("ECSLAB_HOME"):
        return Path(chosen).expanduser()
    import platformdirs

    return platformdirs.user_data_path("ecslab", appauthor=False)
