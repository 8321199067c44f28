"""What to ask now: what is due today, what is on the shelf, what is weak. Each opens as an ordinary `Quiz`.

Every recorded answer, of whatever mode, is a review. A question that is being
learnt is due some minutes after its answer; one that is known is due from the
beginning of its day, as days are counted in the learner's time zone.
"""
from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, time, tzinfo
from typing import Sequence

from .bank import Bank, load_bank
from .mastery import NAMES, Mastery, askable, mastery, shelf, streak, weak_spots
from .memory import Memory, memories
from .progress import Progress
from .question import Question
from .quiz import Quiz

AT_ONCE = 20  # questions of one sitting, unless asked otherwise
NOTHING_YET = "Nothing recorded yet. Answer some questions first: ecslab quiz services"


@dataclass(frozen=True)
class Due:
    """A question to ask; `recall` is the chance that it is still known."""

    question: Question
    since: float
    recall: float


def due(store: Progress, bank: Bank, now: float | None = None, zone: tzinfo | None = None) -> list[Due]:
    """The daily review: every question due, nearest to being forgotten first."""
    now = store.now() if now is None else now
    found = []
    for name, memory in memories(store).items():
        since = due_at(memory, zone)
        if since <= now and (question := askable(bank, name)):
            found.append(Due(question, since, memory.recall(now)))
    return sorted(found, key=lambda one: (one.recall, one.since, one.question.id))


def due_at(memory: Memory, zone: tzinfo | None = None) -> float:
    """Seconds since the epoch."""
    if not memory.learnt:
        return memory.due
    return datetime.combine(_day(memory.due, zone), time.min, zone).timestamp()


def agenda(store: Progress, bank: Bank, now: float | None = None, zone: tzinfo | None = None) -> dict[date, int]:
    """How many questions become due on each day, today first; what is overdue counts today."""
    today = _day(store.now() if now is None else now, zone)
    days = [_day(memory.due, zone) for name, memory in memories(store).items() if askable(bank, name)]
    return dict(sorted(Counter(max(day, today) for day in days).items()))


def _day(at: float, zone: tzinfo | None) -> date:
    return datetime.fromtimestamp(at, zone).date()


# -- sittings: None where there is nothing to ask ------------------------------


def open_review(n: int | None = None, *, bank: Bank | None = None, progress: Progress | None = None) -> Quiz | None:
    """A sitting of what is due, the `n` (default 20) nearest to being forgotten."""
    bank, progress = bank or load_bank(), progress or Progress()
    return _sitting("Daily review", "review", [one.question for one in due(progress, bank)], n, progress)


def open_shelf(n: int | None = None, *, bank: Bank | None = None, progress: Progress | None = None) -> Quiz | None:
    """A sitting of the wrong-answer shelf."""
    bank, progress = bank or load_bank(), progress or Progress()
    return _sitting("Wrong-answer shelf", "shelf", shelf(progress, bank), n, progress)


def open_weak_spots(n: int | None = None, *, bank: Bank | None = None, progress: Progress | None = None) -> Quiz | None:
    """A sitting of weak topics and objectives: what was wrong there first, then what was never asked, then the rest."""
    bank, progress = bank or load_bank(), progress or Progress()
    known, now = memories(progress), progress.now()
    rank = {spot.name: place for place, spot in enumerate(all_weak_spots(progress, bank))}

    def order(question: Question) -> tuple[float, int]:
        weights = known[question.id].weights(now) if question.id in known else (0.0, 0.0)
        return Mastery(question.id, *weights).mean, min(rank[name] for name in _spots(question) & rank.keys())

    weak = [question for question in bank if question.status == "active" and _spots(question) & rank.keys()]
    return _sitting("Weak spots", "weak", sorted(weak, key=order), n, progress)


def all_weak_spots(store: Progress, bank: Bank) -> list[Mastery]:
    """Weak topics and weak objectives, weakest first."""
    both = [spot for by in NAMES for spot in weak_spots(store, bank, by)]
    return sorted(both, key=lambda spot: (spot.mean, spot.name))


def _spots(question: Question) -> set[str]:
    return {name for names in NAMES.values() for name in names(question)}


def _sitting(title: str, name: str, questions: Sequence[Question], n: int | None, progress: Progress) -> Quiz | None:
    if not questions:
        return None
    seed = progress.get(f"sittings/{name}", 0)
    progress.set(f"sittings/{name}", seed + 1)
    return Quiz(title, questions[: n or AT_ONCE], progress, seed=seed)


OPEN = {"review": open_review, "shelf": open_shelf, "weak": open_weak_spots}


# -- in words ------------------------------------------------------------------


def due_text(store: Progress, bank: Bank, zone: tzinfo | None = None) -> str:
    """What is due when, the shelf, and the streak."""
    days, now, today = agenda(store, bank, zone=zone), len(due(store, bank, zone=zone)), _day(store.now(), zone)
    if not days:
        return NOTHING_YET

    def between(first: int, last: int) -> int:
        return sum(count for day, count in days.items() if first <= (day - today).days <= last)

    rows = [
        ("due now", now),
        ("later today", between(0, 0) - now),
        ("tomorrow", between(1, 1)),
        ("within a week", between(2, 7)),
        ("after that", between(8, 10**6)),
        ("on the shelf", len(shelf(store, bank))),
    ]
    kept = streak(store, zone)
    practised = f"{kept.days:4} day{'' if kept.days == 1 else 's'}{'' if kept.today else ', today not yet'}"
    return "\n".join([*(f"{name:14} {count:4}" for name, count in rows), f"{'streak':14} {practised}"])


def mastery_text(store: Progress, bank: Bank, by: str = "topic") -> str:
    """A table, weakest first."""
    return "\n".join(map(_mastery_line, mastery(store, bank, by))) or NOTHING_YET


def weak_text(store: Progress, bank: Bank, n: int = 5) -> str:
    """The `n` weakest spots."""
    return "\n".join(["Weakest first:", *map(_mastery_line, all_weak_spots(store, bank)[:n])])


def _mastery_line(one: Mastery) -> str:
    low, high = one.band
    return f"{one.name:18} {one.mean:4.0%}  (likely {low:.0%} to {high:.0%}){'  weak' if one.weak else ''}"


def nothing_text(name: str, store: Progress, bank: Bank) -> str:
    """Why there is nothing to ask: `name` is review, shelf or weak."""
    upcoming = agenda(store, bank)
    if not upcoming:
        return NOTHING_YET
    days = (min(upcoming) - _day(store.now(), None)).days
    return {
        "review": f"Nothing is due. Next: {upcoming[min(upcoming)]} {WHEN.get(days, f'in {days} days')}.",
        "shelf": "The shelf is empty: what was wrong has been right twice in a row since.",
        "weak": "No weak spots in what you answered so far.",
    }[name]


WHEN = {0: "later today", 1: "tomorrow"}
