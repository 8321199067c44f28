"""For all tests: a progress folder of their own, so that none sees or changes a learner's; and which run side by side."""
from __future__ import annotations

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Where files are shared out among processes, each stays whole; the ones with a browser stay together, one after the other."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group("browser" if item.path.stem.endswith("_browser") else str(item.path)))


@pytest.fixture(scope="session", autouse=True)
def own_home(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.setenv("ECSLAB_HOME", str(tmp_path_factory.mktemp("ecslab-home")))
    patch.delenv("ECSLAB_ENGINE", raising=False)
    yield
    patch.undo()
