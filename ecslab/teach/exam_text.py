"""An exam in words: what there is to sit, where one stands in it, and how it went."""
from __future__ import annotations

from math import ceil
from typing import Iterable, Iterator

from .blueprint import BLUEPRINTS
from .exam import Door
from .results import AHEAD, BEHIND, OPEN, Estimate, Marked, Results, Tally
from .shown import LETTERS, as_text
from .sitting import ANSWERED, INCOMPLETE, Sitting, State
from .text import result_text

IN_A_ROW = 10  # questions in one line of the review list
STATUS_MARKS = {ANSWERED: "✓", INCOMPLETE: "½"}
VERDICTS = {
    AHEAD: "the whole band is above it",
    BEHIND: "the whole band is below it",
    OPEN: "the band holds both sides of it, so this is too close to call",
}


def list_text(past: Iterable[State]) -> str:
    """The exams there are, and the ones that were finished."""
    lines = [
        f"  {one.name:15} {one.title}: {one.questions} questions, {one.minutes} minutes, {one.unscored} unscored"
        for one in BLUEPRINTS.values()
    ]
    done = [
        f"  {one.title}{', practice' if one.practice else ''}: {one.right} of {one.scored} right ({one.right / one.scored:.0%})"
        for one in past
        if one.scored
    ]
    return "\n".join(["Exams:", *lines, *(["", "Finished, oldest first:", *done] if done else [])])


def door_text(door: Door) -> str:
    """What would be sat, in a line, and how to sit it in a terminal."""
    time = "no time limit" if door.limit is None else f"{door.limit:g} minutes"
    unscored = f", {door.plan.unscored} of them unscored" if door.plan.unscored else ""
    kind = "Practice" if door.practice else "Exam"
    return f"{kind}: {door.plan.title}. {door.plan.questions} questions{unscored}, {time}. In a terminal: {door.command}"


def opening_text(sitting: Sitting) -> str:
    left = sitting.remaining()
    time = "no time limit" if left is None else f"{clock_text(left)} left"
    kind = "practice, " if sitting.practice else ""
    return "\n".join([f"{sitting.title}: {kind}{len(sitting)} questions, {time}.", *(f"  {one}" for one in sitting.notices)])


def clock_text(seconds: float) -> str:
    """Hours and minutes, a minute begun counting whole; less than a minute in seconds."""
    if 0 < seconds <= 59:
        return f"{ceil(seconds)} s"
    hours, minutes = divmod(ceil(seconds / 60), 60)
    return f"{hours}:{minutes:02} h"


def question_text(sitting: Sitting, i: int) -> str:
    """One question as it stands: time, flag, the question, what was answered, struck out and noted."""
    step, place, left = sitting.steps[i], sitting.places[i], sitting.remaining()
    head = [f"Question {i + 1} of {len(sitting)}"]
    head += [f"{clock_text(left)} left"] if left is not None and not (sitting.timer_hidden or sitting.finished) else []
    head += ["flagged"] if place.flagged else []
    lines = [", ".join(head), ""]
    lines += [step.background.strip(), ""] if step.background else []
    lines += [as_text(step.shown)]
    if place.answer is not None:
        missing = " (not complete)" if sitting.status(i) == INCOMPLETE else ""
        lines += [f"  Your answer: {answer_text(sitting, i)}{missing}{f', {place.confidence}' if place.confidence else ''}"]
    lines += [f"  Struck out: {', '.join(_letters(step, place.struck))}"] if place.struck else []
    lines += [f"  Note: {place.note}"] if place.note else []
    return "\n".join(lines)


def answer_text(sitting: Sitting, i: int) -> str:
    """What was answered, in the letters shown."""
    step, answer = sitting.steps[i], sitting.places[i].answer
    if step.body.type in ("numeric", "fix-json"):
        return f"{answer:.10g}" if isinstance(answer, float) else str(answer)
    return ", ".join(_letters(step, [answer] if isinstance(answer, str) else answer))


def _letters(step, names: Iterable) -> list[str]:
    known = [option.id for option in step.body.options] or list(range(len(step.shown.order)))
    letter = {known[index]: LETTERS[place] for place, index in enumerate(step.shown.order)}
    return [letter.get(name, "?") for name in names]


def review_text(sitting: Sitting) -> str:
    """The navigator: every number with ✓ answered, ½ not complete, · not answered, and ! flagged."""
    cells = []
    for i, place in enumerate(sitting.places):
        cells.append(f"{i + 1:3}{STATUS_MARKS.get(sitting.status(i), '·')}{'!' if place.flagged else ' '}")
    rows = [" ".join(cells[at : at + IN_A_ROW]).rstrip() for at in range(0, len(cells), IN_A_ROW)]
    return "\n".join([*rows, "✓ answered  ½ not complete  · not answered  ! flagged"])


# -- results -------------------------------------------------------------------


def results_text(results: Results) -> str:
    """Everything but the questions themselves."""
    total = results.total
    lines = [f"{results.title}: {total.right} of {total.count} scored questions right, {results.percent:.0f} % (raw)."]
    if results.unscored.count:
        lines.append(f"{results.unscored.right} of {results.unscored.count} unscored questions right; they do not count.")
    lines.append(time_line(results))
    lines += results.notices
    lines += _table("By domain", results.by_domain())
    lines += _table("By objective", results.by_objective())
    lines += _table("By how sure you were", results.by_confidence())
    slow = ", ".join(f"{one.number + 1} ({one.seconds:.0f} s)" for one in results.slowest() if one.seconds >= 1)
    lines += ["", f"Longest thought about: {slow}"] if slow else []
    lines += ["", estimate_text(results.estimate)]
    lines += ["", f"Next labs: {', '.join(results.next_labs())}"] if results.next_labs() else []
    return "\n".join(lines)


def time_line(results: Results) -> str:
    used = f"Time: {clock_text(results.seconds)}"
    if results.limit is not None:
        used += f" of {clock_text(results.limit)}"
    return used + (f", {clock_text(results.extended)} of it extra" if results.extended else "") + "."


def _table(title: str, tallies: Iterable[Tally]) -> Iterator[str]:
    tallies = list(tallies)
    if not tallies:
        return
    wide = max(len(one.name) for one in tallies)
    yield from ("", f"{title}:")
    for one in tallies:
        yield f"  {one.name:{wide}}  {one.right:3} of {one.count:3}  {one.share:4.0%}  {one.seconds / one.count:4.0f} s each"


def estimate_text(one: Estimate) -> str:
    return (
        f"An estimate, not a score: in 95 of 100 sittings like this one, {one.low:.0%} to {one.high:.0%} would be right.\n"
        f"Held against {one.pass_share:.0%}, our reading of the pass mark: {VERDICTS[one.verdict]}.\n"
        "AWS does not publish how its scaled score follows from the answers."
    )


def marked_text(one: Marked) -> str:
    """One question of the results, with the reason for every option."""
    head = f"Question {one.number + 1}, {one.domain}, {one.seconds:.0f} s{'' if one.scored else ', unscored'}"
    background = f"{one.step.background.strip()}\n\n" if one.step.background else ""
    note = f"\n\nYour note: {one.note}" if one.note else ""
    unanswered = "" if one.answered else "\nNot answered."
    return f"{head}\n\n{background}{as_text(one.step.shown)}\n{unanswered}\n{result_text(one.result)}{note}"
