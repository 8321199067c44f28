"""The quiz widget: one sitting of a `Quiz`, complete by keyboard.

Before a step is answered, the front end is told its text and shuffled choices
and nothing about which of them is right.
"""
from __future__ import annotations

import threading
from typing import Any

from ecslab.teach.progress import CONFIDENCES
from ecslab.teach.proving import has_proof, replay
from ecslab.teach.quiz import Quiz, Step
from ecslab.teach.scoring import LEFT, AnswerError, Result
from ecslab.teach.shown import instruction

from ._kit import Panel, inline, markdown, source

LONGEST_ANSWER = 100_000  # characters of a repaired document


class QuizWidget(Panel):
    _esm = source("dom.js", "quiz.js")
    _css = source("panel.css", "quiz.css")

    def __init__(self, quiz: Quiz, text: str):
        super().__init__(text)
        self.quiz = quiz
        self._played: dict[str, list[str]] = {}  # the lines of proofs shown so far, by question
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
                self._show(self.quiz.steps[place].body.id)

    def _answer(self, place: int, message: dict) -> None:
        picked, seconds, confidence = (message.get(name) for name in ("picked", "seconds", "confidence"))
        if isinstance(picked, str) and len(picked) > LONGEST_ANSWER:
            return self._go(place, "This is too long to be an answer.")
        try:
            answer = self.quiz.steps[place].shown.from_places(picked)
            self.quiz.answer(
                place,
                answer,
                round(float(seconds), 3) if isinstance(seconds, (int, float)) else None,
                confidence if confidence in CONFIDENCES else None,
            )
        except AnswerError as error:
            return self._go(place, str(error))
        self._go(place, focus="next")

    def _show(self, question_id: str) -> None:
        """Play a proof beside everything else; its lines are sent as they come."""
        if has_proof(question_id) and question_id not in self._played:
            self._played[question_id] = []
            threading.Thread(target=self._play, args=(question_id,), daemon=True, name="ecslab-proof").start()

    def _play(self, question_id: str) -> None:
        for line in replay(question_id):
            with self._acting:
                self._played[question_id].append(line)
                self.send({"shown": question_id, "line": line})

    def _go(self, place: int, message: str = "", focus: str = "heading") -> None:
        quiz = self.quiz
        self.view = {
            "title": quiz.title,
            "place": place,
            "count": len(quiz.steps),
            "marks": [_mark(quiz.results.get(each)) for each in range(len(quiz.steps))],
            "score": quiz.score_line(),
            "missed": len(quiz.missed()),
            "step": _step(quiz.steps[place], quiz.results.get(place), self._played) if place < len(quiz.steps) else None,
            "message": message,
            "focus": "message" if message else focus,
            "turn": self.view.get("turn", 0) + 1,  # the same message twice is still news
        }


def _mark(result: Result | None) -> str:
    return "open" if result is None else "right" if result.correct else "wrong"


def _step(step: Step, result: Result | None, played: dict[str, list[str]]) -> dict:
    body = step.body
    return {
        "id": body.id,
        "type": body.type,
        "background": markdown(step.background),
        "stem": markdown(body.stem),
        "trace": body.trace or "",
        "instruction": instruction(body),
        "choices": [inline(choice) for choice in step.shown.choices],
        "lefts": [inline(pair.left) for pair in body.pairs],
        "document": body.document or "",
        "unit": body.unit,
        "choose": body.choose or 1,
        "result": _result(step, result) if result else None,
        "proof": {"lines": list(played.get(body.id, ())), "begun": body.id in played} if result and has_proof(body.id) else None,
    }


def _result(step: Step, result: Result) -> dict:
    """Feedback in the order the choices were shown; right orders and matches in their own."""
    lines = result.feedback
    if step.body.options:
        lines = [lines[index] for index in step.shown.order]
    reference = step.question.reference
    return {
        "correct": result.correct,
        "lines": [
            {"mark": line.mark, "text": inline(line.text), "why": _why(step, line)} for line in lines
        ],
        "answer": _given(step, result.answer),
        "explanation": markdown(result.explanation),
        "reference": {"title": reference.title, "url": reference.url, "checked": reference.checked.isoformat()},
    }


def _why(step: Step, line: Any) -> str:
    """The reason as HTML; a repaired document stays as it is written."""
    if step.body.type == "fix-json" and line.mark == LEFT:
        return markdown(f"```json\n{line.why}\n```")
    return inline(line.why)


def _given(step: Step, answer: Any) -> str:
    """What was answered, where the feedback's lines do not show it."""
    body = step.body
    if body.type == "numeric":
        return f"{answer:.10g} {body.unit}".strip()
    if body.type == "order":
        return " → ".join(inline(body.items[index].text) for index in answer)
    if body.type == "match":
        pairs = zip(body.pairs, answer)
        return "; ".join(inline(f"{pair.left.strip()} → {body.pairs[index].right.strip()}") for pair, index in pairs)
    return ""
