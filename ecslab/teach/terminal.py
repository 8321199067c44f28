"""A quiz in a terminal, `sit(open_quiz("services"))`: answers typed, reasons at once."""
from __future__ import annotations

from typing import Callable

from .quiz import Quiz
from .scoring import AnswerError
from .shown import as_text
from .text import result_text

HELP = "Type your answer, Enter alone skips, q leaves."


def sit(quiz: Quiz, read: Callable[[str], str] = input, write: Callable[[str], None] = print) -> Quiz:
    """Ask every step of a quiz. Returns the quiz with its results; leaving early keeps what was answered."""
    write(f"{quiz.title}: {len(quiz.questions)} questions. {HELP}")
    try:
        for place, step in enumerate(quiz.steps):
            write(f"\n{place + 1} of {len(quiz.steps)}\n")
            if step.background:
                write(f"{step.background.strip()}\n")
            write(as_text(step.shown))
            if not _ask(quiz, place, read, write):
                break
    except (EOFError, KeyboardInterrupt):
        write("")
    write(f"\n{quiz.score_line()}.")
    return quiz


def _ask(quiz: Quiz, place: int, read: Callable[[str], str], write: Callable[[str], None]) -> bool:
    """Ask until the answer can be read. False when the learner leaves."""
    shown = quiz.steps[place].shown
    while True:
        typed = read("> ").strip()
        if typed.lower() == "q":
            return False
        if not typed:
            return True
        if shown.body.type == "fix-json":
            typed = document(typed, read)
        try:
            write(result_text(quiz.answer(place, shown.from_text(typed))))
            return True
        except AnswerError as error:
            write(str(error))


def document(first: str, read: Callable[[str], str]) -> str:
    """A document of several lines, ended by an empty one."""
    lines = [first]
    while line := read(". "):
        lines.append(line)
    return "\n".join(lines)
