"""The notebooks people open: they run, print what they printed, and work on Docker too."""
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from ecslab.teach.notebooks import environment

ROOT = Path(__file__).parents[2]
LABS = sorted(path.stem for path in (ROOT / "labs" / "source").glob("*.py"))
SECONDS = 180


def run(notebook, folder: Path, variables: dict) -> None:
    """Every cell, in a fresh kernel. CellExecutionError at the first that fails."""
    client = NotebookClient(notebook, timeout=SECONDS, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        client.execute()
    finally:
        os.environ.clear()
        os.environ.update(before)


def read(path: Path):
    return nbformat.read(path, as_version=4)


def outputs(notebook) -> str:
    return "\n".join(o.get("text", "") for c in notebook.cells if c.cell_type == "code" for o in c.outputs)


def test_there_are_labs_and_each_has_both_its_notebooks():
    assert LABS[0] == "00-start-here" and "03-services" in LABS
    for name in LABS:
        assert (ROOT / "labs" / f"{name}.ipynb").exists() and (ROOT / "labs" / "solved" / f"{name}.ipynb").exists()


@pytest.mark.parametrize("name", LABS)
def test_a_solved_notebook_prints_what_it_printed_under_strict_nbval(name, tmp_path):
    notebook = ROOT / "labs" / "solved" / f"{name}.ipynb"
    cells = [c for c in read(notebook).cells if c.cell_type == "code"]
    compared = [c for c in cells if c.outputs and "nbval-ignore-output" not in c.metadata.get("tags", [])]
    assert len(compared) >= len(cells) / 4, "a notebook without outputs compares nothing"
    variables = {**os.environ, **environment(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--nbval", "-q", "-p", "no:cacheprovider", "--nbval-cell-timeout", str(SECONDS), notebook],
        env=variables, capture_output=True, text=True, timeout=SECONDS * 2,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]


@pytest.mark.parametrize("name", LABS)
def test_a_learners_notebook_runs_clean_with_nothing_solved(name, tmp_path):
    notebook = read(ROOT / "labs" / f"{name}.ipynb")
    assert all(not c.get("outputs") for c in notebook.cells)
    run(notebook, ROOT / "labs", environment(tmp_path))
    assert "Traceback" not in outputs(notebook)
