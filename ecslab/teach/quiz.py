"""One sitting of a quiz: questions in a seeded order, answers scored and recorded as they come.

The widget and the terminal are two skins over this. A scenario is answered
part by part; each part is recorded, and the whole when its last part is in.
Among the questions of the bank there are computed ones, with fresh numbers.
"""
from __future__ import annotations

import threading
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Sequence

from .bank import Bank, load_bank
from .progress import Progress
from .question import Body, Question
from .scoring import Result, score
from .shown import Shown, show, shuffled

PER_COMPUTED = 6  # questions of the bank for each computed one


@dataclass(frozen=True)
class Step:
    """One thing to answer. `background` is the stem a scenario's parts share."""

    question: Question
    body: Body
    shown: Shown
    background: str = ""


def open_quiz(
    topic: str,
    *,
    n: int | None = None,
    seed: Any = None,
    computed: bool = True,
    bank: Bank | None = None,
    progress: Progress | None = None,
) -> "Quiz":
    """A sitting of a topic's active questions, or of `n` of them. Without a seed every sitting is shuffled anew.

    With `computed`, one question of the topic's generators comes with about every six of the bank.
    """
    bank, progress = bank or load_bank(), progress or Progress()
    questions = bank.topic(topic)
    if seed is None:
        seed = progress.get(f"sittings/{topic}", 0)
        progress.set(f"sittings/{topic}", seed + 1)
    fresh = _computed(bank, topic, seed, len(questions), n) if computed else ()
    kept = shuffled(len(questions), seed, topic)[: None if n is None else n - len(fresh)]
    return Quiz(bank.title(topic), (*(questions[index] for index in kept), *fresh), progress, seed=seed)


def _computed(bank: Bank, topic: str, seed: Any, count: int, n: int | None) -> tuple[Question, ...]:
    """Questions of the topic's generators, no generator twice; they come on top of all `count`, but within `n`."""
    names = bank.generators(topic)
    wanted = count // PER_COMPUTED if n is None else min(n, count) // (PER_COMPUTED + 1)
    number = int.from_bytes(sha256(f"{seed}/{topic}".encode()).digest()[:3], "big")
    return tuple(bank.computed(names[place], number) for place in shuffled(len(names), seed, topic)[:wanted])


def steps_of(question: Question, seed: Any) -> tuple[Step, ...]:
    background = question.stem if question.parts else ""
    return tuple(Step(question, body, show(body, seed), background) for body in question.steps())


class Quiz:
    """Answers are final: a step once answered keeps its result. Safe to use from several threads."""

    def __init__(self, title: str, questions: Sequence[Question], progress: Progress, *, seed: Any = 0, n: int | None = None):
        self.title = title
        self.seed = seed
        order = shuffled(len(questions), seed, title)[:n]
        self.questions = tuple(questions[index] for index in order)
        self.steps = tuple(step for question in self.questions for step in steps_of(question, seed))
        self.results: dict[int, Result] = {}
        self._progress = progress
        self._lock = threading.RLock()

    def answer(self, place: int, answer: Any, seconds: float | None = None, confidence: str | None = None) -> Result:
        """Score and record the answer to step `place`, in the terms of `scoring`. Raises `AnswerError`."""
        with self._lock:
            if place not in self.results:
                result = score(self.steps[place].body, answer)
                self._progress.record_answer(result.question_id, result.answer, result.correct, seconds, confidence)
                self.results[place] = result
                self._record_scenario(self.steps[place].question)
            return self.results[place]

    def _record_scenario(self, question: Question) -> None:
        places = [place for place, step in enumerate(self.steps) if step.question.id == question.id]
        if question.parts and all(place in self.results for place in places):
            answers = {self.steps[place].body.id: self.results[place].answer for place in places}
            correct = all(self.results[place].correct for place in places)
            self._progress.record_answer(question.id, answers, correct)

    @property
    def right(self) -> int:
        return sum(result.correct for result in self.results.values())

    @property
    def finished(self) -> bool:
        return len(self.results) == len(self.steps)

    def missed(self) -> tuple[Question, ...]:
        """The questions not answered rightly (yet), in this sitting's order."""
        good = {place for place, result in self.results.items() if result.correct}
        bad = {step.question.id for place, step in enumerate(self.steps) if place not in good}
        return tuple(question for question in self.questions if question.id in bad)

    def again(self) -> "Quiz":
        """A new sitting of the missed questions, shuffled anew."""
        return Quiz(self.title, self.missed(), self._progress, seed=f"{self.seed}+")

    def score_line(self) -> str:
        return f"{self.right} of {len(self.steps)} right"
