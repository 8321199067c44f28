"""Rehearse one lab: run its solved cells and watch its exercises fail before their solutions and pass after.

Run as a child process, `python -m ecslab.teach.rehearse labs/source/<lab>.py`,
because a lab starts a region of its own. The last line it prints is a JSON
list of sentences, one for each fault; what the cells print is not shown.
"""
from __future__ import annotations

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, Iterator

from .exercise import load_exercises
from .lab import Lab
from .notebooks import code_cells


def rehearse(source: Path) -> Iterator[str]:
    from IPython.core.interactiveshell import InteractiveShell

    name = source.stem
    exercises = [one.id for one in load_exercises(source.parents[1] / "exercises").values() if one.lab == name]
    shell = InteractiveShell.instance()
    solved = set()
    for number, exercise_id, tags, code in code_cells(source):
        lab = next((value for value in shell.user_ns.values() if isinstance(value, Lab)), None)
        if exercise_id and exercise_id not in exercises:
            yield f"{name}, cell {number}: there is no exercise {exercise_id!r} in labs/exercises/{name}.py."
        elif exercise_id and lab is None:
            yield f"{name}, cell {number}: {exercise_id} comes before the lab is opened."
        elif exercise_id and exercise_id not in solved and lab.judge(exercise_id).passed:
            yield f"{name}, {exercise_id}: passes before its solution ran."
        error = _run(shell, code)
        if error is not None and "raises-exception" not in tags:
            yield f"{name}, cell {number}: {type(error).__name__}: {error}"
            return
        if exercise_id in exercises and lab is not None:
            solved.add(exercise_id)
            for saw in lab.judge(exercise_id).saw:
                if not saw.ok:
                    yield f"{name}, {exercise_id}: its solution fails: saw {saw.saw}, wanted {saw.wanted}."
    for missing in sorted(set(exercises) - solved):
        yield f"{name}, {missing}: has no solution cell in labs/source/{name}.py."


def _run(shell: Any, code: str) -> BaseException | None:
    silent = io.StringIO()
    with redirect_stdout(silent), redirect_stderr(silent):
        result = shell.run_cell(code)
    return result.error_before_exec or result.error_in_exec


def main() -> None:
    problems = list(rehearse(Path(sys.argv[1]).resolve()))
    print("\n" + json.dumps(problems), flush=True)


if __name__ == "__main__":
    main()
