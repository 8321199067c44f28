"""How well is each topic and exam objective known, what is weak, and how steadily is it practised?

Mastery is a Beta posterior: one imagined right and one imagined wrong answer,
plus the faded weights of the real ones (`memory`). A fresh start is 50 percent
with a wide band; practice narrows it, and time widens it again.
"""
from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from math import sqrt
from typing import Callable, Iterable, Mapping

from .bank import Bank
from .memory import faded, memories, weighed
from .mistakes import Mistake
from .progress import Progress
from .question import Question

WEAK = 0.75  # a spot is weak where even the upper end of its band is below this
DAY = 86_400
FORGIVEN_EVERY = 7  # days: one missed day in any seven does not end a streak


@dataclass(frozen=True)
class Mastery:
    """`name` is a topic or an objective; `right` and `wrong` are faded weights of answers."""

    name: str
    right: float
    wrong: float

    @property
    def mean(self) -> float:
        return (1 + self.right) / (2 + self.right + self.wrong)

    @property
    def deviation(self) -> float:
        """One standard deviation: half the width of the band."""
        return sqrt(self.mean * (1 - self.mean) / (3 + self.right + self.wrong))

    @property
    def band(self) -> tuple[float, float]:
        return max(0.0, self.mean - self.deviation), min(1.0, self.mean + self.deviation)

    @property
    def weak(self) -> bool:
        return self.band[1] < WEAK


NAMES: dict[str, Callable[[Question], Iterable[str]]] = {
    "topic": lambda question: (question.topic,),
    "objective": lambda question: question.objectives,
}


def mastery(store: Progress, bank: Bank, by: str = "topic", now: float | None = None) -> list[Mastery]:
    """Every topic (or, by="objective", every exam objective) that was ever answered, weakest first."""
    now = store.now() if now is None else now
    weights = {question: memory.weights(now) for question, memory in memories(store).items()}
    return sorted(_by_name(weights, bank, by), key=lambda one: (one.mean, one.name))


def weak_spots(store: Progress, bank: Bank, by: str = "topic", now: float | None = None) -> list[Mastery]:
    """The weak ones, weakest first."""
    return [one for one in mastery(store, bank, by, now) if one.weak]


def shelf(store: Progress, bank: Bank) -> list[Question]:
    """Questions answered wrongly and not yet rightly twice in a row, longest untouched first."""
    shelved = [(memory.at, name) for name, memory in memories(store).items() if memory.shelved]
    return [question for _, name in sorted(shelved) if (question := askable(bank, name))]


def askable(bank: Bank, question_id: str) -> Question | None:
    """The question, unless it left the bank, is not active, or is but a part of one."""
    try:
        question = bank[question_id]
    except Mistake:
        return None
    return question if isinstance(question, Question) and question.status == "active" else None


def _by_name(weights: Mapping[str, tuple[float, float]], bank: Bank, by: str) -> list[Mastery]:
    if by not in NAMES:
        raise Mistake(f"Mastery is known by {' or by '.join(NAMES)}.")
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for question_id, (right, wrong) in weights.items():
        if question := askable(bank, question_id):
            for name in NAMES[by](question):
                sums[name][0] += right
                sums[name][1] += wrong
    return [Mastery(name, right, wrong) for name, (right, wrong) in sums.items()]


def mastery_over_time(
    store: Progress, bank: Bank, by: str = "topic", days: int = 30, now: float | None = None
) -> list[tuple[float, list[Mastery]]]:
    """(time, what `mastery` said then) once a day, oldest first, ending now. A name is there from its first answer."""
    now = store.now() if now is None else now
    moments = [now - back * DAY for back in range(days, -1, -1)]
    known: dict[str, tuple[float, float, float]] = {}
    outcomes, history = iter(store.outcomes()), []
    ahead = next(outcomes, None)
    for moment in moments:
        while ahead and ahead[1] <= moment:
            question, at, correct = ahead
            known[question] = (*weighed(known.get(question), at, bool(correct)), at)
            ahead = next(outcomes, None)
        weights = {q: (right * faded(moment - at), wrong * faded(moment - at)) for q, (right, wrong, at) in known.items()}
        history.append((moment, _by_name(weights, bank, by)))
    return history


@dataclass(frozen=True)
class Streak:
    """`days` were practised since `since`; `today` says whether today is among them."""

    days: int
    since: date | None
    today: bool


def streak(store: Progress, zone: tzinfo | None = None, now: float | None = None) -> Streak:
    """Days practised without a break, as days are counted in `zone` (default: this machine's).

    A day counts when a question was answered or an exercise tried. One missed
    day in any seven is forgiven, and today is missed only when it is over.
    """

    def day(at: float) -> date:
        return datetime.fromtimestamp(at, zone).date()

    today = day(store.now() if now is None else now)
    practised = {day(at) for at in store.quarters()}
    one = timedelta(days=1)
    counted, missed, current = [], None, today if today in practised else today - one
    while practised and current >= min(practised):
        if current in practised:
            counted.append(current)
        elif missed and (missed - current).days < FORGIVEN_EVERY:
            break
        else:
            missed = current
        current -= one
    return Streak(len(counted), counted[-1] if counted else None, today in practised)
