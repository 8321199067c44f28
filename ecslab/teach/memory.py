"""What the answers to one question add up to: when it is due again, how well it is known, whether it is on the shelf.

Pure: `remember(memory, answer)` takes one answer at a time, oldest first, of
whatever mode it was given in. When a question is due is the business of FSRS
(the `fsrs` package, without its optimizer and without fuzz, so that the same
answers always give the same days).
"""
from __future__ import annotations

from datetime import datetime, timedelta, timezone
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from .progress import Answer, Progress

if TYPE_CHECKING:
    from fsrs import Card, Rating, Scheduler

SLOW_SECONDS = 120  # the pace of the exam: 130 minutes for 65 questions
HALF_LIFE = 30 * 86_400  # seconds in which what an answer says about you fades by half
ANSWER_FADES = 0.5  # how much of the earlier answers' weight a further answer to the same question leaves
RIGHT_IN_A_ROW = 2  # takes a question off the shelf
AGAIN_AFTER = timedelta(minutes=10)
LONGEST_DAYS = 365


class Memory(NamedTuple):
    """Times in seconds since the epoch. `state`, `step`, `stability` and `difficulty` are FSRS's own.

    `right` and `wrong` are the weights of the answers as they stood at `at`.
    """

    at: float
    due: float
    state: int
    step: int | None
    stability: float
    difficulty: float
    right: float
    wrong: float
    run: int
    shelved: bool

    def weights(self, now: float) -> tuple[float, float]:
        """What `right` and `wrong` have faded to."""
        left = faded(now - self.at)
        return self.right * left, self.wrong * left

    def card(self) -> "Card":
        from fsrs import Card, State

        return Card(0, State(self.state), self.step, self.stability, self.difficulty, _utc(self.due), _utc(self.at))

    @property
    def learnt(self) -> bool:
        """Due on a day, rather than in some minutes."""
        return self.step is None

    def recall(self, now: float) -> float:
        """The chance of a right answer now, by FSRS's forgetting curve."""
        return scheduler().get_card_retrievability(self.card(), _utc(now))


def memories(store: Progress) -> dict[str, Memory]:
    """Every question ever answered, also parts of scenarios, with what is remembered of it."""
    return {question: Memory(*kept) for question, kept in store.memories(_fold).items()}


def _fold(kept: list | None, answer: Answer) -> Memory:
    return remember(Memory(*kept) if kept else None, answer)


def remember(memory: Memory | None, answer: Answer) -> Memory:
    from fsrs import Card

    card = memory.card() if memory else Card(0, due=_utc(answer.at))
    card, _ = scheduler().review_card(card, rating(answer), _utc(answer.at))
    run = (memory.run if memory else 0) + 1 if answer.correct else 0
    shelved = not answer.correct or (memory is not None and memory.shelved and run < RIGHT_IN_A_ROW)
    right, wrong = weighed((memory.right, memory.wrong, memory.at) if memory else None, answer.at, answer.correct)
    return Memory(
        answer.at, card.due.timestamp(), card.state.value, card.step, card.stability, card.difficulty, right, wrong, run, shelved
    )  # fmt: skip


def rating(answer: Answer) -> "Rating":
    """How well it was known. A right guess was not known; an unsure or slow one with effort. Never Easy: nobody said so."""
    from fsrs import Rating

    if not answer.correct or answer.confidence == "guess":
        return Rating.Again
    if answer.confidence == "unsure" or (answer.seconds or 0) > SLOW_SECONDS:
        return Rating.Hard
    return Rating.Good


def weighed(before: tuple[float, float, float] | None, at: float, correct: bool) -> tuple[float, float]:
    """The weights of right and wrong answers after one more; `before` are both and their time.

    One question never weighs more than two answers: 1 + 1/2 + 1/4 + ...
    """
    right, wrong, then = before or (0.0, 0.0, at)
    left = ANSWER_FADES * faded(at - then)
    return right * left + bool(correct), wrong * left + (not correct)


def faded(seconds: float) -> float:
    return 0.5 ** (max(0.0, seconds) / HALF_LIFE)


@cache
def scheduler() -> "Scheduler":
    from fsrs import Scheduler

    return Scheduler(
        learning_steps=[AGAIN_AFTER], relearning_steps=[AGAIN_AFTER], maximum_interval=LONGEST_DAYS, enable_fuzzing=False
    )


def _utc(at: float) -> datetime:
    return datetime.fromtimestamp(at, timezone.utc)
