"""Is an answer right, and what is there to learn from it? Pure: a body and an answer in, a `Result` out.

Answers are in the terms of the question file, and can be kept as JSON:

| type                 | answer                                                      |
|----------------------|-------------------------------------------------------------|
| single, read-events  | an option's id                                              |
| multiple             | a list of option ids                                        |
| numeric              | a number                                                    |
| order                | indices of `items` as placed; right is [0, 1, 2, ...]       |
| match                | for each pair the index of the right side picked; right is [0, 1, 2, ...] |
| fix-json             | the JSON text                                               |
| scenario             | a mapping of part id to the part's answer                   |

Scoring is all or nothing, as in the AWS exams ("multiple response": no partial
credit). fix-json is judged by the same rules that judge RegisterTaskDefinition.
"""
from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, Callable, Mapping, Sequence

from .mistakes import Mistake
from .question import Body

# How one line of the feedback stands to the answer.
RIGHT = "right"  # chosen, and in the key
MISSED = "missed"  # in the key, not chosen
WRONG = "wrong"  # chosen, not in the key
LEFT = "left"  # rightly left alone


class AnswerError(Mistake):
    """The answer can not be read at all; the message says what is wanted. Nothing is scored."""


@dataclass(frozen=True)
class Feedback:
    mark: str
    text: str
    why: str


@dataclass(frozen=True)
class Result:
    """`feedback` is in the question file's order; `parts` holds a scenario's results."""

    question_id: str
    answer: Any
    correct: bool
    feedback: tuple[Feedback, ...]
    explanation: str
    parts: tuple["Result", ...] = ()


def score(body: Body, answer: Any) -> Result:
    """Score one answer. Raises `AnswerError` where it is not an answer at all."""
    answer, correct, feedback, *parts = SCORERS[body.type](body, answer)
    return Result(body.id, answer, correct, tuple(feedback), body.explanation.strip(), *parts)


def _options(body: Body, chosen: Sequence[str]):
    known = [option.id for option in body.options]
    if not all(choice in known for choice in chosen):
        raise AnswerError(f"Choose among {', '.join(known)}.")
    key = set(body.key)
    marks = {(True, True): RIGHT, (True, False): MISSED, (False, True): WRONG, (False, False): LEFT}
    feedback = [
        Feedback(marks[option.correct, option.id in chosen], option.text.strip(), option.why.strip())
        for option in body.options
    ]
    return set(chosen) == key, feedback


def _single(body: Body, answer: Any):
    if not isinstance(answer, str):
        raise AnswerError("Choose one option.")
    return answer, *_options(body, [answer])


def _multiple(body: Body, answer: Any):
    if isinstance(answer, str) or not isinstance(answer, (list, tuple, set, frozenset)):
        raise AnswerError(f"Choose {body.choose} options.")
    chosen = sorted(set(answer))
    if len(chosen) != body.choose:
        raise AnswerError(f"Choose exactly {body.choose} options; {len(chosen)} chosen.")
    return chosen, *_options(body, chosen)


def _numeric(body: Body, answer: Any):
    try:
        number = float(answer)
    except (TypeError, ValueError):
        raise AnswerError("Write a plain number, such as 1000 or 0.25.") from None
    if not math.isfinite(number):
        raise AnswerError("Write a plain number, such as 1000 or 0.25.")
    correct = _near(number, body.answer, body.tolerance)
    feedback = [Feedback(RIGHT if correct else MISSED, _with_unit(body, body.answer), "")]
    for wrong in body.wrong:
        hit = not correct and _near(number, wrong.value, body.tolerance)
        feedback.append(Feedback(WRONG if hit else LEFT, _with_unit(body, wrong.value), wrong.why.strip()))
    return number, correct, feedback


def _near(number: float, wanted: float, tolerance: float) -> bool:
    return abs(number - wanted) <= tolerance + 1e-9 * max(1.0, abs(wanted))


def _with_unit(body: Body, value: float) -> str:
    return f"{value:.10g} {body.unit}".strip()


