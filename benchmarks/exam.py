"""The exam room: from nothing to the first question, and one answer kept for good."""
from __future__ import annotations

import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Iterator

from ecslab.teach import Progress, load_bank
from ecslab.teach.advice import advice
from ecslab.teach.exam import open_exam
from ecslab.teach.lint import lint

from .measure import alternating, row, seconds

FIRST_QUESTION = "from ecslab.teach.exam import open_exam; open_exam().question(0)"


def exam_start(times: int = 7) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        stores = iter(Progress(Path(folder) / f"{number}.sqlite3") for number in range(times + 1))
        ours, other = alternating(
            lambda: seconds(lambda: open_exam("ecs-specialist", store=next(stores)).question(0)), lambda: seconds(load_bank), times
        )
        yield row("exam to first question", ours, other, "<= 300 ms; other: loading the bank alone")
        process, bare = alternating(lambda: _process(FIRST_QUESTION, folder), lambda: _process("pass", folder), times)
        yield row("the same, new process", process, bare, "no goal; other: a bare Python", difference=True)


def bank(times: int = 5) -> Iterator[str]:
    """The whole bank loaded and checked, told for a thousand questions."""
    count = len(load_bank())

    def checked() -> float:
        return seconds(lambda: (list(lint(load_bank())), list(advice(load_bank())))) * 1000 / count

    ours, other = alternating(checked, lambda: seconds(load_bank) * 1000 / count, times)
    yield row("1,000 questions checked", ours, other, "<= 1 s; other: loading them alone")


def _process(program: str, folder: str) -> float:
    """Each run in a home of its own: an exam begins once."""
    with tempfile.TemporaryDirectory(dir=folder) as home:
        return seconds(lambda: subprocess.run([sys.executable, "-c", program], env={"ECSLAB_HOME": home, "PYTHONPATH": "."}, check=True))


def exam_answer(times: int = 50) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder, Progress(Path(folder) / "progress.sqlite3") as store:
        bare = sqlite3.connect(Path(folder) / "bare.sqlite3", isolation_level=None)
        bare.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE kept (value TEXT);")
        sitting = open_exam("SAA-C03", store=store)
        singles = [place for place, step in enumerate(sitting.steps) if step.body.type == "single"]
        for place in range(len(sitting)):
            sitting.note(place, "A note as one writes them while thinking about a question.")  # a full exam, not an empty one
        turns = iter((singles[turn % len(singles)], "abcd"[turn % 4]) for turn in range(times + 1))
        size = "x" * len(str(store.get(sitting.key)))
        ours, other = alternating(
            lambda: seconds(lambda: sitting.answer(*next(turns), "sure")),
            lambda: seconds(lambda: bare.execute("INSERT INTO kept VALUES (?)", (size,))),
            times,
        )
        bare.close()
        yield row("an exam's answer kept", ours, other, "<= 10 ms; other: as many bytes in a bare file")
        yield row("an exam finished", seconds(sitting.finish), None, "no goal: its answers recorded, its results told")


BENCHMARKS = {"exam-start": exam_start, "exam-answer": exam_answer, "bank": bank}
