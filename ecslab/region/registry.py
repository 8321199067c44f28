"""Where running regions are written down, so that a terminal can find one.

One small JSON file per process under `ECSLAB_HOME/run`, removed at stop; files
of processes that are gone are ignored and swept.
"""
from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path

import platformdirs


def home() -> Path:
    """`ECSLAB_HOME`, or the platform's data folder; a temporary one where that cannot be written."""
    folder = Path(os.environ.get("ECSLAB_HOME") or platformdirs.user_data_dir("ecslab"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return spare_home()
    return folder if os.access(folder, os.W_OK) else spare_home()


def spare_home() -> Path:
    return Path(tempfile.gettempdir()) / "ecslab"


def write(endpoint_url: str, region_name: str, engine: str, environment: dict[str, str | None]) -> Path | None:
    """Note this process's region. None when the folder cannot be written."""
    path = home() / "run" / f"{os.getpid()}.json"
    record = {
        "pid": os.getpid(),
        "endpoint_url": endpoint_url,
        "region": region_name,
        "engine": engine,
        "started": time.time(),
        "programs": str(Path(sys.executable).parent),
        "environment": environment,
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(record, indent=1))
    except OSError:
        return None
    return path


def remove(path: Path | None) -> None:
    if path is not None:
        path.unlink(missing_ok=True)


def running() -> list[dict]:
    """The regions of living processes, newest first."""
    found = []
    for path in (home() / "run").glob("*.json"):
        try:
            record = json.loads(path.read_text())
            os.kill(record["pid"], 0)
        except ProcessLookupError:
            path.unlink(missing_ok=True)
        except (OSError, ValueError, KeyError):
            continue
        else:
            found.append(record)
    return sorted(found, key=lambda r: r["started"], reverse=True)
