"""Moodle XML, as Moodle's "Import questions" reads it. Facts: Moodle documentation, "Moodle XML format".

| ours                | Moodle                                                              |
|---------------------|---------------------------------------------------------------------|
| single, read-events | multichoice, one answer                                             |
| multiple            | multichoice; a wrong choice takes everything away                   |
| numeric             | numerical; known wrong numbers answer with their reason             |
| order               | matching: each place with what stands there                         |
| match               | matching                                                            |
| fix-json            | essay with the document to mend, marked by hand against the solution |
"""
from __future__ import annotations

from typing import Sequence
from xml.etree import ElementTree as ET

from . import markup
from .asked import Asked

KINDS = {"single": "multichoice", "read-events": "multichoice", "multiple": "multichoice", "numeric": "numerical",
         "order": "matching", "match": "matching", "fix-json": "essay"}  # fmt: skip


def write(questions: Sequence[Asked], title: str) -> bytes:
    quiz = ET.Element("quiz")
    topic = None
    for one in questions:
        if one.question.topic != topic:
            topic = one.question.topic
            _text(ET.SubElement(quiz, "question", type="category"), "category", f"$course$/top/{title}/{topic}")
        _question(quiz, one)
    ET.indent(quiz)
    return ET.tostring(quiz, encoding="utf-8", xml_declaration=True) + b"\n"


def _question(quiz: ET.Element, one: Asked) -> None:
    kind = KINDS[one.body.type]
    node = ET.SubElement(quiz, "question", type=kind)
    _text(node, "name", one.id)
    _text(node, "questiontext", one.html, "html")
    _text(node, "generalfeedback", one.explanation, "html")
    for name, value in (("defaultgrade", "1"), ("penalty", "0"), ("hidden", "0"), ("idnumber", one.id)):
        ET.SubElement(node, name).text = value
    WRITERS[kind](node, one)
    tags = ET.SubElement(node, "tags")
    for tag in one.tags:
        _text(tags, "tag", tag)


def _multichoice(node: ET.Element, one: Asked) -> None:
    single = one.body.type != "multiple"
    for name, value in (("single", str(single).lower()), ("shuffleanswers", "true"), ("answernumbering", "abc")):
        ET.SubElement(node, name).text = value
    for option in one.body.options:
        grade = share(one) if option.correct else "0" if single else "-100"
        _answer(node, grade, markup.inline(option.text), markup.html(option.why), "html")


def share(one: Asked) -> str:
    """Percent for one right choice, in the five decimals Moodle knows."""
    return f"{100 / len(one.body.key):.7g}"


def _numerical(node: ET.Element, one: Asked) -> None:
    rows = [("100", one.body.answer, "")] + [("0", wrong.value, markup.html(wrong.why)) for wrong in one.body.wrong]
    for grade, value, why in rows:
        answer = _answer(node, grade, f"{value:.12g}", why, "moodle_auto_format")
        ET.SubElement(answer, "tolerance").text = f"{one.body.tolerance:.12g}"


def _matching(node: ET.Element, one: Asked) -> None:
    ET.SubElement(node, "shuffleanswers").text = "true"
    for left, right in pairs(one):
        row = _text(node, "subquestion", markup.inline(left), "html")
        _text(row, "answer", right)


def pairs(one: Asked) -> list[tuple[str, str]]:
    """What belongs together: Markdown to the left, plain text to the right."""
    if one.body.type == "order":
        return [(f"Place {place}", markup.plain(item.text)) for place, item in enumerate(one.body.items, 1)]
    return [(pair.left, markup.plain(pair.right)) for pair in one.body.pairs]


def _essay(node: ET.Element, one: Asked) -> None:
    for name, value in (("responseformat", "monospaced"), ("responserequired", "1"), ("responsefieldlines", "25"),
                        ("attachments", "0"), ("attachmentsrequired", "0")):  # fmt: skip
        ET.SubElement(node, name).text = value
    _text(node, "graderinfo", markup.html(markup.fenced(one.body.solution.rstrip())), "html")
    _text(node, "responsetemplate", one.code, "plain_text")


WRITERS = {"multichoice": _multichoice, "numerical": _numerical, "matching": _matching, "essay": _essay}


def _answer(node: ET.Element, grade: str, text: str, why: str, form: str) -> ET.Element:
    answer = _text(node, "answer", text, form)
    answer.set("fraction", grade)
    _text(answer, "feedback", why, "html")
    return answer


def _text(parent: ET.Element, name: str, text: str, form: str = "") -> ET.Element:
    node = ET.SubElement(parent, name, {"format": form} if form else {})
    ET.SubElement(node, "text").text = markup.legible(text)
    return node
