"""The exercise widget: the task, with Check, Hint and Reset. What it shows and records is the `Lab`'s."""
from __future__ import annotations

from ecslab.teach.exercise import HINT_KINDS, Exercise, Verdict
from ecslab.teach.lab import Lab
from ecslab.teach.text import exercise_text

from ._kit import Panel, inline, markdown, source


class ExerciseWidget(Panel):
    _esm = source("dom.js", "exercise.js")
    _css = source("panel.css", "exercise.css")

    def __init__(self, lab: Lab, exercise: Exercise):
        super().__init__(exercise_text(exercise))
        self._lab, self._exercise = lab, exercise
        self._verdict: Verdict | None = None
        self._draw()

    def act(self, message: dict) -> None:
        name = self._exercise.id
        match message.get("do"):
            case "check":
                self._verdict = self._lab.attempt(name)
                self._draw(focus="verdict")
            case "hint":
                self._lab.take_hint(name)
                self._draw(focus="hint")
            case "reset":
                self._verdict = None
                self._draw(self._lab.start_over(name), focus="message")

    def _draw(self, message: str = "", focus: str = "") -> None:
        one = self._exercise
        taken = self._lab.hints_taken(one.id)
        passed = bool(self._verdict)
        self.view = {
            "id": one.id,
            "title": inline(one.title),
            "task": markdown(one.task),
            "hints": [{"kind": kind, "text": markdown(hint)} for kind, hint in zip(HINT_KINDS[:taken], one.hints)],
            "hintCount": len(one.hints),
            "verdict": _verdict(self._verdict) if self._verdict is not None else None,
            "explanation": markdown(one.explanation) if passed else "",
            "done": passed or one.id in self._lab.store.passed(),
            "message": message,
            "focus": focus,
            "turn": self.view.get("turn", 0) + 1,
        }


def _verdict(verdict: Verdict) -> dict:
    return {
        "passed": verdict.passed,
        "saw": [{"ok": saw.ok, "saw": saw.saw, "wanted": saw.wanted, "where": saw.where} for saw in verdict.saw],
    }
