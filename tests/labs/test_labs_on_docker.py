"""The solved notebooks on real containers: those that take longest. The others are in a file of their own, so that both run side by side."""
from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from ecslab.teach.notebooks import environment
from tests.labs.test_labs import ROOT, outputs, read, run


def rehearse(name: str, folder: Path) -> tuple[str, list[str]]:
    """Run a solved notebook on Docker: (everything it printed, the checks of exercises that did not pass)."""
    notebook = read(ROOT / "labs" / "solved" / f"{name}.ipynb")
    run(notebook, ROOT / "labs" / "solved", {**environment(folder), "ECSLAB_ENGINE": "docker", "ECSLAB_SPEED": "20"})
    checks = [c for c in notebook.cells if c.cell_type == "code" and c.source.startswith("lab.check(")]
    answers = {cell.source: outputs(nbformat.v4.new_notebook(cells=[cell])) for cell in checks}
    return outputs(notebook), [source + answer for source, answer in answers.items() if ": passed" not in answer]


LONGEST = ("03-services", "05-clusters-and-capacity", "08-deployments", "10-security")  # about half of the time


@pytest.mark.parametrize("name", LONGEST)
def test_a_solved_notebook_runs_on_docker_and_every_exercise_passes(name, tmp_path):
    told, failed = rehearse(name, tmp_path)
    assert "Engine: docker" in told and failed == []
