"""How an exam went: raw shares, never a scaled score.

AWS reports a scaled score from 100 to 1000 and does not publish how it follows
from the answers, so no one can compute it from a mock exam. What can be said:
how many answers were right, how far that count may stray by chance, and how it
lies against a raw share chosen by convention. Scoring is all or nothing, and an
unanswered question is wrong, as in the AWS exam guides.
"""
from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from math import sqrt
from typing import Any, Callable, Iterable

from .question import Body
from .quiz import Step
from .scoring import MISSED, RIGHT, AnswerError, Result, score

CERTAINTY = 1.96  # standard deviations to each side: a band of 95 percent
LABS = 3
UNSAID = "not said"
AHEAD, BEHIND, OPEN = "above", "below", "too close to call"


@dataclass(frozen=True)
class Marked:
    """One question of a finished sitting. `result` explains every option, also of what was not answered."""

    number: int
    step: Step
    domain: str
    scored: bool
    answered: bool
    correct: bool
    result: Result
    seconds: float
    confidence: str | None
    flagged: bool
    struck: tuple
    note: str


def marked(number: int, step: Step, domain: str, scored: bool, place: Any) -> Marked:
    """Mark one question by what was left at its `sitting.Place`."""
    try:
        result, answered = score(step.body, place.answer), True
    except AnswerError:  # nothing, or too few options
        result, answered = _unanswered(step.body, place.answer), False
    return Marked(
        number, step, domain, scored, answered, result.correct, result, place.seconds, place.confidence, place.flagged,
        place.struck, place.note,
    )  # fmt: skip


def _unanswered(body: Body, answer: Any) -> Result:
    """The key's own result, with what is right in it marked as missed."""
    key = KEYS[body.type](body)
    right = score(body, key) if key is not None else Result(body.id, None, False, (), body.explanation.strip())
    feedback = tuple(replace(line, mark=MISSED) if line.mark == RIGHT else line for line in right.feedback)
    return replace(right, answer=answer, correct=False, feedback=feedback)


KEYS: dict[str, Callable[[Body], Any]] = {
    "single": lambda body: body.key[0],
    "read-events": lambda body: body.key[0],
    "multiple": lambda body: list(body.key),
    "numeric": lambda body: body.answer,
    "order": lambda body: list(range(len(body.items))),
    "match": lambda body: list(range(len(body.pairs))),
    "fix-json": lambda body: body.document,
}


@dataclass(frozen=True)
class Tally:
    name: str
    right: int
    count: int
    seconds: float

    @property
    def share(self) -> float:
        return self.right / self.count if self.count else 0.0


@dataclass(frozen=True)
class Estimate:
    """Where the raw share lies against `pass_share`, the scaled pass mark read as a share of right answers.

    That reading is a convention of ours. `low` to `high` is the band in which the share would fall in 95 of 100 such
    sittings of equally hard questions (Wilson's interval of a binomial).
    """

    share: float
    low: float
    high: float
    pass_share: float

    @property
    def verdict(self) -> str:
        """`above` or `below` when the whole band is, else `too close to call`."""
        if self.low >= self.pass_share:
            return AHEAD
        return BEHIND if self.high < self.pass_share else OPEN


def binomial_band(right: int, count: int) -> tuple[float, float]:
    """Wilson's interval for the chance behind `right` of `count`."""
    if not count:
        return 0.0, 1.0
    share, z2 = right / count, CERTAINTY**2
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = CERTAINTY / (1 + z2 / count) * sqrt(share * (1 - share) / count + z2 / (4 * count**2))
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))  # rounding aside, the share is inside


@dataclass(frozen=True)
class Results:
    """`seconds` were used of `limit` (None: no limit), of which `extended` were given on top. Tallies count scored questions."""

    exam: str
    title: str
    practice: bool
    marked: tuple[Marked, ...]
    seconds: float
    limit: float | None
    extended: float
    pass_share: float
    notices: tuple[str, ...] = ()

    @property
    def total(self) -> Tally:
        return _tally("scored", (one for one in self.marked if one.scored))

    @property
    def unscored(self) -> Tally:
        return _tally("unscored", (one for one in self.marked if not one.scored))

    @property
    def percent(self) -> float:
        """Of the scored questions, how many were right: a raw percentage."""
        return 100 * self.total.share

    def by_domain(self) -> tuple[Tally, ...]:
        return self._by(lambda one: (one.domain,))

    def by_objective(self) -> tuple[Tally, ...]:
        """A question counts for each of its objectives."""
        return self._by(lambda one: one.step.question.objectives)

    def by_confidence(self) -> tuple[Tally, ...]:
        """Of what was answered: how often "sure" was right, and how often a guess."""
        return self._by(lambda one: (one.confidence or UNSAID,) if one.answered else ())

    def slowest(self, n: int = 5) -> tuple[Marked, ...]:
        return tuple(sorted(self.marked, key=lambda one: -one.seconds)[:n])

    @property
    def estimate(self) -> Estimate:
        total = self.total
        return Estimate(total.share, *binomial_band(total.right, total.count), self.pass_share)

    def next_labs(self) -> tuple[str, ...]:
        """The labs behind most wrong answers, at most three; unscored questions teach too."""
        missed: dict[str, int] = defaultdict(int)
        for one in self.marked:
            missed[one.step.question.lab] += not one.correct
        worst = sorted((lab for lab, count in missed.items() if count), key=lambda lab: (-missed[lab], lab))
        return tuple(worst[:LABS])

    def _by(self, names: Callable[[Marked], Iterable[str]]) -> tuple[Tally, ...]:
        groups: dict[str, list[Marked]] = defaultdict(list)
        for one in self.marked:
            for name in names(one) if one.scored else ():
                groups[name].append(one)
        return tuple(_tally(name, groups[name]) for name in sorted(groups))


def _tally(name: str, some: Iterable[Marked]) -> Tally:
    some = list(some)
    return Tally(name, sum(one.correct for one in some), len(some), sum(one.seconds for one in some))
