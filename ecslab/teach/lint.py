"""What the schema of a question can not see: cues that give the key away, stems told twice, repairs that do not repair.

A key that is often the longest option, the shortest or the one in the same
place can be guessed; so can one that refers to others by their place, which
shuffling also breaks.
"""
from __future__ import annotations

import json
import re
from collections import Counter
from typing import Iterator

from .bank import Bank, Topic
from .formats.reading import TO_DO
from .near import near_duplicates
from .parameters import unknown_in_code, unknown_in_document
from .question import Body, Question
from .scoring import ABSENT, at_pointer, refused

CUE_FROM = 8  # single-choice questions in a file; below that a share says little
CUE_SHARE = 0.25  # of them, with the key the longest option, or the shortest one: what chance would make of it
PLACE_SHARE = 0.5  # of them, with the key under the same letter
SEEN = 3  # characters; a key shorter by less than that is not seen to be shorter
LONGEST_KEY_RATIO = 1.3  # of the longest wrong option
LONGEST_KEY_CHARACTERS = 12  # a smaller difference is not seen

POSITIONAL = re.compile(
    r"(?i:\b(all|both|none|neither|any|either)\b[^.]{0,12}\b(above|the (other )?(options|answers|others)|these (options|answers))\b)"
    r"|(?i:\b(option|answer|choice)s? )[A-F]\b"
    r"|^\W*(?i:both |either )?[A-F],? (and|or) [A-F]\b"
)
PYTHON_BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)


def lint(bank: Bank) -> Iterator[str]:
    """One sentence for each fault, file by file; then the stems that are told twice."""
    for topic in bank.topics.values():
        name = f"{topic.name}.yaml"
        for question in topic.questions:
            if question.status == "active" and TO_DO in _texts(question):
                yield f"{name}, {question.id}: says {TO_DO!r}; write it, or make the question a draft."
            for body in question.steps():
                yield from (f"{name}, {body.id}: {fault}" for fault in _body(body))
        yield from (f"{name}: {cue}" for cue in _cues(topic))
    stems = ((question.id, question.stem) for question in bank if question.status == "active")
    for one, other, share in near_duplicates(stems):
        yield f"{one} and {other} ask nearly the same ({share:.0%} of their words in the same order); drop one or tell them apart."


def _texts(question: Question) -> Iterator[str]:
    """What an importer can not know and an author has to write."""
    yield from (question.card, question.lab, question.author_note, question.reference.title, *question.objectives)
    for body in question.steps():
        yield body.explanation
        yield from (one.why for one in (*body.options, *body.wrong, *body.items, *body.pairs))


def _cues(topic: Topic) -> Iterator[str]:
    """What lets the keys of a file be guessed."""
    bodies = [body for question in topic.questions for body in question.steps() if _one_of_four(body)]
    count = len(bodies)
    if count < CUE_FROM:
        return
    lengths = {
        "longest": sum(_lead(body) > 0 for body in bodies),
        "shortest": sum(_shortfall(body) >= SEEN for body in bodies),
    }
    for cue, often in lengths.items():
        if often > CUE_SHARE * count:
            yield (
                f"the key is the {cue} option in {often} of {count} single-choice questions; "
                f"at most {CUE_SHARE:.0%} keeps it from being guessed."
            )
    place, often = Counter(body.key[0] for body in bodies).most_common(1)[0]
    if often > PLACE_SHARE * count:
        yield f"the key is option {place} in {often} of {count} single-choice questions; spread it over the letters."


def _one_of_four(body: Body) -> bool:
    return bool(body.options) and body.type != "multiple"


def _body(body: Body) -> Iterator[str]:
    for option in body.options:
        if POSITIONAL.search(option.text):
            yield f"option {option.id} speaks of other options by their place, and options are shuffled."
    if _one_of_four(body) and _ratio(body) > LONGEST_KEY_RATIO and _lead(body) >= LONGEST_KEY_CHARACTERS:
        yield f"the key is {_ratio(body):.1f} times as long as the longest wrong option; make it no longer than {LONGEST_KEY_RATIO}."
    for text in (body.stem, body.explanation):
        yield from _code(text)
    if body.type == "fix-json":
        yield from _fix_json(body)


def _sizes(body: Body) -> tuple[int, list[int]]:
    """Characters of the key, and of the wrong options, as read."""
    plain = [(option.correct, len(option.text.replace("`", "").strip())) for option in body.options]
    return next(size for correct, size in plain if correct), [size for correct, size in plain if not correct]


def _lead(body: Body) -> int:
    """By how much the key is longer than every wrong option."""
    key, wrong = _sizes(body)
    return key - max(wrong)


def _shortfall(body: Body) -> int:
    """By how much the key is shorter than every wrong option."""
    key, wrong = _sizes(body)
    return min(wrong) - key


def _ratio(body: Body) -> float:
    key, wrong = _sizes(body)
    return key / max(wrong)


def _code(text: str) -> Iterator[str]:
    for code in PYTHON_BLOCK.findall(text):
        try:
            yield from (f"{sentence}." for _, sentence in unknown_in_code(code))
        except SyntaxError as error:
            yield f"a Python block is not Python: {error.msg}."


def _fix_json(body: Body) -> Iterator[str]:
    document, solution = json.loads(body.document), json.loads(body.solution)
    for name, parsed in (("document", document), ("solution", solution)):
        found = unknown_in_document("ecs", "register_task_definition", parsed)
        yield from (f"{name}: {sentence}." for sentence in found)
    says = refused(document)
    if says is None:
        yield "the document is accepted as it stands; there is nothing to fix."
    elif body.error not in says:
        yield f"the document is refused with {says!r}, and error says {body.error!r}."
    if still := refused(solution):
        yield f"the solution is refused: {still}"
    for pointer in body.must_keep:
        before = at_pointer(document, pointer)
        if before is ABSENT:
            yield f"must_keep names {pointer}, and the document has no such place."
        elif before != at_pointer(solution, pointer):
            yield f"the solution changes {pointer}, which must_keep says to leave."
