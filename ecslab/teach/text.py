"""The text forms: what a terminal, a plain-text front end and a recorded notebook show."""
from __future__ import annotations

from typing import Iterable

from .exercise import HINT_KINDS, Exercise, Verdict
from .quiz import Quiz
from .scoring import LEFT, MISSED, RIGHT, WRONG, Result

MARKS = {RIGHT: "✓ right ", MISSED: "✓ missed", WRONG: "✗ wrong ", LEFT: "·       "}


def indented(text: str, by: str = "  ") -> str:
    return "\n".join(by + line if line else line for line in text.strip().splitlines())


def exercise_text(one: Exercise) -> str:
    name = repr(one.id)
    calls = f"lab.check({name}) checks it, lab.hint({name}) helps, lab.reset({name}) starts over."
    return f"Exercise {one.id}: {one.title}\n\n{indented(one.task)}\n\n{calls}"


def verdict_text(verdict: Verdict) -> str:
    lines = [f"{verdict.exercise.id}: {'passed' if verdict.passed else 'not yet'}"]
    for saw in verdict.saw:
        if saw.ok:
            lines.append(f"  ✓ saw {saw.saw}")
        else:
            lines.append(f"  ✗ saw {saw.saw}; wanted {saw.wanted}")
            lines += [f"    look at {saw.where}"] if saw.where else []
    if not verdict.saw:
        lines.append("  ✗ the check found nothing to look at")
    if verdict.passed:
        lines += ["", indented(verdict.exercise.explanation)]
    return "\n".join(lines)


def hint_text(one: Exercise, level: int) -> str:
    return f"Hint {level} of {len(one.hints)} for {one.id} ({HINT_KINDS[level - 1]}):\n{indented(one.hints[level - 1])}"


def exercises_text(exercises: Iterable[Exercise], passed: set[str]) -> str:
    lines = [f"  {'✓ passed ' if one.id in passed else '· to do  '}  {one.id}  {one.title}" for one in exercises]
    return "\n".join(lines) or "  (no exercises)"


def quiz_text(quiz: Quiz, topic: str) -> str:
    return f"Quiz: {sitting_text(quiz, f'quiz {topic}')}"


def sitting_text(quiz: Quiz, command: str) -> str:
    count = len(quiz.questions)
    return f"{quiz.title}, {count} question{'s' if count != 1 else ''}. In a terminal: ecslab {command}"


def result_text(result: Result) -> str:
    lines = [f"{result.question_id}: {'right' if result.correct else 'wrong'}"]
    for line in result.feedback:
        lines.append(f"  {MARKS[line.mark]}  {line.text}")
        lines += [indented(line.why, "              ")] if line.why else []
    if result.explanation:
        lines += ["", indented(result.explanation)]
    return "\n".join(lines)
