"""The quiz widget: one sitting of a `Quiz`, complete by keyboard.

Before a step is answered, the front end is told its text and shuffled choices
and nothing about which of them is right.
"""
from __future__ import annotations

from ecslab.teach.progress import CONFIDENCES
from ecslab.teach.quiz import Quiz
from ecslab.teach.scoring import AnswerError, Result

from ._kit import source
from ._question import QuestionPanel, answer_of, step_view


class QuizWidget(QuestionPanel):
    _esm = source("dom.js", "question.js", "quiz.js")
    _css = source("panel.css", "question.css", "quiz.css")

    def __init__(self, quiz: Quiz, text: str):
        super().__init__(text)
        self.quiz = quiz
        self._go(0)

    def act(self, message: dict) -> None:
        do, place = message.get("do"), message.get("place")
        if do == "again" and self.quiz.missed():
            self.quiz = self.quiz.again()
            self._go(0)
        elif type(place) is int and 0 <= place <= len(self.quiz.steps):
            if do == "go":
                self._go(place)
            elif do == "answer" and place < len(self.quiz.steps):
                self._answer(place, message)
            elif do == "show" and place in self.quiz.results:
                self.play(self.quiz.steps[place].body.id)

    def _answer(self, place: int, message: dict) -> None:
        picked, seconds, confidence = (message.get(name) for name in ("picked", "seconds", "confidence"))
        try:
            answer = answer_of(self.quiz.steps[place], picked)
            self.quiz.answer(
                place,
                answer,
                round(float(seconds), 3) if isinstance(seconds, (int, float)) else None,
                confidence if confidence in CONFIDENCES else None,
            )
        except AnswerError as error:
            return self._go(place, str(error))
        self._go(place, focus="next")

    def _go(self, place: int, message: str = "", focus: str = "heading") -> None:
        quiz = self.quiz
        self.view = {
            "title": quiz.title,
            "place": place,
            "count": len(quiz.steps),
            "marks": [_mark(quiz.results.get(each)) for each in range(len(quiz.steps))],
            "score": quiz.score_line(),
            "missed": len(quiz.missed()),
            "step": step_view(quiz.steps[place], quiz.results.get(place), self.played) if place < len(quiz.steps) else None,
            "message": message,
            "focus": "message" if message else focus,
            "turn": self.view.get("turn", 0) + 1,  # the same message twice is still news
        }


def _mark(result: Result | None) -> str:
    return "open" if result is None else "right" if result.correct else "wrong"
