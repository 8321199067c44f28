"""The JSON of the jupyterquiz package: `display_quiz("file.json")`. Facts: jupyterquiz's README.

It knows multiple_choice, many_choice and numeric (and string, which we have
no question for). Its texts are HTML in which `$` begins a formula.
"""
from __future__ import annotations

import json
from math import inf, nextafter
from typing import Any, Iterator, Sequence

from . import markup
from .asked import Asked
from .reading import Entry, FormatError, number, place, text

KINDS = {"single": "multiple_choice", "read-events": "multiple_choice", "multiple": "many_choice", "numeric": "numeric"}
OURS = {"multiple_choice": "single", "many_choice": "multiple", "numeric": "numeric"}


def write(questions: Sequence[Asked], title: str) -> bytes:
    return (json.dumps([_question(one) for one in questions], indent=1, ensure_ascii=False) + "\n").encode()


def _question(one: Asked) -> dict:
    answers = _numbers(one) if one.body.type == "numeric" else _options(one)
    code = {"code": markup.legible(one.code)} if one.code else {}
    return {"id": one.id, "question": _html(one.text), "type": KINDS[one.body.type], **code, "answers": answers}


def _options(one: Asked) -> list[dict]:
    return [
        {"answer": _inline(option.text), "correct": option.correct, "feedback": _inline(option.why)}
        for option in one.body.options
    ]


def _numbers(one: Asked) -> list[dict]:
    """Of a range jupyterquiz leaves out the upper end, so it is put just above ours."""
    body = one.body
    rows = [(body.answer, True, body.explanation), *((wrong.value, False, wrong.why) for wrong in body.wrong)]
    answers = []
    for value, correct, why in rows:
        low, high = value - body.tolerance, nextafter(value + body.tolerance, inf)
        form = {"type": "range", "range": [low, high]} if body.tolerance else {"type": "value", "value": value}
        answers.append({**form, "correct": correct, "feedback": _inline(why)})
    return answers


def _html(text: str) -> str:
    return markup.html(text).replace("$", "&#36;")


def _inline(text: str) -> str:
    return markup.inline(text).replace("$", "&#36;")


def read(content: str) -> Iterator[Entry]:
    """One entry for each question, in our fields. Raises `FormatError` where the whole file is something else."""
    try:
        questions = json.loads(content)
    except json.JSONDecodeError as error:
        raise FormatError(f"line {error.lineno}: not JSON: {error.msg}") from None
    except (RecursionError, ValueError):
        raise FormatError("line 1: not a JSON file that can be read: too deep, or a number too long") from None
    if not isinstance(questions, list):
        raise FormatError(f"line 1: wanted a list of questions, found {type(questions).__name__}")
    for index, raw in enumerate(questions, 1):
        where = f"question {index}"
        try:
            yield Entry(where, _fields(raw))
        except FormatError as error:
            yield Entry(where, fault=str(error))


def _fields(raw: Any) -> dict[str, Any]:
    kind = text(raw, "type")
    if kind not in OURS:
        raise FormatError(f"type is {kind!r}, wanted one of {', '.join(OURS)}")
    answers = place(raw, "answers")
    if not isinstance(answers, list):
        raise FormatError("answers is not a list")
    fields = {"id": raw.get("id"), "type": OURS[kind], "stem": markup.markdown(text(raw, "question"))}
    if code := raw.get("code"):
        fields["trace"] = markup.legible(str(code))
        fields["type"] = "read-events" if kind == "multiple_choice" else OURS[kind]
    fields |= _read_numbers(answers) if kind == "numeric" else _read_options(answers)
    if kind == "many_choice":
        fields["choose"] = sum("correct" in option for option in fields["options"])
    return fields


def _read_options(answers: list) -> dict[str, Any]:
    options = []
    for index, raw in enumerate(answers):
        words = markup.markdown(text(raw, "answer", f"answer {index + 1}"))
        option = {"id": "abcdefghijklmnopqrstuvwxyz"[index % 26], "text": words, "why": markup.markdown(str(raw.get("feedback") or ""))}
        options.append(option | ({"correct": True} if raw.get("correct") is True else {}))
    right = [option for option in options if "correct" in option]
    explanation = " ".join(option["why"] for option in right)
    return {"options": options, "explanation": explanation}


def _read_numbers(answers: list) -> dict[str, Any]:
    fields: dict[str, Any] = {"wrong": []}
    for index, raw in enumerate(answers, 1):
        where = f"answer {index}"
        if place(raw, "type", where) == "default":
            continue
        value, tolerance = _value(raw, where)
        why = markup.markdown(str(raw.get("feedback") or ""))
        if raw.get("correct") is not True:
            fields["wrong"].append({"value": value, "why": why})
        elif "answer" in fields:
            raise FormatError(f"{where}: a second right number; ours have one, with a tolerance")
        else:
            fields |= {"answer": value, "tolerance": tolerance, "explanation": why}
    if "answer" not in fields:
        raise FormatError("no answer is marked correct")
    return fields


def _value(raw: dict, where: str) -> tuple[float, float]:
    if "range" not in raw:
        return number(place(raw, "value", where), where), 0.0
    ends = raw["range"]
    if not isinstance(ends, list) or len(ends) != 2:
        raise FormatError(f"{where}: range is not two numbers")
    low, high = (number(end, where) for end in ends)
    return float(f"{(low + high) / 2:.12g}"), float(f"{(high - low) / 2:.12g}")
