"""Reading files of unknown origin, and saving ours: what is wrong is said with its place and cause, and nothing in them is run.

A reader yields an `Entry` for each question, in our fields. What other formats
do not have (reasons, reference, objectives) is filled with `TO_DO`, and such a
question is a draft: it is not asked before an author has completed it.
"""
from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Iterable

import yaml

from ..bank import read_question
from ..mistakes import Mistake
from ..question import FIELDS

LARGEST = 16 * 1024 * 1024
MOST = 10_000  # questions
TO_DO = "To be written."
GUIDE = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/"
REST = {
    "difficulty": "medium", "bloom": "understand", "card": TO_DO, "objectives": [TO_DO], "lab": TO_DO, "author_note": TO_DO,
}  # fmt: skip


class FormatError(Mistake):
    """A file, or a part of it, is not what it should be; the message names place and cause."""


@dataclass(frozen=True)
class Entry:
    """One question as read, or what kept it from being read. `where` is its place in the file."""

    where: str
    fields: dict[str, Any] = field(default_factory=dict)
    fault: str = ""


@dataclass(frozen=True)
class Imported:
    """`questions` are entries of a question file, sound ones only; `left_out` says which were not, and why."""

    questions: list[dict]
    left_out: list[str]


def content(path: Path) -> str:
    """The text of a file. Raises `FormatError` where it is no text, or far larger than any question file."""
    try:
        if (size := path.stat().st_size) > LARGEST:
            raise FormatError(f"{path.name}: {size // 2**20} MiB; no file of questions is larger than {LARGEST // 2**20}.")
        raw = path.read_bytes()
        text_ = raw.decode("utf-8-sig")
    except OSError as error:
        raise FormatError(f"{path.name} can not be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise FormatError(f"{path.name}, line {line}: not UTF-8 text ({error.reason}); save it as UTF-8.") from None
    if "\0" in text_:
        raise FormatError(f"{path.name}, line {text_[: text_.index(chr(0))].count(chr(10)) + 1}: not text but binary data.")
    return text_


def save(path: Path | str, written: bytes) -> None:
    """The file is complete or absent. Raises `FormatError` where it can not be written."""
    path = Path(path)
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        partial.write_bytes(written)
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise FormatError(f"{path} can not be written: {error.strerror}.") from None


def complete(entries: Iterable[Entry], source: str, topic: str) -> Imported:
    """Make every entry a question of our schema under `topic`, or say why it can not be one."""
    questions, left_out, used = [], [], set()
    for number_, entry in enumerate(entries, 1):
        if number_ > MOST:
            raise FormatError(f"{source}: more than {MOST} questions; split the file.")
        if entry.fault:
            left_out.append(f"{source}, {entry.where}: {entry.fault}.")
            continue
        question = _completed(entry.fields, topic, number_, used)
        _, faults = read_question(question, topic)
        left_out += [f"{source}, {entry.where}: {fault.sentence}." for fault in faults]
        if not faults:
            questions.append(question)
            used.add(question["id"])
    return Imported(questions, left_out)


def _completed(fields: dict, topic: str, number_: int, used: set[str]) -> dict:
    question = {"id": _id(fields.get("id"), topic, number_, used), **{k: v for k, v in fields.items() if k != "id"}}
    lacking = [name for name in REST if name not in question] + _bodies_to_do(question)
    for name, value in REST.items():
        question.setdefault(name, value)
    if "reference" not in question:
        lacking.append("reference")
        question["reference"] = {"title": TO_DO, "url": GUIDE, "section": TO_DO, "checked": date.today()}
    if lacking or "status" not in question:
        question["status"] = "draft"
    return question


def _bodies_to_do(question: dict) -> list[str]:
    """Fill every reason and explanation that is missing; returns their names."""
    found = []
    for body in question.get("parts") or [question]:
        if body.get("type") != "scenario" and not str(body.get("explanation") or "").strip():
            body["explanation"] = TO_DO
            found.append("explanation")
        for group in ("options", "items", "pairs", "wrong"):
            for one in body.get(group, ()):
                if not str(one.get("why") or "").strip():
                    one["why"] = TO_DO
                    found.append("why")
    return found


def _id(given: Any, topic: str, number_: int, used: set[str]) -> str:
    """`topic.name`; the name is the one given, as far as our ids allow."""
    name = re.sub(r"[^a-z0-9]+", "-", str(given or "").split(".")[-1].lower()).strip("-")[:80] or f"q{number_}"
    while f"{topic}.{name}" in used:
        name = f"{name}-{number_}"
    return f"{topic}.{name}"


def place(raw: Any, name: str, where: str = "") -> Any:
    at = f"{where}: " if where else ""
    if not isinstance(raw, dict):
        raise FormatError(f"{at}wanted an object, found {type(raw).__name__}")
    if name not in raw:
        raise FormatError(f"{at}{name} is missing")
    return raw[name]


def text(raw: Any, name: str, where: str = "") -> str:
    value = place(raw, name, where)
    if not isinstance(value, str) or not value.strip():
        raise FormatError(f"{where + ': ' if where else ''}{name} is not text, or empty")
    return value


def number(value: Any, where: str) -> float:
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not math.isfinite(found):
        raise FormatError(f"{where}: {str(value)[:40]!r} is not a plain number")
    return found


def bank_file(topic: str, title: str, questions: list[dict]) -> str:
    """A question file as YAML, in blocks an author can edit."""
    raw = {"topic": topic, "title": title, "questions": [_ordered(question) for question in questions]}
    return yaml.dump(raw, Dumper=_Blocks, sort_keys=False, allow_unicode=True, width=110)


FIRST = ("id", "type", "stem")
LAST = ("explanation", "parts", "reference", "difficulty", "bloom", "card", "objectives", "lab", "exercise", "author_note", "status")


def _ordered(question: dict) -> dict:
    middle = [name for name in question if name in {n for needs in FIELDS.values() for group in needs for n in group} - {"parts"}]
    return {name: question[name] for name in (*FIRST, *middle, *LAST) if name in question}


class _Blocks(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _string(dumper: yaml.SafeDumper, text_: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text_, style="|" if "\n" in text_ else None)


_Blocks.add_representer(str, _string)
