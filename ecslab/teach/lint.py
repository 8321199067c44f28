"""What the schema of a question can not see: cues that give the key away, and repairs that do not repair.

A key that is often the longest option can be guessed; so can one that refers
to others by their place, which shuffling also breaks.
"""
from __future__ import annotations

import json
import re
from typing import Iterator

from .bank import Bank
from .parameters import unknown_in_code, unknown_in_document
from .question import Body
from .scoring import ABSENT, at_pointer, refused

LONGEST_KEY_SHARE = 0.25  # of a file's single-choice questions
LONGEST_KEY_FROM = 8  # questions; below that a share says little
LONGEST_KEY_RATIO = 1.3  # of the longest wrong option
LONGEST_KEY_CHARACTERS = 12  # a smaller difference is not seen

POSITIONAL = re.compile(
    r"(?i:\b(all|both|none|neither|any|either)\b[^.]{0,12}\b(above|the (other )?(options|answers|others)|these (options|answers))\b)"
    r"|(?i:\b(option|answer|choice)s? )[A-F]\b"
    r"|^\W*(?i:both |either )?[A-F],? (and|or) [A-F]\b"
)
PYTHON_BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)


def lint(bank: Bank) -> Iterator[str]:
    """One sentence for each fault, file by file."""
    for topic in bank.topics.values():
        name = f"{topic.name}.yaml"
        longest = chances = 0
        for question in topic.questions:
            for body in question.steps():
                yield from (f"{name}, {body.id}: {fault}" for fault in _body(body))
                if len(body.options) and body.type != "multiple":
                    chances += 1
                    longest += _lead(body) > 0
        if chances >= LONGEST_KEY_FROM and longest > LONGEST_KEY_SHARE * chances:
            yield (
                f"{name}: the key is the longest option in {longest} of {chances} single-choice questions; "
                f"at most {LONGEST_KEY_SHARE:.0%} keeps it from being guessed."
            )


def _body(body: Body) -> Iterator[str]:
    for option in body.options:
        if POSITIONAL.search(option.text):
            yield f"option {option.id} speaks of other options by their place, and options are shuffled."
    if body.options and body.type != "multiple" and _ratio(body) > LONGEST_KEY_RATIO and _lead(body) >= LONGEST_KEY_CHARACTERS:
        yield f"the key is {_ratio(body):.1f} times as long as the longest wrong option; make it no longer than {LONGEST_KEY_RATIO}."
    for text in (body.stem, body.explanation):
        yield from _code(text)
    if body.type == "fix-json":
        yield from _fix_json(body)


def _lengths(body: Body) -> tuple[int, int]:
    """Characters of the key, and of the longest wrong option, as read."""
    plain = [(option.correct, len(option.text.replace("`", "").strip())) for option in body.options]
    return max(size for correct, size in plain if correct), max(size for correct, size in plain if not correct)


def _lead(body: Body) -> int:
    key, wrong = _lengths(body)
    return key - wrong


def _ratio(body: Body) -> float:
    key, wrong = _lengths(body)
    return key / wrong


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
