"""The exam room in a terminal, `sit_exam(open_exam())`: one line for each answer or command.

No command is made of the letters A to F alone, so an answer is never taken for
one. Leaving, or a closed terminal, keeps the sitting as it is.
"""
from __future__ import annotations

from typing import Callable

from .exam_text import clock_text, marked_text, opening_text, question_text, results_text, review_text
from .mistakes import Mistake
from .results import Results
from .shown import LETTERS
from .sitting import ANSWERED, Finished, Sitting, TimeUp
from .terminal import document
from .text import result_text

HELP = """\
  B  or  A C  or  12.5   answer; with ! you are sure, ~ unsure, ? it is a guess:  B !
  Enter n next   p previous   g 12 go to a question   l list of all
  m mark (flag) or unmark      x B strike out or bring back      note TEXT
  undo take the answer back    t time left      hide hide or show the timer
  pause (practice only)        finish           q leave, to resume later      h this help"""
CONFIDENCE = {"!": "sure", "~": "unsure", "?": "guess"}
LEFT_LINE = "Kept as it is. Go on with: ecslab exam --resume"
EXPLAIN = "A number explains that question, all explains every one, Enter leaves."


class Leave(Exception):
    """The learner leaves; the sitting stays open."""


def sit_exam(sitting: Sitting, read: Callable[[str], str] = input, write: Callable[[str], None] = print) -> Results | None:
    """Sit an exam to its end. Returns the results, None when the learner leaves before."""
    room = Room(sitting, read, write)
    try:
        results = room.sit()
        write("\n" + results_text(results))
    except (Leave, EOFError, KeyboardInterrupt):
        write("\n" + LEFT_LINE)
        return None
    _explain(results, read, write)
    return results


def _explain(results: Results, read: Callable[[str], str], write: Callable[[str], None]) -> None:
    write("\n" + EXPLAIN)
    try:
        while typed := read("> ").strip().lower():
            numbers = range(1, len(results.marked) + 1) if typed == "all" else [int(typed)] if typed.isdecimal() else []
            shown = [results.marked[number - 1] for number in numbers if 1 <= number <= len(results.marked)]
            write("\n\n".join(map(marked_text, shown)) or EXPLAIN)
    except (EOFError, KeyboardInterrupt):
        write("")


class Room:
    """One learner at one sitting. `at` is the question shown."""

    def __init__(self, sitting: Sitting, read: Callable[[str], str], write: Callable[[str], None]):
        self.sitting, self.read, self.write = sitting, read, write
        self.at = sitting.current
        self.asked_to_finish = False

    def sit(self) -> Results:
        self.write(f"{opening_text(self.sitting)}\n{HELP}")
        self.go(self.at)
        while not self.sitting.finished:
            typed = self.read("> ").strip()
            try:
                self.obey(typed)
            except TimeUp as error:
                self.write(str(error))
                break
            except Finished:
                break
            except Mistake as error:
                self.write(str(error))
        return self.sitting.finish()

    def obey(self, typed: str) -> None:
        name, _, rest = typed.partition(" ")
        command = COMMANDS.get(name.lower())
        if command is not finish:
            self.asked_to_finish = False
        if command:
            command(self, rest.strip())
        else:
            self.answer(typed)

    def answer(self, typed: str) -> None:
        confidence = CONFIDENCE.get(typed[-1])
        typed = typed[:-1].strip() if confidence else typed
        shown = self.sitting.steps[self.at].shown
        if not typed:
            self.sitting.confidence(self.at, confidence)
            return
        if shown.body.type == "fix-json":
            typed = document(typed, self.read)
        result = self.sitting.answer(self.at, shown.from_text(typed), confidence)
        if result:
            self.write(result_text(result))
        elif self.sitting.status(self.at) != ANSWERED:
            self.write(f"Kept, but not complete. {self.sitting.missing(self.at)}")
            return
        self.go(self.at + 1)

    def go(self, i: int) -> None:
        if i >= len(self.sitting):
            self.write("That was the last question. l lists all, finish ends the exam.")
            return
        self.sitting.question(i)
        self.at = i
        self.write("\n" + question_text(self.sitting, i))


def next_(room: Room, _: str) -> None:
    room.go(room.at + 1)


def previous(room: Room, _: str) -> None:
    room.go(max(0, room.at - 1))


def go(room: Room, number: str) -> None:
    if not number.isdecimal() or not 1 <= int(number) <= len(room.sitting):
        raise Mistake(f"Questions go from 1 to {len(room.sitting)}: g 12")
    room.go(int(number) - 1)


def list_(room: Room, _: str) -> None:
    room.write(review_text(room.sitting))


def mark(room: Room, _: str) -> None:
    room.sitting.flag(room.at, not room.sitting.places[room.at].flagged)
    room.write("Flagged." if room.sitting.places[room.at].flagged else "No longer flagged.")


def strike(room: Room, letters: str) -> None:
    step = room.sitting.steps[room.at]
    names = [option.id for option in step.body.options] or list(range(len(step.shown.order)))
    allowed = LETTERS[: len(step.shown.order)]
    wanted = [letter for letter in letters.upper() if letter.isalnum()]
    if not wanted or any(letter not in allowed for letter in wanted):
        raise Mistake(f"Strike out letters from A to {allowed[-1]}: x B" if allowed else "There is nothing to strike out here.")
    for letter in wanted:
        option = names[step.shown.order[allowed.index(letter)]]
        room.sitting.strike(room.at, option, option not in room.sitting.places[room.at].struck)
    room.write(question_text(room.sitting, room.at))


def note(room: Room, text: str) -> None:
    room.sitting.note(room.at, text)
    room.write("Noted." if text else "No note.")


def undo(room: Room, _: str) -> None:
    room.sitting.answer(room.at, None)
    room.write(question_text(room.sitting, room.at))


def time(room: Room, _: str) -> None:
    left = room.sitting.remaining()
    room.write("No time limit." if left is None else f"{clock_text(left)} left.")


def hide(room: Room, _: str) -> None:
    room.sitting.hide_timer(not room.sitting.timer_hidden)
    room.write("Timer hidden; t tells the time." if room.sitting.timer_hidden else "Timer shown.")


def pause(room: Room, _: str) -> None:
    room.sitting.pause()
    room.read("Paused. Enter goes on. ")
    room.sitting.go_on()


def finish(room: Room, _: str) -> None:
    """Asks once more while something is unanswered."""
    missing = sum(room.sitting.status(i) != ANSWERED for i in range(len(room.sitting)))
    if missing and not room.asked_to_finish:
        room.asked_to_finish = True
        room.write(f"{missing} of {len(room.sitting)} are not answered. Type finish again to end the exam.")
        return
    room.sitting.finish()


def help_(room: Room, _: str) -> None:
    room.write(HELP)


def leave(room: Room, _: str) -> None:
    raise Leave


COMMANDS: dict[str, Callable[[Room, str], None]] = {
    "": next_, "n": next_, "next": next_, "p": previous, "previous": previous, "g": go, "go": go, "l": list_, "list": list_,
    "m": mark, "mark": mark, "flag": mark, "x": strike, "strike": strike, "note": note, "undo": undo, "t": time, "time": time,
    "hide": hide, "pause": pause, "finish": finish, "h": help_, "help": help_, "q": leave, "quit": leave,
}  # fmt: skip
