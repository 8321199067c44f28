"""A sitting of an exam: what is asked, what the learner left at each question, and the clock.

A sitting is one JSON value under one key of `Progress`. Every change reads it,
edits it and writes it in one transaction, so after a kill at any moment it is
as before the change or as after it, and two windows on one sitting do not undo
each other's changes. Finishing records the answers in the same transaction
that closes the sitting: they count once. What is lost by a kill are the seconds
since the last change in the tally of time per question; the clock itself runs
on, as in a real exam room, because only its start is kept.
"""
from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Callable, Iterator

from .mistakes import Mistake
from .progress import CONFIDENCES, Progress
from .question import Body, Question
from .quiz import Step, steps_of
from .results import Marked, Results, marked
from .scoring import AnswerError, Result, score
from .shown import UNMATCHED

UNANSWERED, INCOMPLETE, ANSWERED = "unanswered", "incomplete", "answered"
LONGEST = 24 * 60  # minutes
LONGEST_NOTE = 10_000
LONGEST_DRAFT = 100_000  # characters of a repaired document


def checked_minutes(minutes: float) -> float:
    if not 0 < minutes <= LONGEST:
        raise Mistake(f"Minutes are more than 0 and at most {LONGEST}.")
    return minutes


class Finished(Mistake):
    def __init__(self) -> None:
        super().__init__("This sitting is finished.")


class TimeUp(Mistake):
    """The time is over: nothing more can be changed, and what was answered counts."""

    def __init__(self) -> None:
        super().__init__("The time is over. What you answered is kept; finish to see the results.")


@dataclass(frozen=True)
class Place:
    """What the learner left at one question. `answer` is in the terms of `scoring`; `struck` are options' ids or indices."""

    answer: Any = None
    at: float | None = None
    confidence: str | None = None
    flagged: bool = False
    struck: tuple = ()
    note: str = ""
    seconds: float = 0.0


@dataclass
class State:
    """A sitting as it is stored. Times are seconds since the epoch; `limit` is in seconds, None for no limit.

    `items` holds a question's id, its domain and whether it is scored; `places`, by the id of what is answered, what
    was left there. A paused sitting stands since `paused`; earlier pauses add up in `rested`.
    """

    exam: str
    title: str
    seed: Any
    practice: bool
    pass_share: float
    notices: list[str]
    items: list[list]
    started: float
    limit: float | None
    latest: float
    extended: float = 0.0
    paused: float | None = None
    rested: float = 0.0
    timer_hidden: bool = False
    current: int = 0
    places: dict[str, dict] = field(default_factory=dict)
    finished: float | None = None
    right: int = 0
    scored: int = 0

    def elapsed(self, now: float) -> float:
        """Seconds of exam time, never more than the limit. A clock that is set back does not give time back."""
        until = next(at for at in (self.finished, self.paused, max(now, self.latest)) if at is not None)
        passed = until - self.started - self.rested
        return passed if self.limit is None else min(passed, self.limit + self.extended)

    def remaining(self, now: float) -> float | None:
        return None if self.limit is None else self.limit + self.extended - self.elapsed(now)

    def under_way(self, now: float) -> bool:
        return self.finished is None and self.remaining(now) != 0


