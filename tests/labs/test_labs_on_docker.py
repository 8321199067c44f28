"""The solved notebooks on real containers, every other lab: the rest is in a file of its own, so that both run side by side."""
from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from ecslab.teach.notebooks import environment
from tests.labs.test_labs import LABS, ROOT, outputs, read, run


def rehearse(name: str, folder: Path) -> None:
    """Run a solved notebook on Docker; every exercise in it must pass."""
    notebook = read(ROOT / "labs" / "solved" / f"{name}.ipynb")
    run(notebook, ROOT / "labs" / "solved", {**environment(folder), "ECSLAB_ENGINE": "docker", "ECSLAB_SPEED": "20"})
    told = outputs(notebook)
    assert "Engine: docker" in told
    checks = [c for c in notebook.cells if c.cell_type == "code" and c.source.startswith("lab.check(")]
    for cell in checks:
        assert ": passed" in outputs(nbformat.v4.new_notebook(cells=[cell])), cell.source + outputs(nbformat.v4.new_notebook(cells=[cell]))


@pytest.mark.parametrize("name", LABS[::2])
def test_a_solved_notebook_runs_on_docker_and_every_exercise_passes(name, tmp_path):
    rehearse(name, tmp_path)
