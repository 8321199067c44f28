"""What is on each page of the exam room, as JSON for its front end.

    door      what there is to sit, before it begins
    question  one question, as it was left
    review    every question in a list, and the way to the end
    paused    nothing but the way back (practice only)
    over      the time is over: the results, or more time
    results   how it went
    explained one question of the results, with the reason for every option
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Iterable

from ecslab.teach.exam_text import estimate_text, time_line
from ecslab.teach.results import Marked, Results, Tally
from ecslab.teach.sitting import ANSWERED, INCOMPLETE, UNANSWERED, Sitting

from ._question import step_view

if TYPE_CHECKING:
    from .exam import ExamWidget

STEM = 110  # characters of a question in a list
MARKS = {True: "right", False: "wrong"}


def door(room: "ExamWidget") -> dict:
    plan, limit, last = room.door.plan, room.door.limit, room.door.last()
    facts = [f"{plan.questions} questions" + (f", {plan.unscored} of them unscored" if plan.unscored else "")]
    facts += ["No time limit" if limit is None else f"{limit:g} minutes"]
    if room.door.practice:
        facts += ["Practice: the reason comes with each answer, an answer is final, and you can pause"]
    else:
        facts += ["Nothing is told until you finish; until then every answer can change", "The clock starts with Begin and does not stop"]
    return {"title": plan.title, "facts": facts, "last": last and _headline(last.finish())}


def question(room: "ExamWidget") -> dict:
    sitting = room.sitting
    place = sitting.current
    step, left, result = sitting.steps[place], sitting.places[place], sitting.result(place)
    answer = left.answer
    return {
        **_room(sitting),
        "place": place,
        "step": step_view(step, result, room.played),
        "picked": None if answer is None else step.shown.to_places(answer),
        "struck": [at for at, index in enumerate(step.shown.order) if step.body.options and step.body.options[index].id in left.struck],
        "flagged": left.flagged,
        "note": left.note,
        "confidence": left.confidence or "",
    }


def review(room: "ExamWidget") -> dict:
    sitting = room.sitting
    rows = [
        {"stem": _first_words(step.body.stem), "note": place.note} for step, place in zip(sitting.steps, sitting.places)
    ]
    return {**_room(sitting), "place": sitting.current, "rows": rows, "notices": sitting.notices}


def paused(room: "ExamWidget") -> dict:
    return _room(room.sitting)


def over(room: "ExamWidget") -> dict:
    return _room(room.sitting)


def results(room: "ExamWidget") -> dict:
    found = room.results
    return {
        "title": found.title,
        "headline": _headline(found),
        "lines": [*_unscored(found), time_line(found), *found.notices],
        "tables": [
            {"title": title, "rows": rows}
            for title, rows in (
                ("By domain", _rows(found.by_domain())),
                ("By how sure you were", _rows(found.by_confidence())),
                ("By objective", _rows(found.by_objective())),
            )
            if rows
        ],
        "estimate": estimate_text(found.estimate).splitlines(),
        "slowest": [{"place": one.number, "seconds": round(one.seconds)} for one in found.slowest() if one.seconds >= 1],
        "labs": list(found.next_labs()),
        "marked": [{"mark": _mark(one), "about": _about(one), "stem": _first_words(one.step.body.stem)} for one in found.marked],
    }


def explained(room: "ExamWidget") -> dict:
    one = room.results.marked[room.place]
    return {
        "title": room.results.title,
        "place": room.place,
        "count": len(room.results.marked),
        "step": step_view(one.step, one.result, room.played, one.answered),
        "mark": _mark(one),
        "about": _about(one),
        "note": one.note,
    }


PAGES: dict[str, Callable[["ExamWidget"], dict]] = {
    page.__name__: page for page in (door, question, review, paused, over, results, explained)
}


def _room(sitting: Sitting) -> dict:
    """What every page of a sitting under way shows."""
    statuses = [sitting.status(i) for i in range(len(sitting))]
    return {
        "title": sitting.title,
        "count": len(sitting),
        "practice": sitting.practice,
        "marks": [{"status": status, "flagged": place.flagged} for status, place in zip(statuses, sitting.places)],
        "open": {name: statuses.count(name) for name in (UNANSWERED, INCOMPLETE, ANSWERED)},
        "timer": {"left": sitting.remaining(), "hidden": sitting.timer_hidden},
    }


def _headline(found: Results) -> str:
    total = found.total
    return f"{total.right} of {total.count} scored questions right, {found.percent:.0f} % (raw)."


def _unscored(found: Results) -> Iterable[str]:
    if found.unscored.count:
        yield f"{found.unscored.right} of {found.unscored.count} unscored questions right; they do not count."


def _rows(tallies: Iterable[Tally]) -> list[dict[str, Any]]:
    return [
        {"name": one.name, "right": one.right, "count": one.count, "percent": round(100 * one.share), "each": round(one.seconds / one.count)}
        for one in tallies
    ]


def _mark(one: Marked) -> str:
    return MARKS[one.correct] if one.answered else "open"


def _about(one: Marked) -> str:
    """Where it belongs, how long it took, how sure the learner was."""
    sure = {"guess": "a guess", "unsure": "not sure", "sure": "sure"}.get(one.confidence or "")
    parts = (one.domain, f"{one.seconds:.0f} s", sure, "flagged" if one.flagged else None, None if one.scored else "unscored")
    return ", ".join(part for part in parts if part)


def _first_words(stem: str) -> str:
    """The beginning of a question as one line of plain text."""
    line = " ".join(stem.replace("`", "").replace("**", "").split())
    return line if len(line) <= STEM else line[:STEM].rsplit(" ", 1)[0] + " …"