def _placed(body: Body, answer: Any, count: int, wanted: str) -> list[int]:
    """`count` distinct indices, or an AnswerError with the sentence `wanted`."""
    try:
        placed = [int(index) for index in answer]
    except (TypeError, ValueError):
        raise AnswerError(wanted) from None
    if sorted(placed) != list(range(count)):
        raise AnswerError(wanted)
    return placed


def _order(body: Body, answer: Any):
    placed = _placed(body, answer, len(body.items), f"Put all {len(body.items)} steps in order, each once.")
    feedback = [
        Feedback(RIGHT if placed[place] == place else WRONG, f"{place + 1}. {item.text.strip()}", item.why.strip())
        for place, item in enumerate(body.items)
    ]
    return placed, placed == sorted(placed), feedback


def _match(body: Body, answer: Any):
    sides = [pair.right for pair in body.pairs]
    try:
        picked = [int(index) for index in answer]
        texts = [sides[index] for index in picked if index >= 0]
    except (TypeError, ValueError, IndexError):
        texts = picked = []
    if len(texts) != len(sides):
        raise AnswerError(f"Pick a match for each of the {len(sides)} entries.")
    right = [text == pair.right for text, pair in zip(texts, body.pairs)]
    feedback = [
        Feedback(RIGHT if ok else WRONG, f"{pair.left.strip()} → {pair.right.strip()}", pair.why.strip())
        for ok, pair in zip(right, body.pairs)
    ]
    return picked, all(right), feedback


def _fix_json(body: Body, answer: Any):
    try:
        document = json.loads(answer)
    except json.JSONDecodeError as error:
        raise AnswerError(f"This is not JSON yet: {error.msg}, line {error.lineno}.") from None
    except TypeError:
        raise AnswerError("Write one JSON document.") from None
    refusal = refused(document)
    feedback = [
        Feedback(WRONG, f"RegisterTaskDefinition: {refusal}", "This document is still refused.")
        if refusal
        else Feedback(RIGHT, "RegisterTaskDefinition accepts it.", "")
    ]
    kept = _changed(document, json.loads(body.document), body.must_keep)
    feedback += [Feedback(WRONG, f"{pointer} must keep its value.", "The repair has to leave it alone.") for pointer in kept]
    feedback.append(Feedback(LEFT, "One repair", body.solution.strip()))
    return answer, not refusal and not kept, feedback


def refused(document: Any) -> str | None:
    """What RegisterTaskDefinition says against this document, None when it accepts it."""
    from ecslab.rules.errors import EcsError
    from ecslab.rules.task_definition import register

    if not isinstance(document, dict):
        return "wanted a JSON object"
    try:
        register(document)
    except EcsError as error:
        return f"{error.code}: {error.message}"
    except (TypeError, AttributeError, KeyError, ValueError):
        return "a value has the wrong JSON type (text, number, list or object)"
    return None


ABSENT = object()


def at_pointer(document: Any, pointer: str) -> Any:
    """The value at a JSON pointer (RFC 6901), `ABSENT` where there is none."""
    for step in pointer.split("/")[1:]:
        step = step.replace("~1", "/").replace("~0", "~")
        if isinstance(document, dict):
            document = document.get(step, ABSENT)
        elif isinstance(document, list) and step.isdigit() and int(step) < len(document):
            document = document[int(step)]
        else:
            return ABSENT
    return document


def _changed(document: Any, original: Any, must_keep: Sequence[str]) -> list[str]:
    return [pointer for pointer in must_keep if at_pointer(document, pointer) != at_pointer(original, pointer)]


def _scenario(body: Body, answer: Any):
    if not isinstance(answer, Mapping) or set(answer) != {part.id for part in body.parts}:
        raise AnswerError("Answer every part.")
    results = tuple(score(part, answer[part.id]) for part in body.parts)
    answers = {result.question_id: result.answer for result in results}
    feedback = [Feedback(RIGHT if result.correct else WRONG, result.question_id, "") for result in results]
    return answers, all(result.correct for result in results), feedback, results


SCORERS: dict[str, Callable[[Body, Any], tuple]] = {
    "single": _single,
    "read-events": _single,
    "multiple": _multiple,
    "numeric": _numeric,
    "order": _order,
    "match": _match,
    "fix-json": _fix_json,
    "scenario": _scenario,
}
