"""One question in a widget: its text, its options as shuffled, then every option with its reason, and its proof."""
from __future__ import annotations

import threading
from typing import Any

from ecslab.teach.proving import has_proof, replay
from ecslab.teach.quiz import Step
from ecslab.teach.scoring import LEFT, AnswerError, Result
from ecslab.teach.shown import instruction

from ._kit import Panel, inline, markdown

LONGEST_ANSWER = 100_000  # characters of a repaired document


class QuestionPanel(Panel):
    """A panel that plays proofs. `played` holds the lines of those shown so far, by question."""

    def __init__(self, text: str):
        super().__init__(text)
        self.played: dict[str, list[str]] = {}

    def play(self, question_id: str) -> None:
        """Play a proof beside everything else; its lines are sent as they come."""
        if has_proof(question_id) and question_id not in self.played:
            self.played[question_id] = []
            threading.Thread(target=self._play, args=(question_id,), daemon=True, name="ecslab-proof").start()

    def _play(self, question_id: str) -> None:
        for line in replay(question_id):
            with self._acting:
                self.played[question_id].append(line)
                self.send({"shown": question_id, "line": line})


def answer_of(step: Step, picked: Any) -> Any:
    """What the front end says was picked, in the terms of `scoring`. Raises `AnswerError`."""
    if isinstance(picked, str) and len(picked) > LONGEST_ANSWER:
        raise AnswerError("This is too long to be an answer.")
    return step.shown.from_places(picked)


def step_view(step: Step, result: Result | None, played: dict[str, list[str]], answered: bool = True) -> dict:
    """What the front end is told of a step: of its key nothing, unless there is a result."""
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
        "result": _result(step, result, answered) if result else None,
        "proof": {"lines": list(played.get(body.id, ())), "begun": body.id in played} if result and has_proof(body.id) else None,
    }


def _result(step: Step, result: Result, answered: bool) -> dict:
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
        "answer": _given(step, result.answer) if answered else "",
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
