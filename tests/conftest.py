"""Every test keeps its own progress folder, so that none sees or changes a learner's."""
from __future__ import annotations

import pytest


@pytest.fixture(scope="session", autouse=True)
def own_home(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.setenv("ECSLAB_HOME", str(tmp_path_factory.mktemp("ecslab-home")))
    patch.delenv("ECSLAB_ENGINE", raising=False)
    yield
    patch.undo()
