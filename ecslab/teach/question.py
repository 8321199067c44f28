"""What a question is: the shape of one entry in `quizzes/<topic>.yaml`.

`Body` is what a learner answers; `Question` adds what an author records about
it. A scenario has no answer of its own: its `parts` are bodies that share its
stem. `faults()` says everything that is wrong beyond the shape.
"""
from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from typing import Iterator, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

Text = Field(min_length=1, pattern=r"\S")


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Option(Frozen):
    id: str = Text
    text: str = Text
    why: str = Text
    correct: bool = False
    misconception: str | None = None


class Wrong(Frozen):
    """A wrong number people give, and why they give it."""

    value: float
    why: str = Text
    misconception: str | None = None


class Item(Frozen):
    text: str = Text
    why: str = Text


class Pair(Frozen):
    left: str = Text
    right: str = Text
    why: str = Text


class Reference(Frozen):
    title: str = Text
    url: str = Field(pattern=r"^https://")
    section: str = Text
    checked: date


class Body(Frozen):
    """What a learner sees and answers. Which fields a type has is in `FIELDS`."""

    id: str = Field(default="", pattern=r"^[a-z0-9-]*(\.[a-z0-9-]+)*$")
    type: Literal["single", "multiple", "numeric", "order", "match", "fix-json", "read-events", "scenario"]
    stem: str = Text
    explanation: str = Text

    options: tuple[Option, ...] = Field((), strict=False)
    choose: int | None = None
    answer: float | None = None
    tolerance: float = 0
    unit: str = ""
    wrong: tuple[Wrong, ...] = Field((), strict=False)
    items: tuple[Item, ...] = Field((), strict=False)
    pairs: tuple[Pair, ...] = Field((), strict=False)
    document: str | None = None
    error: str | None = None
    solution: str | None = None
    must_keep: tuple[str, ...] = Field((), strict=False)
    trace: str | None = None

    @property
    def key(self) -> tuple[str, ...]:
        """The ids of the right options."""
        return tuple(option.id for option in self.options if option.correct)


class Question(Body):
    """One entry of a question file."""

    id: str = Field(pattern=r"^[a-z0-9-]+\.[a-z0-9-]+$")
    explanation: str = ""
    parts: tuple[Body, ...] = Field((), strict=False)
    reference: Reference
    difficulty: Literal["easy", "medium", "hard"]
    bloom: Literal["remember", "understand", "apply", "analyze", "evaluate", "create"]
    card: str = Text
    objectives: tuple[str, ...] = Field(min_length=1, strict=False)
    lab: str = Text
    exercise: str | None = None
    author_note: str = Text
    status: Literal["active", "draft", "deprecated"]

    @property
    def topic(self) -> str:
        return self.id.split(".")[0]

    def steps(self) -> tuple[Body, ...]:
        """What is answered one after the other: a scenario's parts, else the question itself."""
        return self.parts if self.type == "scenario" else (self,)


class Needs(NamedTuple):
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()


FIELDS = {
    "single": Needs(("options",), ("trace",)),
    "multiple": Needs(("options", "choose"), ("trace",)),
    "numeric": Needs(("answer",), ("tolerance", "unit", "wrong", "trace")),
    "order": Needs(("items",), ("trace",)),
    "match": Needs(("pairs",), ("trace",)),
    "fix-json": Needs(("document", "error", "solution"), ("must_keep",)),
    "read-events": Needs(("trace", "options")),
    "scenario": Needs(("parts",)),
}
ANSWER_FIELDS = sorted({name for needs in FIELDS.values() for group in needs for name in group})
SIZES = {
    "single": ("options", 4, 4),
    "read-events": ("options", 4, 4),
    "multiple": ("options", 5, 6),
    "order": ("items", 4, 6),
    "match": ("pairs", 4, 6),
    "scenario": ("parts", 2, 10),
}


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a question; `path` leads from the question to the place."""

    path: tuple
    sentence: str


def faults(body: Body) -> Iterator[Fault]:
    """Everything wrong with a well-shaped question, in no particular order."""
    yield from _field_faults(body)
    yield from _size_faults(body)
    if body.options:
        yield from _option_faults(body)
    if body.type == "numeric":
        yield from _numeric_faults(body)
    for name in ("document", "solution"):
        yield from _json_faults(body, name)
    if isinstance(body, Question):
        if body.type != "scenario" and not body.explanation.strip():
            yield Fault(("explanation",), "explanation is missing")
        for index, part in enumerate(body.parts):
            yield from _part_faults(body, index, part)


def _field_faults(body: Body) -> Iterator[Fault]:
    needs = FIELDS[body.type]
    given = body.model_fields_set
    for name in needs.required:
        if getattr(body, name, None) in (None, (), ""):
            yield Fault((name,), f"a question of type {body.type} needs {name}")
    for name in ANSWER_FIELDS:
        if name in given and name not in needs.required + needs.optional:
            yield Fault((name,), f"a question of type {body.type} has no {name}")


def _size_faults(body: Body) -> Iterator[Fault]:
    if body.type not in SIZES:
        return
    name, least, most = SIZES[body.type]
    count = len(getattr(body, name, ()))
    if count and not least <= count <= most:
        wanted = str(least) if least == most else f"{least} to {most}"
        yield Fault((name,), f"{count} {name}, wanted {wanted}")


def _option_faults(body: Body) -> Iterator[Fault]:
    for what in ("id", "text"):
        seen: set[str] = set()
        for index, option in enumerate(body.options):
            value = getattr(option, what).strip()
            if value in seen:
                yield Fault(("options", index, what), f"two options have the {what} {value!r}")
            seen.add(value)
    right = len(body.key)
    if body.type == "multiple":
        if body.choose is not None and right != body.choose:
            yield Fault(("choose",), f"choose says {body.choose}, but {right} options are marked correct")
        if right == len(body.options):
            yield Fault(("options",), "every option is marked correct")
    elif right != 1:
        yield Fault(("options",), f"{right} options are marked correct, wanted exactly 1")


def _numeric_faults(body: Body) -> Iterator[Fault]:
    if body.tolerance < 0:
        yield Fault(("tolerance",), "tolerance is negative")
    for index, wrong in enumerate(body.wrong):
        if body.answer is not None and abs(wrong.value - body.answer) <= body.tolerance:
            yield Fault(("wrong", index, "value"), f"{wrong.value:g} is listed as wrong but scores as right")


def _json_faults(body: Body, name: str) -> Iterator[Fault]:
    text = getattr(body, name)
    if text is None:
        return
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        yield Fault((name,), f"{name} is not JSON: {error.msg} in its line {error.lineno}")


def _part_faults(question: Question, index: int, part: Body) -> Iterator[Fault]:
    expected = f"{question.id}.{index + 1}"
    if part.id != expected:
        yield Fault(("parts", index, "id"), f"part {index + 1} has the id {part.id!r}, wanted {expected!r}")
    if part.type == "scenario":
        yield Fault(("parts", index, "type"), "a part can not be a scenario")
        return
    for fault in faults(part):
        yield Fault(("parts", index, *fault.path), fault.sentence)
