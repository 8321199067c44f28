"""Which questions measure something? Statistics of items, from the answers of many learners.

Each learner writes one CSV (`ecslab items --write mine.csv`), a teacher pools
them (`ecslab items results/*.csv`). One row for each question answered:

| column   | what it holds                                                              |
|----------|----------------------------------------------------------------------------|
| learner  | a random token; it says only which rows are one learner's                  |
| question | the question's id                                                          |
| choice   | the ids of the options chosen (`a c`), a number, or the answer as JSON     |
| correct  | 1 or 0                                                                     |

Only the first answer to a question counts: after it the learner has read the
reasons. For each question:

* difficulty: the share of learners who were right;
* discrimination: the correlation (point-biserial) of being right here with the
  share of the learner's other questions answered right;
* choices: how often each option was picked.
"""
from __future__ import annotations

import csv
import io
import json
import uuid
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from statistics import StatisticsError, correlation
from typing import Any, Iterable, Iterator, Mapping

from .bank import Bank
from .formats.reading import FormatError, content, save
from .formats.table import bare, guarded
from .progress import Progress
from .question import Body, Question

COLUMNS = ("learner", "question", "choice", "correct")
ENOUGH = 10  # learners, before anything but the share right is said
OTHERS = 3  # other questions a learner must have answered to be compared with
MARKS = {"0": False, "1": True}

# What deserves an author's look: a test of an item, and what to say.
EASY, HARD, WEAK = 0.95, 0.2, 0.1


@dataclass(frozen=True)
class Response:
    learner: str
    question: str
    choice: str
    correct: bool


@dataclass(frozen=True)
class Item:
    """`discrimination` is None where too few learners answered, or all alike. `choices` counts each option id."""

    question: str
    learners: int
    difficulty: float
    discrimination: float | None
    choices: Mapping[str, int]
    unpicked: tuple[str, ...] = ()

    def remarks(self) -> Iterator[str]:
        if self.learners < ENOUGH:
            return
        if self.discrimination is not None and self.discrimination < 0:
            yield "good learners get it wrong: check the key"
        elif self.discrimination is not None and self.discrimination < WEAK:
            yield "says little about a learner"
        if self.difficulty > EASY:
            yield "nearly everyone is right"
        if self.difficulty < HARD:
            yield "few are right"
        if self.unpicked:
            yield f"nobody picks {', '.join(self.unpicked)}"


# -- writing ---------------------------------------------------------------


def write_responses(store: Progress, path: Path | str) -> int:
    """Write a learner's first answers, without name or time; returns how many."""
    learner = store.get("items.learner")
    if learner is None:
        learner = uuid.uuid4().hex[:12]
        store.set("items.learner", learner)
    first: dict[str, list] = {}
    for answer in store.answers():
        row = [learner, answer.question, _choice(answer.choice), int(answer.correct)]
        first.setdefault(answer.question, row)
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\r\n")
    table.writerow(COLUMNS)
    table.writerows([guarded(str(cell)) for cell in row] for _, row in sorted(first.items()))
    save(path, out.getvalue().encode())
    return len(first)


def _choice(choice: Any) -> str:
    if isinstance(choice, list) and all(isinstance(one, str) for one in choice):
        return " ".join(choice)
    return choice if isinstance(choice, str) else json.dumps(choice)


# -- reading ---------------------------------------------------------------


def read_responses(paths: Iterable[Path | str]) -> list[Response]:
    """Rows of all files; of one learner's answers to one question the first. Raises `FormatError` with file and line."""
    found: dict[tuple[str, str], Response] = {}
    for path in map(Path, paths):
        for response in _rows(path):
            found.setdefault((response.learner, response.question), response)
    return list(found.values())


def _rows(path: Path) -> Iterator[Response]:
    table = csv.reader(io.StringIO(content(path), newline=""), strict=True)
    try:
        header = tuple(name.strip().lower() for name in next(table, ()))
        if header != COLUMNS:
            raise FormatError(f"{path.name}, line 1: wanted the columns {', '.join(COLUMNS)}.")
        for row in table:
            where = f"{path.name}, line {table.line_num}"
            if len(row) != len(COLUMNS):
                raise FormatError(f"{where}: {len(row)} cells, wanted {len(COLUMNS)}.")
            learner, question, choice, correct = (bare(cell).strip() for cell in row)
            if not (learner and question) or correct not in MARKS:
                raise FormatError(f"{where}: wanted a learner, a question, and 1 or 0 as correct.")
            yield Response(learner, question, choice, MARKS[correct])
    except csv.Error as error:
        raise FormatError(f"{path.name}, line {table.line_num}: not CSV: {error}.") from None


# -- statistics ------------------------------------------------------------


def statistics(responses: Iterable[Response], bank: Bank | None = None) -> list[Item]:
    """One item for each question answered, the doubtful ones first. The bank says which options nobody picked."""
    by_question: dict[str, list[Response]] = defaultdict(list)
    by_learner: dict[str, list[bool]] = defaultdict(list)
    for response in responses:
        by_question[response.question].append(response)
        by_learner[response.learner].append(response.correct)
    totals = {learner: (sum(marks), len(marks)) for learner, marks in by_learner.items()}
    known = {step.id: step for question in bank for step in question.steps()} if bank else {}
    items = [_item(name, rows, totals, known.get(name)) for name, rows in by_question.items()]
    return sorted(items, key=lambda item: (not list(item.remarks()), item.discrimination is None, item.discrimination or 0, item.question))


def _item(name: str, rows: list[Response], totals: Mapping[str, tuple[int, int]], body: Question | Body | None) -> Item:
    choices: Counter[str] = Counter()
    if body and body.options:
        choices.update({option.id: 0 for option in body.options})
        for row in rows:
            choices.update(option for option in row.choice.split() if option in choices)
    unpicked = tuple(option for option, count in choices.items() if not count) if len(rows) >= ENOUGH else ()
    right = sum(row.correct for row in rows)
    return Item(name, len(rows), right / len(rows), _discrimination(rows, totals), dict(choices), unpicked)


def _discrimination(rows: list[Response], totals: Mapping[str, tuple[int, int]]) -> float | None:
    here, rest = [], []
    for row in rows:
        right, count = totals[row.learner]
        if count - 1 >= OTHERS:
            here.append(float(row.correct))
            rest.append((right - row.correct) / (count - 1))
    if len(here) < ENOUGH:
        return None
    try:
        return correlation(here, rest)
    except StatisticsError:  # all alike
        return None


def items_text(items: list[Item]) -> str:
    """A table for a teacher, the doubtful questions first."""
    if not items:
        return "No answers in these files."
    rows = [("question", "learners", "right", "discrimination", "look at")]
    for item in items:
        strength = "–" if item.discrimination is None else f"{item.discrimination:+.2f}"
        rows.append((item.question, str(item.learners), f"{item.difficulty:.0%}", strength, "; ".join(item.remarks())))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = ["  ".join([*(cell.ljust(width) for cell, width in zip(row, widths)), row[4]]).rstrip() for row in rows]
    if max(item.learners for item in items) < ENOUGH:
        lines.append(f"\nFewer than {ENOUGH} learners: too few to judge a question by.")
    return "\n".join(lines)