class Sitting:
    """One learner before one drawn exam. Questions are counted from 0. Safe to use from several threads.

    `steps` are what is asked, in order; `places` what was left at each. Both are for reading; every change goes
    through a method and is stored when the method returns. Changes raise `Mistake` when the sitting is finished or
    paused, and `TimeUp` when its time is over.
    """

    def __init__(self, key: str, store: Progress, find: Callable[[str], Question], clock: Callable[[], float]):
        self.key = key
        self._store, self._clock = store, clock
        self._state = State(**store.get(key))
        self._since = self._now()
        self._asked: list[tuple[Step, str, bool]] = []
        self.notices = list(self._state.notices)
        for question_id, domain, scored in self._state.items:
            try:
                question = find(question_id)
            except Mistake:
                self.notices.append(f"{question_id} has left the question bank since; it does not count.")
                continue
            self._asked += [(step, domain, scored) for step in steps_of(question, self._state.seed)]
        self.steps: tuple[Step, ...] = tuple(step for step, _, _ in self._asked)

    def __len__(self) -> int:
        return len(self.steps)

    # -- reading -------------------------------------------------------------

    @property
    def name(self) -> str:
        return self._state.exam

    @property
    def title(self) -> str:
        return self._state.title

    @property
    def seed(self) -> Any:
        return self._state.seed

    @property
    def practice(self) -> bool:
        return self._state.practice

    @property
    def finished(self) -> bool:
        return self._state.finished is not None

    @property
    def paused(self) -> bool:
        return self._state.paused is not None

    @property
    def timer_hidden(self) -> bool:
        return self._state.timer_hidden

    @property
    def current(self) -> int:
        """Which question the learner is at."""
        return max(0, min(self._state.current, len(self) - 1))

    @property
    def places(self) -> tuple[Place, ...]:
        return tuple(self._place(index) for index in range(len(self)))

    def status(self, i: int) -> str:
        """`unanswered`, `incomplete` (begun, and wrong as it stands) or `answered`."""
        if self._place(i).answer is None:
            return UNANSWERED
        return INCOMPLETE if self.missing(i) else ANSWERED

    def missing(self, i: int) -> str:
        """What an answer that was begun still needs, in a sentence; empty where it is whole, or there is none."""
        answer = self._place(i).answer
        return "" if answer is None else _missing(self._step(i).body, answer)

    def remaining(self) -> float | None:
        """Seconds left; 0 when the time is over, None without a limit."""
        return self._state.remaining(self._now())

    def result(self, i: int) -> Result | None:
        """In practice, and once finished: what there is to learn from the answer to question i, None without one."""
        one = self._marked(i)
        return one.result if one.answered and (self.practice or self.finished) else None

    # -- changing ------------------------------------------------------------

    def question(self, i: int) -> Step:
        """Turn to question i; the time from now on is counted for it. After the end it only shows the question."""
        step = self._step(i)
        if self._state.under_way(self._now()) and not self.paused:
            with self._change(i):
                pass
        return step

    def answer(self, i: int, value: Any, confidence: str | None = None) -> Result | None:
        """Keep an answer, in the terms of `scoring`; None takes it back. What is only begun is kept too, and counts
        as wrong in the end: too few options of a multiple response, pairs not all matched (`UNMATCHED`), a document
        that is not JSON yet. Raises `AnswerError` where it is no answer at all.

        In practice it returns the result, and the first whole answer is final.
        """
        body = self._step(i).body
        value = _checked(body, value)
        _known_confidence(confidence)
        with self._change(i) as place:
            if not (self.practice and self.status(i) == ANSWERED):
                place.update(answer=value, at=None if value is None else self._now())
                place["confidence"] = confidence or place.get("confidence")
                if self.practice and value is not None and not _missing(body, value):
                    self._record(i)
                    self._record_scenario(self.steps[i].question)
        return self.result(i)

    def confidence(self, i: int, how: str | None) -> None:
        """How sure: "guess", "unsure" or "sure"; None takes it back."""
        _known_confidence(how)
        with self._change(i) as place:
            place["confidence"] = how

    def flag(self, i: int, flagged: bool = True) -> None:
        with self._change(i) as place:
            place["flagged"] = bool(flagged)

    def strike(self, i: int, option: Any, struck: bool = True) -> None:
        """Strike out an option (its id; of items and pairs the index), or with struck=False bring it back."""
        body = self._step(i).body
        known = [one.id for one in body.options] or list(range(len(body.items or body.pairs)))
        if option not in known:
            raise Mistake(f"There is no option {option!r} to strike out.")
        with self._change(i) as place:
            others = [one for one in place.get("struck", ()) if one != option]
            place["struck"] = [*others, option] if struck else others

    def note(self, i: int, text: str) -> None:
        """Keep a note; an empty one takes it away."""
        if len(text) > LONGEST_NOTE:
            raise Mistake(f"A note has at most {LONGEST_NOTE} characters.")
        with self._change(i) as place:
            place["note"] = text.strip()

    def extend(self, minutes: float) -> None:
        """Give more time, also when it is over already, as an accommodation; the results tell how much."""
        with self._edit() as state:
            state.extended += checked_minutes(minutes) * 60

    def hide_timer(self, hidden: bool = True) -> None:
        with self._edit() as state:
            state.timer_hidden = bool(hidden)

    def pause(self) -> None:
        """Stop the clock. Only in practice: a real exam has no pause."""
        if not self.practice:
            raise Mistake("An exam can not pause. Practice can: open_exam(..., practice=True)")
        with self._change(self.current):
            self._state.paused = self._now()

    def go_on(self) -> None:
        """End a pause."""
        with self._edit():
            self._rest_is_over()

    def finish(self) -> Results:
        """Close the sitting, record its answers, and tell how it went. A second call tells the same."""
        try:
            with self._edit():
                self._close()
        except Finished:
            pass
        return self._results()

    # -- inside --------------------------------------------------------------

    def _close(self) -> None:
        """Record what was answered, and keep the score."""
        state = self._state
        self._rest_is_over()
        state.finished = self._now() if state.limit is None else min(self._now(), self._deadline())
        if not self.practice:
            for index in range(len(self)):
                self._record(index)
            for question in {step.question.id: step.question for step in self.steps}.values():
                self._record_scenario(question)
        total = self._results().total
        state.right, state.scored = total.right, total.count

    def _rest_is_over(self) -> None:
        state, now = self._state, self._now()
        if state.paused is not None:
            state.rested += now - state.paused
            state.paused, self._since = None, now

    def _deadline(self) -> float:
        state = self._state
        return state.started + state.rested + state.limit + state.extended

    def _results(self) -> Results:
        state = self._state
        limit = None if state.limit is None else state.limit + state.extended
        return Results(
            state.exam, state.title, state.practice, tuple(map(self._marked, range(len(self)))), state.elapsed(self._now()),
            limit, state.extended, state.pass_share, tuple(self.notices),
        )  # fmt: skip

    def _marked(self, i: int) -> Marked:
        self._step(i)
        return marked(i, *self._asked[i], self._place(i))

    def _record(self, i: int) -> None:
        """Record a whole answer for review and mastery; not one that its question, changed since, no longer knows."""
        place, body = self._place(i), self.steps[i].body
        try:
            result = score(body, place.answer)
        except AnswerError:
            return
        self._store.record_answer(body.id, result.answer, result.correct, place.seconds, place.confidence, place.at)

    def _record_scenario(self, question: Question) -> None:
        """Record the whole once all its parts are answered, as of the last answer."""
        mine = [index for index, step in enumerate(self.steps) if step.question.id == question.id]
        if question.parts and all(self.status(index) == ANSWERED for index in mine):
            places = {self.steps[index].body.id: self._place(index) for index in mine}
            result = score(question, {part: place.answer for part, place in places.items()})
            at = max(place.at for place in places.values())
            self._store.record_answer(question.id, result.answer, result.correct, at=at)

    @contextmanager
    def _change(self, i: int) -> Iterator[dict]:
        """Edit what is at question i, and be there from now on."""
        with self._edit() as state:
            if self.paused:
                raise Mistake("This sitting is paused. go_on() goes on.")
            if state.remaining(self._now()) == 0:
                raise TimeUp
            state.current = i
            yield state.places.setdefault(self.steps[i].body.id, {})

    @contextmanager
    def _edit(self) -> Iterator[State]:
        """Edit the sitting as it is stored now, whichever window stored it. All of it is stored, or nothing."""
        try:
            with self._store.together():
                self._state = State(**self._store.get(self.key))
                if self.finished:
                    raise Finished
                self._settle()
                yield self._state
                self._state.latest = self._now()
                self._store.set(self.key, asdict(self._state))
        except BaseException:
            self._state = State(**self._store.get(self.key))
            raise

    def _settle(self) -> None:
        """Count the time since the last change, in whichever window, for the question it was spent on."""
        state, now = self._state, self._now()
        if self.paused or not self.steps:
            return
        until = now if state.limit is None else min(now, self._deadline())
        place = state.places.setdefault(self.steps[self.current].body.id, {})
        since = max(self._since, state.latest)
        place["seconds"] = round(place.get("seconds", 0.0) + max(0.0, until - since), 3)
        self._since = now

    def _now(self) -> float:
        return max(self._clock(), self._state.latest)

    def _step(self, i: int) -> Step:
        if not 0 <= i < len(self.steps):
            raise Mistake(f"Questions go from 0 to {len(self.steps) - 1}.")
        return self.steps[i]

    def _place(self, i: int) -> Place:
        kept = self._state.places.get(self._step(i).body.id, {})
        return Place(**{**kept, "struck": tuple(kept.get("struck", ()))})


