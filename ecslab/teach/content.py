"""Is the content in order? Everything that is not, one plain sentence each.

`ecslab check-content` prints what `check_content()` returns and fails when
there is anything: questions (schema, cues, repairs), exercises (hints, ids,
an exercise that passes unsolved, a solution that fails), proofs that come out
differently from the key, notebooks older than their source, and boto3 parameters
that do not exist. What only deserves a look, `advise()` returns; it fails nothing.
"""
from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Iterator

from .advice import advice
from .bank import Bank, BankError, load_bank
from .exercise import Exercise, ExerciseError, load_exercises
from .lint import lint
from .mistakes import Mistake
from .notebooks import NotebookError, build, code_cells, environment, sources_of
from .parameters import unknown_in_code
from .places import content_root
from .proof import bodies, load_proofs
from .proving import failures, unknown

LAB_SECONDS = 300
AT_ONCE = 2


def check_content(root: Path | None = None, run_labs: bool = True) -> list[str]:
    """Check the content below `root` (default: the content in use). `run_labs=False` leaves out running them."""
    root = Path(root) if root else content_root()
    labs = root / "labs"
    problems = []
    try:
        exercises = dict(load_exercises(labs / "exercises"))
    except ExerciseError as error:
        problems += error.problems
        exercises = {}
    try:
        bank = load_bank(root / "quizzes")
        problems += [*lint(bank), *_links(bank, exercises), *_proofs(root, bank, run_labs)]
    except BankError as error:
        problems += error.problems
    try:
        problems += [*build(check=True, root=root), *_stray(labs), *_parameters(labs)]
        if run_labs:
            problems += _rehearsals(labs)
    except NotebookError as error:
        problems.append(str(error))
    return problems


def advise(root: Path | None = None) -> list[str]:
    """What an author should look at, of a bank that can be read."""
    try:
        return list(advice(load_bank(Path(root) / "quizzes" if root else None)))
    except BankError:
        return []


def _links(bank: Bank, exercises: dict[str, Exercise]) -> Iterator[str]:
    """Questions that point at exercises nobody wrote. Labs without exercises yet are left alone."""
    written = {one.lab for one in exercises.values()}
    for question in bank:
        if question.exercise and question.lab in written and question.exercise not in exercises:
            yield f"{question.topic}.yaml, {question.id}: there is no exercise {question.exercise!r}."


def _proofs(root: Path, bank: Bank, play: bool) -> list[str]:
    """Proofs without a question, and those that come out differently from the key."""
    try:
        proofs = load_proofs(root / "quizzes" / "proofs")
    except Mistake as error:
        return [str(error)]
    asked = bodies(bank)
    known = [one for one in proofs if one in asked]
    return [*unknown(proofs, asked), *(failures(known, root).values() if play else ())]


def _stray(labs: Path) -> Iterator[str]:
    """Notebooks and exercise files that belong to no source."""
    names = {source.stem for source in sources_of(labs)}
    for path in sorted([*labs.glob("*.ipynb"), *labs.glob("solved/*.ipynb"), *labs.glob("exercises/*.py")]):
        if path.stem not in names:
            yield f"{path.relative_to(labs.parent)} belongs to no source in labs/source/."


def _parameters(labs: Path) -> Iterator[str]:
    from IPython.core.inputtransformer2 import TransformerManager

    plain = TransformerManager().transform_cell  # turns !aws and %magic lines into Python
    for source in sources_of(labs):
        for number, _, tags, code in code_cells(source):
            if "raises-exception" not in tags:
                yield from _unknown(f"{source.name}, cell {number}", plain(code))
    for path in sorted(labs.glob("exercises/*.py")):
        yield from _unknown(path.name, path.read_text(encoding="utf-8"))


def _unknown(place: str, code: str) -> Iterator[str]:
    try:
        for line, sentence in unknown_in_code(code):
            yield f"{place}, line {line}: {sentence}."
    except SyntaxError as error:
        yield f"{place}: not Python: {error.msg}."


def _rehearsals(labs: Path) -> list[str]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [problem for found in pool.map(_rehearsal, sources_of(labs)) for problem in found]


def _rehearsal(source: Path) -> list[str]:
    """Run one lab in a process of its own and collect what it found."""
    command = [sys.executable, "-m", "ecslab.teach.rehearse", str(source)]
    with tempfile.TemporaryDirectory(prefix="ecslab-") as home:
        try:
            child = subprocess.run(
                command, env=environment(home, source.parents[2]), cwd=source.parents[1],
                capture_output=True, text=True, timeout=LAB_SECONDS,
            )
        except subprocess.TimeoutExpired:
            return [f"{source.stem}: did not finish within {LAB_SECONDS} seconds."]
    lines = child.stdout.strip().splitlines()
    if child.returncode or not lines:
        last = (child.stderr.strip().splitlines() or ["no reason given"])[-1]
        return [f"{source.stem}: could not be run: {last}"]
    return json.loads(lines[-1])
