"""The exam room in a notebook: a door, one question at a time, a review list, the results.

Whatever the learner does is kept by the `Sitting` before the picture changes, so
that a new widget goes on where the last one ended. Of a question's key nothing
leaves Python before there is a result. `_exam_pages` says what is on each page.
"""
from __future__ import annotations

from typing import Any, Callable

from ecslab.teach.exam import Door
from ecslab.teach.mistakes import Mistake
from ecslab.teach.progress import CONFIDENCES
from ecslab.teach.results import Results
from ecslab.teach.sitting import Sitting, TimeUp

from ._exam_pages import PAGES
from ._kit import source
from ._question import QuestionPanel, answer_of


class ExamWidget(QuestionPanel):
    """`page` is what is shown; `place` is the question whose explanation is shown after the end."""

    _esm = source("dom.js", "question.js", "exam.js")
    _css = source("panel.css", "question.css", "exam.css")

    def __init__(self, door: Door, text: str):
        super().__init__(text)
        self.door = door
        self.sitting: Sitting | None = door.under_way()
        self.results: Results | None = None
        self.page, self.place = "door", 0
        if self.sitting:
            self._enter()
        self.draw()

    def act(self, message: dict) -> None:
        do = message.get("do")
        if not isinstance(do, str) or not self._can(do, message.get("place")):
            return
        try:
            self.draw(ACTS[do](self, message) or "")
        except TimeUp:
            self.draw()
        except Mistake as error:
            self.draw(str(error))

    def draw(self, message: str = "") -> None:
        """Show the page; the front end draws it anew where the key changes, else it mends what is there."""
        self.page = self._page_now()
        page = PAGES[self.page](self)
        self.view = {
            "page": self.page,
            "key": f"{self.page}/{page.get('place', '')}/{bool(page.get('step', {}).get('result'))}",
            "message": message,
            "turn": self.view.get("turn", 0) + 1,  # the same message twice is still news
            **page,
        }

    def _page_now(self) -> str:
        """Being paused, out of time or finished is the sitting's to say, not the learner's last press."""
        sitting = self.sitting
        if sitting is None:
            return "door"
        if sitting.finished:
            self.results = self.results or sitting.finish()
            return self.page if self.page in ("results", "explained") else "results"
        if sitting.paused:
            return "paused"
        if sitting.remaining() == 0:
            return "over"
        return self.page if self.page == "review" or not len(sitting) else "question"

    def _enter(self) -> None:
        self.page, self.results = "question", None

    def _can(self, do: str, place: Any) -> bool:
        if do in AT_THE_DOOR:
            return True
        if self.sitting is None or do not in ACTS:
            return False
        return do in OF_THE_SITTING or (type(place) is int and 0 <= place < len(self.sitting))

    # -- what a press does: each may return a sentence to tell ----------------

    def _begin(self, _: dict) -> str:
        self.sitting = self.door.under_way() or self.door.begin()
        self._enter()
        return " ".join(self.sitting.notices)

    def _look_back(self, _: dict) -> None:
        self.sitting = self.door.last()
        self.results, self.page = self.sitting and self.sitting.finish(), "results"

    def _go(self, message: dict) -> None:
        """To a question; once finished, to its explanation."""
        if self.results:
            self.page, self.place = "explained", message["place"]
        else:
            self.sitting.question(message["place"])
            self.page = "question"

    def _answer(self, message: dict) -> str:
        place, picked = message["place"], message.get("picked")
        answer = None if picked is None else answer_of(self.sitting.steps[place], picked)
        self.sitting.answer(place, answer)
        return self.sitting.missing(place)

    def _confidence(self, message: dict) -> None:
        how = message.get("how")
        self.sitting.confidence(message["place"], how if how in CONFIDENCES else None)

    def _flag(self, message: dict) -> None:
        self.sitting.flag(message["place"], bool(message.get("on")))

    def _strike(self, message: dict) -> None:
        step = self.sitting.steps[message["place"]]
        option = step.shown.from_places([message.get("option")] if step.body.type == "multiple" else message.get("option"))
        self.sitting.strike(message["place"], option[0] if isinstance(option, list) else option, bool(message.get("on")))

    def _note(self, message: dict) -> None:
        self.sitting.note(message["place"], str(message.get("text", "")))

    def _review(self, _: dict) -> None:
        self.page = "results" if self.results else "review"

    def _extend(self, message: dict) -> str:
        minutes = message.get("minutes")
        if not isinstance(minutes, (int, float)):
            raise Mistake("Say how many minutes.")
        self.sitting.extend(minutes)
        return f"{minutes:g} more minutes."

    def _hide(self, message: dict) -> None:
        self.sitting.hide_timer(bool(message.get("on")))

    def _pause(self, _: dict) -> None:
        self.sitting.pause()

    def _go_on(self, _: dict) -> None:
        self.sitting.go_on()

    def _finish(self, _: dict) -> None:
        self.results, self.page = self.sitting.finish(), "results"

    def _leave(self, _: dict) -> None:
        """Back to the door, from the results."""
        if self.results:
            self.sitting = self.results = None

    def _show(self, message: dict) -> None:
        if self.sitting.result(message["place"]) or self.results:
            self.play(self.sitting.steps[message["place"]].body.id)

    def _look(self, _: dict) -> None:
        """Only the time is looked up."""


AT_THE_DOOR: dict[str, Callable] = {"begin": ExamWidget._begin, "look-back": ExamWidget._look_back, "look": ExamWidget._look}
OF_THE_SITTING: dict[str, Callable] = {
    "review": ExamWidget._review, "extend": ExamWidget._extend, "hide": ExamWidget._hide, "pause": ExamWidget._pause,
    "go-on": ExamWidget._go_on, "finish": ExamWidget._finish, "leave": ExamWidget._leave,
}  # fmt: skip
OF_A_QUESTION: dict[str, Callable] = {
    "go": ExamWidget._go, "answer": ExamWidget._answer, "confidence": ExamWidget._confidence, "flag": ExamWidget._flag,
    "strike": ExamWidget._strike, "note": ExamWidget._note, "show": ExamWidget._show,
}  # fmt: skip
ACTS: dict[str, Callable[[ExamWidget, dict], str | None]] = {**AT_THE_DOOR, **OF_THE_SITTING, **OF_A_QUESTION}
