"""A page to print: every question with room to answer, and with the key its reasons below each.

Choices stand in a shuffled order that is the same on both printings, so the
key of one fits the other. The page needs nothing but itself: no script, no
font, no picture from elsewhere.
"""
from __future__ import annotations

from html import escape
from typing import Sequence

from ..shown import LETTERS, show
from . import markup
from .asked import Asked

SEED = "print"
STYLE = """
body { font: 11pt/1.45 Georgia, serif; max-width: 46em; margin: 2em auto; padding: 0 1em; color: #111; background: #fff }
h1, h2, h3 { font-family: Helvetica, Arial, sans-serif; line-height: 1.2 }
h3 { margin: 0; font-size: 1em }
section { break-inside: avoid; margin: 1.6em 0 }
code, pre { font-family: Menlo, Consolas, monospace; font-size: .88em }
pre { white-space: pre-wrap; border: 1px solid #999; padding: .6em }
table { border-collapse: collapse } th, td { border: 1px solid #999; padding: .2em .5em; text-align: left }
.key { border-left: 3px solid #111; padding-left: .8em; font-size: .92em }
.line { border-bottom: 1px solid #111; display: inline-block; min-width: 3em }
@media print { body { margin: 0 } h2 { break-before: page } h2:first-of-type { break-before: auto } }
"""


def write(questions: Sequence[Asked], title: str, key: bool = True) -> bytes:
    parts, topic = [], None
    for number, one in enumerate(questions, 1):
        if one.question.topic != topic:
            topic = one.question.topic
            parts.append(f"<h2>{escape(topic)}</h2>")
        parts.append(_section(number, one, key))
    heading = escape(markup.legible(title)) + (", with key" if key else "")
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{heading}</title>\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n<h1>{heading}</h1>\n" + "\n".join(parts) + "\n</body>\n</html>\n"
    ).encode()


def _section(number: int, one: Asked, key: bool) -> str:
    answer = f'\n<div class="key">\n{answer_html(one)}\n</div>' if key else ""
    return (
        f'<section id="{escape(one.id)}">\n<h3>{number}. <small>{escape(one.id)}</small></h3>\n{one.html}\n'
        f"{choices_html(one)}{answer}\n</section>"
    )


def choices_html(one: Asked) -> str:
    """What there is to choose from, or room for the answer."""
    return ROOMS[one.body.type](one, show(one.body, SEED).choices)


def _list(choices) -> str:
    rows = "".join(f"<li>{markup.inline(text)}</li>" for text in choices)
    return f'<ol type="A">{rows}</ol>'


def _choose(one: Asked, choices) -> str:
    return _list(choices)


def _blank(one: Asked, choices) -> str:
    return f'<p>Answer: <span class="line">&#160;</span> {escape(one.body.unit)}</p>'


def _sort(one: Asked, choices) -> str:
    return _list(choices) + "<p>Order: " + " ".join('<span class="line">&#160;</span>' for _ in choices) + "</p>"


def _join(one: Asked, choices) -> str:
    rows = "".join(f'<tr><td>{markup.inline(pair.left)}</td><td><span class="line">&#160;</span></td></tr>' for pair in one.body.pairs)
    return f"<table>{rows}</table>{_list(choices)}"


def _mend(one: Asked, choices) -> str:
    return "<p>Mark your changes in the document.</p>"


ROOMS = {"single": _choose, "read-events": _choose, "multiple": _choose, "numeric": _blank, "order": _sort,
         "match": _join, "fix-json": _mend}  # fmt: skip


def answer_html(one: Asked) -> str:
    """The answer in the letters of `choices_html`, and the reasons."""
    body = one.body
    letter = {index: LETTERS[at] for at, index in enumerate(show(body, SEED).order)}
    whys = [(letter[index], option.why) for index, option in enumerate(body.options)]
    whys += [(f"{wrong.value:.12g}", wrong.why) for wrong in body.wrong]
    whys += [(letter[index], row.why) for index, row in enumerate((*body.items, *body.pairs))]
    reasons = "".join(f"<li><b>{name}</b> {markup.inline(why)}</li>" for name, why in sorted(whys))
    return f"<p><b>Key: {_short(one, letter)}</b></p>\n<ul>{reasons}</ul>\n{one.explanation}"


def _short(one: Asked, letter: dict[int, str]) -> str:
    body = one.body
    if body.type == "numeric":
        spread = f" ± {body.tolerance:.12g}" if body.tolerance else ""
        return f"{body.answer:.12g}{spread} {escape(body.unit)}".strip()
    if body.type == "fix-json":
        return f"</b></p>{markup.html(markup.fenced(body.solution.rstrip()))}<p><b>"
    if body.type == "match":
        return "; ".join(f"{markup.inline(pair.left)} – {letter[index]}" for index, pair in enumerate(body.pairs))
    right = range(len(body.items)) if body.items else [i for i, option in enumerate(body.options) if option.correct]
    letters = [letter[index] for index in right]
    return " ".join(letters if body.items else sorted(letters))