def _missing(body: Body, answer: Any) -> str:
    try:
        score(body, answer)
    except AnswerError as error:
        return str(error)
    return ""


def _checked(body: Body, value: Any) -> Any:
    """The answer as `scoring` keeps it, None for none. Nothing of the result is told."""
    if value is None:
        return None
    begun = BEGUN.get(body.type, lambda body, value: None)(body, value)
    return score(body, value).answer if begun is None else begun or None


def _few_options(body: Body, value: Any) -> list | None:
    known = {option.id for option in body.options}
    few = isinstance(value, (list, tuple, set, frozenset)) and len(set(value)) < (body.choose or 0) and set(value) <= known
    return sorted(set(value)) if few else None


def _few_pairs(body: Body, value: Any) -> list | None:
    count = len(body.pairs)
    whole = isinstance(value, (list, tuple)) and len(value) == count and UNMATCHED in value
    if not whole or not all(type(index) is int and UNMATCHED <= index < count for index in value):
        return None
    return [] if set(value) == {UNMATCHED} else list(value)


def _draft(body: Body, value: Any) -> str | None:
    return value if isinstance(value, str) and len(value) <= LONGEST_DRAFT else None


# What is begun as it is kept, empty for nothing; None where it is whole or no answer at all.
BEGUN: dict[str, Callable[[Body, Any], Any]] = {"multiple": _few_options, "match": _few_pairs, "fix-json": _draft}


def _known_confidence(how: str | None) -> None:
    if how not in (None, *CONFIDENCES):
        raise Mistake(f"Confidence is {', '.join(CONFIDENCES[:-1])} or {CONFIDENCES[-1]}.")
