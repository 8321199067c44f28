"""The other half of the solved notebooks on real containers."""
from __future__ import annotations

import pytest

from tests.labs.test_labs import LABS
from tests.labs.test_labs_on_docker import LONGEST, rehearse


@pytest.mark.parametrize("name", [name for name in LABS if name not in LONGEST])
def test_a_solved_notebook_runs_on_docker_and_every_exercise_passes(name, tmp_path):
    told, failed = rehearse(name, tmp_path)
    assert "Engine: docker" in told and failed == []
