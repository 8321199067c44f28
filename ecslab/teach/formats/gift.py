"""GIFT, a text form of questions Moodle reads. Facts: Moodle documentation, "GIFT format".

The types are those of `moodle`; an essay has no place for the solution, which
stands in the general feedback instead. `~ = # { } :` and the backslash are
escaped, and a line break is written as `\\n`, since an empty line ends a question.
"""
from __future__ import annotations

import re
from typing import Sequence

from . import markup
from .asked import Asked
from .moodle import KINDS, pairs, share

SPECIAL = re.compile(r"[\\~=#{}:]")


def write(questions: Sequence[Asked], title: str) -> bytes:
    blocks, topic = [], None
    for one in questions:
        if one.question.topic != topic:
            topic = one.question.topic
            blocks.append(f"$CATEGORY: $course$/top/{title}/{topic}")
        blocks.append(_question(one))
    return ("\n\n".join(blocks) + "\n").encode()


def _question(one: Asked) -> str:
    opening, lines = WRITERS[KINDS[one.body.type]](one)
    feedback = one.explanation
    if one.body.solution:
        feedback += markup.html(markup.fenced(one.body.solution.rstrip()))
    body = "\n".join([opening, *lines, f"####{_escaped(feedback)}", "}"])
    return f"::{_escaped(one.id)}::[html]{_escaped(one.html)} {body}"


def _multichoice(one: Asked) -> tuple[str, list[str]]:
    if one.body.type == "multiple":
        marks = {True: f"~%{share(one)}%", False: "~%-100%"}
    else:
        marks = {True: "=", False: "~"}
    return "{", [
        f"{marks[option.correct]}{_escaped(markup.inline(option.text))}#{_escaped(markup.inline(option.why))}"
        for option in one.body.options
    ]


def _numerical(one: Asked) -> tuple[str, list[str]]:
    tolerance = f"{one.body.tolerance:.12g}"
    lines = [f"={one.body.answer:.12g}:{tolerance}"]
    for wrong in one.body.wrong:
        lines.append(f"=%0%{wrong.value:.12g}:{tolerance}#{_escaped(markup.inline(wrong.why))}")
    return "{#", lines


def _matching(one: Asked) -> tuple[str, list[str]]:
    return "{", [f"={_escaped(markup.inline(left))} -> {_escaped(right)}" for left, right in pairs(one)]


def _essay(one: Asked) -> tuple[str, list[str]]:
    return "{", []


WRITERS = {"multichoice": _multichoice, "numerical": _numerical, "matching": _matching, "essay": _essay}


def _escaped(text: str) -> str:
    escaped = SPECIAL.sub(lambda found: "\\" + found.group(), text)
    return escaped.replace("\r", "").replace("\n", "\\n")
