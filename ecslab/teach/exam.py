"""The exam room's door: begin a sitting, go on with one, look back at those that are finished.

    sitting = open_exam("SAA-C03")          # or exam_door("SAA-C03"), which begins nothing yet
    step = sitting.question(0)          # a `quiz.Step`: the body, and its options as shuffled for this sitting
    sitting.answer(0, "b", confidence="sure")
    results = sitting.finish()

An exam tells nothing until it is finished, and answers can change until then.
With `practice` the reason comes at once, an answer is final, there is no time
limit unless one is asked for, and the sitting can pause. A section is one
domain of an exam, and a topic is an exam of all its questions: one engine, four
modes. `sitting` holds what happens inside, `blueprint` what is drawn.
"""
from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Callable

from .bank import Bank, load_bank
from .blueprint import Blueprint, Draw, blueprint, draw
from .mistakes import Mistake
from .progress import Progress
from .sitting import Sitting, State, checked_minutes

KEY = "exams/"  # then milliseconds and the exam's name


def open_exam(
    name: str = "ecs-specialist",
    seed: Any = None,
    minutes: float | None = None,
    *,
    practice: bool = False,
    section: str | None = None,
    n: int | None = None,
    store: Progress | None = None,
    bank: Bank | None = None,
    clock: Callable[[], float] | None = None,
) -> "Sitting":
    """Begin a sitting of an exam (see `BLUEPRINTS`) or of a topic; its clock runs from now.

    `section` is one domain of the exam, `n` asks only so many questions. Without a seed every sitting is drawn anew.
    `minutes` replaces the exam's own. `clock` returns seconds since the epoch (default: the store's). Raises `Mistake`
    while the same exam is under way; one whose time is over, or a practice, is finished first.
    """
    how = {"practice": practice, "section": section, "n": n, "store": store, "bank": bank, "clock": clock}
    return exam_door(name, seed, minutes, **how).begin()


def exam_door(
    name: str = "ecs-specialist",
    seed: Any = None,
    minutes: float | None = None,
    *,
    practice: bool = False,
    section: str | None = None,
    n: int | None = None,
    store: Progress | None = None,
    bank: Bank | None = None,
    clock: Callable[[], float] | None = None,
) -> "Door":
    """The exam that `open_exam` would begin. Raises `Mistake` where there is none such."""
    bank, store = bank or load_bank(), store or Progress()
    plan = blueprint(name, bank)
    plan = plan.section(section) if section else plan
    plan = plan if n is None else plan.short(n)
    minutes = None if minutes is None else checked_minutes(minutes)
    flags = (n and f"-n {n}", practice and "--practice", section and f'--section "{section}"', minutes and f"--minutes {minutes:g}")
    command = " ".join(["ecslab exam", plan.name, *filter(None, flags)])
    return Door(plan, seed, minutes, practice, command, store, bank, clock or store.now)


@dataclass(frozen=True)
class Door:
    """An exam that can begin, go on, or be looked back at. Nothing begins before `begin`. `command` opens it in a terminal."""

    plan: Blueprint
    seed: Any
    minutes: float | None
    practice: bool
    command: str
    store: Progress
    bank: Bank
    clock: Callable[[], float]

    @property
    def limit(self) -> float | None:
        """Minutes, None for no limit."""
        return self.plan.minutes if self.minutes is None and not self.practice else self.minutes

    def begin(self) -> Sitting:
        plan, store = self.plan, self.store
        _leave_room(plan.name, store, self.bank, self.clock)
        seed = len(_kept(store, plan.name)) if self.seed is None else self.seed
        drawn = draw(plan, self.bank, seed)
        state = State(
            plan.name, plan.title, seed, self.practice, plan.pass_share, list(drawn.notices),
            items=[[one.question.id, one.domain, one.scored] for one in drawn.drawn],
            started=self.clock(), limit=_limit(drawn, self.minutes, self.practice), latest=self.clock(),
        )  # fmt: skip
        key = _new_key(store, state)
        store.set(key, asdict(state))
        fresh = {one.question.id: one.question for one in drawn.drawn}
        return Sitting(key, store, fresh.__getitem__, self.clock)

    def under_way(self) -> Sitting | None:
        """The sitting of this very exam that is not finished; its time may be over."""
        return self._latest(finished=False)

    def last(self) -> Sitting | None:
        """The sitting of this very exam finished last; its `finish()` tells the results again."""
        return self._latest(finished=True)

    def _latest(self, finished: bool) -> Sitting | None:
        wanted = (self.plan.title, self.practice, finished)
        for key, state in reversed(_kept(self.store, self.plan.name)):
            if (state.title, state.practice, state.finished is not None) == wanted and self.seed in (None, state.seed):
                return Sitting(key, self.store, self.bank.__getitem__, self.clock)
        return None


def resume_exam(
    name: str | None = None,
    *,
    store: Progress | None = None,
    bank: Bank | None = None,
    clock: Callable[[], float] | None = None,
) -> "Sitting":
    """The latest unfinished sitting, of the exam `name` or of any. Its clock never stopped; it may be over."""
    bank, store = bank or load_bank(), store or Progress()
    for key, state in reversed(_kept(store, name)):
        if state.finished is None:
            return Sitting(key, store, bank.__getitem__, clock or store.now)
    raise Mistake(f"No {name or 'exam'} is under way. Begin one: ecslab exam {name or ''}".strip())


def past_exams(store: Progress) -> list[State]:
    """Every finished sitting, oldest first."""
    return [state for _, state in _kept(store) if state.finished is not None]


def _kept(store: Progress, name: str | None = None) -> list[tuple[str, State]]:
    """Every sitting, oldest first; what an imported file left under such a key but is none is passed over."""
    found = []
    for key in store.keys(KEY):
        try:
            state = State(**store.get(key))
        except TypeError:
            continue
        if name is None or state.exam.lower() == name.lower():
            found.append((key, state))
    return found


def _new_key(store: Progress, state: State) -> str:
    moment, taken = int(state.started * 1000), set(store.keys(KEY))
    while (key := f"{KEY}{moment:015d}/{state.exam}") in taken:
        moment += 1
    return key


def _leave_room(name: str, store: Progress, bank: Bank, clock: Callable[[], float]) -> None:
    for key, state in _kept(store, name):
        if state.under_way(clock()) and not state.practice:
            raise Mistake(f"{state.title} is under way. Go on with it (ecslab exam {name} --resume) and finish it first.")
        if state.finished is None:
            Sitting(key, store, bank.__getitem__, clock).finish()


def _limit(drawn: Draw, minutes: float | None, practice: bool) -> float | None:
    if minutes is None and practice:
        return None
    return 60.0 * (drawn.minutes if minutes is None else minutes)
