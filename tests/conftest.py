"""Every test keeps its own progress folder, so that none sees or changes a learner's."""
from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items):
    """A file is run by one worker, as its fixtures are made once; `SHARES` cuts the longest files into that many."""
    for place, item in enumerate(items):
        shares = getattr(item.module, "SHARES", 1)
        item.add_marker(pytest.mark.xdist_group(f"{item.path.name}-{item.path.parent.name}-{place % shares}"))


@pytest.fixture(scope="session", autouse=True)
def own_home(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.setenv("ECSLAB_HOME", str(tmp_path_factory.mktemp("ecslab-home")))
    patch.delenv("ECSLAB_ENGINE", raising=False)
    yield
    patch.undo()
