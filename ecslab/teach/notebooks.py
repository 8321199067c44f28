"""From `labs/source/*.py` to the notebooks people open.

A source is a jupytext percent script. Its cells tagged `exercise="<id>"` hold
a solution between two marker lines. From each source come two notebooks:

    labs/<name>.ipynb         for the learner: solutions taken out, no outputs
    labs/solved/<name>.ipynb  with solutions, executed on the simulated engine

Cell ids come from a cell's heading and its number below it, so a change in
one section leaves the ids of the others alone. Saved widgets can not live
without their kernel, so only their text form stays in the outputs.
"""
from __future__ import annotations

import copy
import os
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import Any, Iterable, Iterator

from .mistakes import Mistake
from .places import PACKAGE, content_root

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
PLACEHOLDER = "# Your code here"
WIDGET = "application/vnd.jupyter.widget-view+json"
CELL_SECONDS = 180
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


class NotebookError(Mistake):
    """A lab's source that can not be turned into notebooks."""


def build(check: bool = False, root: Path | None = None, names: Iterable[str] = ()) -> list[str]:
    """Write every lab's two notebooks, or only those of `names`; returns the paths written.

    With `check` nothing is written or executed: returns one sentence for each
    notebook whose cells are not those of its source. (That a solved notebook's
    outputs are still true is for nbval to say.)
    """
    labs = (root or content_root()) / "labs"
    chosen = set(names)
    sources = [path for path in sources_of(labs) if not chosen or path.stem in chosen]
    return [line for path in sources for line in (_stale if check else _write)(labs, path)]


def sources_of(labs: Path) -> list[Path]:
    return sorted((labs / "source").glob("*.py"))


def _write(labs: Path, source: Path) -> Iterator[str]:
    yield _save(labs / f"{source.stem}.ipynb", learner(source))
    solved = labs / "solved" / f"{source.stem}.ipynb"
    solved.parent.mkdir(exist_ok=True)
    yield _save(solved, executed(solution(source), source.stem, solved.parent, labs.parent))


def _stale(labs: Path, source: Path) -> Iterator[str]:
    for target, notebook in (
        (labs / f"{source.stem}.ipynb", learner(source)),
        (labs / "solved" / f"{source.stem}.ipynb", solution(source)),
    ):
        if not target.exists() or _cells(_read(target)) != _cells(notebook):
            yield f"{target.relative_to(labs.parent)} is stale: run `ecslab labs` and commit what it writes."


def _cells(notebook: Any) -> list[tuple]:
    return [(cell.cell_type, cell.id, cell.source) for cell in notebook.cells]


def learner(source: Path) -> Any:
    """The learner's notebook: every solution replaced by a placeholder."""
    return _notebook(source, keep_solution=False)


def solution(source: Path) -> Any:
    """The solved notebook, not executed. It lies one folder deeper than the learner's, and its pictures do not."""
    notebook = _notebook(source, keep_solution=True)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = cell.source.replace("](images/", "](../images/")
    return notebook


def code_cells(source: Path) -> list[tuple[int, str | None, list[str], str]]:
    """(number counted from 1, exercise id, tags, code) of every code cell, solutions in."""
    return [
        (number, cell.metadata.get("exercise"), cell.metadata.get("tags", []), split_solution(cell.source, True))
        for number, cell in enumerate(_parsed(source).cells, 1)
        if cell.cell_type == "code"
    ]


def _notebook(source: Path, keep_solution: bool) -> Any:
    notebook = _parsed(source)
    notebook.metadata = copy.deepcopy(METADATA)
    for cell, cell_id in zip(notebook.cells, cell_ids(notebook.cells)):
        cell.id = cell_id
        if cell.cell_type == "code":
            try:
                cell.source = split_solution(cell.source, keep_solution)
            except ValueError as error:
                raise NotebookError(f"{source.name}, {cell.metadata.get('exercise', 'a cell')}: {error}") from None
        cell.metadata = {"tags": cell.metadata["tags"]} if cell.metadata.get("tags") else {}
    return notebook


def _parsed(source: Path) -> Any:
    import jupytext

    notebook = jupytext.read(source, fmt="py:percent")
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def split_solution(code: str, keep: bool) -> str:
    """A cell's code with its solutions kept (markers gone) or replaced by the placeholder. Raises ValueError."""
    lines, inside = [], False
    for line in code.splitlines():
        marker = line.strip()
        if marker in (BEGIN, END):
            if inside == (marker == BEGIN):
                raise ValueError(f"{marker!r} is not where it belongs")
            inside = marker == BEGIN
            if inside and not keep:
                lines.append(line[: len(line) - len(line.lstrip())] + PLACEHOLDER)
        elif keep or not inside:
            lines.append(line)
    if inside:
        raise ValueError(f"{BEGIN!r} has no {END!r}")
    return "\n".join(lines)


def cell_ids(cells: Iterable[Any]) -> list[str]:
    """An id for each cell from the heading above it and its number below that heading."""
    ids, heading, number, seen = [], "", 0, {}
    for cell in cells:
        first = cell.source.lstrip().split("\n", 1)[0]
        if cell.cell_type == "markdown" and first.startswith("#"):
            seen[first] = seen.get(first, 0) + 1
            heading, number = f"{first} {seen[first]}", 0
        ids.append(sha256(f"{heading}/{number}".encode()).hexdigest()[:12])
        number += 1
    return ids


def environment(home: str | Path, root: Path | None = None) -> dict[str, str]:
    """The variables a notebook is executed with: the same on every machine, nothing of the learner's own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "ECSLAB_"))}
    paths = [str(PACKAGE.parent), *filter(None, [kept.get("PYTHONPATH")])]
    return {
        **kept,
        "ECSLAB_ENGINE": "simulated",
        "ECSLAB_HOME": str(home),
        "ECSLAB_CONTENT": str(root or content_root()),
        "IPYTHONDIR": str(Path(home) / "ipython"),
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONHASHSEED": "0",
        "TZ": "UTC",
        "COLUMNS": "80",
        "NO_COLOR": "1",
    }


def executed(notebook: Any, name: str, folder: Path, root: Path | None = None) -> Any:
    """Run a notebook in `folder`, on the content of `root`, and keep its outputs, in a form that is the same on every run."""
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError

    client = NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
    )
    with tempfile.TemporaryDirectory(prefix="ecslab-") as home:
        try:
            client.execute(env=environment(home, root))
        except (CellExecutionError, CellTimeoutError) as error:
            raise NotebookError(f"{name}: {error}") from None
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [_settled(output) for output in cell.outputs]
            cell.metadata.pop("execution", None)
    notebook.metadata = copy.deepcopy(METADATA)
    return notebook


def _settled(output: Any) -> Any:
    if "data" in output:
        output.data.pop(WIDGET, None)
        output.metadata = {}
    return output


def _read(path: Path) -> Any:
    import nbformat

    return nbformat.read(path, as_version=4)


def _save(path: Path, notebook: Any) -> str:
    import nbformat

    path.write_text(nbformat.writes(notebook).rstrip("\n") + "\n", encoding="utf-8")
    return str(path)
