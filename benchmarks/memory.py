"""The learner's store: one answer recorded for good, and the daily review out of 100,000 answers."""
from __future__ import annotations

import random
import sqlite3
import tempfile
import uuid
from pathlib import Path
from typing import Iterator

from ecslab.teach import Progress, load_bank
from ecslab.teach.memory import memories, remember
from ecslab.teach.review import due

from .measure import alternating, row, seconds

REVIEWS = 100_000
NOW = 1_800_000_000.0
DAY = 86_400


def record_answer(times: int = 50) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        bare = sqlite3.connect(Path(folder) / "bare.sqlite3", isolation_level=None)
        bare.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE answers (uid TEXT, question TEXT);")
        with Progress(Path(folder) / "progress.sqlite3") as store:
            ours, other = alternating(
                lambda: seconds(lambda: store.record_answer("services.count", "a", True, 20.0, "sure")),
                lambda: seconds(lambda: bare.execute("INSERT INTO answers VALUES (?, 'services.count')", (uuid.uuid4().hex,))),
                times,
            )
        bare.close()
    yield row("an answer recorded", ours, other, "<= 10 ms; other: one row in a bare file")


def review_queue() -> Iterator[str]:
    bank = load_bank()
    with tempfile.TemporaryDirectory() as folder, Progress(Path(folder) / "progress.sqlite3", clock=lambda: NOW) as store:
        writing = seconds(lambda: _filled(store, [question.id for question in bank]))
        reading = seconds(lambda: memories(store))
        ours, other = alternating(lambda: seconds(lambda: due(store, bank)), lambda: seconds(lambda: _all_anew(store)), 3)
        if not due(store, bank):
            raise RuntimeError("nothing is due")
    yield row(f"{REVIEWS} reviews: due", ours, other, "<= 50 ms; other: reading every answer anew")
    yield row("the same, once after import", reading, None, f"no goal (writing them took {writing:.1f} s)")


def _all_anew(store: Progress) -> None:
    known: dict = {}
    for answer in store.answers():
        known[answer.question] = remember(known.get(answer.question), answer)


def _filled(store: Progress, questions: list[str]) -> None:
    """As if imported: 100,000 answers of the last 200 days."""
    dice = random.Random(1)
    answers = [
        (uuid.UUID(int=number).hex, dice.choice(questions), NOW - dice.random() * 200 * DAY, '"a"', dice.random() < 0.8, 20.0, None)
        for number in range(REVIEWS)
    ]
    with sqlite3.connect(store.path) as file:
        file.executemany("INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?, ?)", answers)


BENCHMARKS = {"record-answer": record_answer, "review-queue": review_queue}
