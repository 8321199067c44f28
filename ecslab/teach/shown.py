"""A question as one learner sees it: options shuffled by a seed, and the way back to the file's terms.

The same seed gives the same order on every machine and Python, because the
order is sorted by a digest rather than drawn from a random generator.
Nothing here says which option is right.
"""
from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from string import ascii_uppercase as LETTERS
from typing import Any, Sequence

from .question import Body
from .scoring import AnswerError

UNMATCHED = -1  # the place, and the index, of a right side not picked yet
COUNTED = {2: "two", 3: "three", 4: "four", 5: "five"}


def shuffled(count: int, seed: Any, name: str) -> tuple[int, ...]:
    """A permutation of range(count) that depends on seed and name only."""
    return tuple(sorted(range(count), key=lambda index: sha256(f"{seed}/{name}/{index}".encode()).digest()))


@dataclass(frozen=True)
class Shown:
    """`order[place]` is the index, in the file, of the choice shown at that place."""

    body: Body
    order: tuple[int, ...]

    @property
    def choices(self) -> list[str]:
        """The texts to choose among, in the order shown: options, items, or right sides of pairs."""
        return [_texts(self.body)[index] for index in self.order]

    def from_places(self, picked: Any) -> Any:
        """What was picked, by place (or as typed, for numeric and fix-json), as an answer for `score`."""
        if self.body.type in ("numeric", "fix-json"):
            return picked
        one = self.body.type in ("single", "read-events")
        try:
            if self.body.type == "match":
                return [UNMATCHED if place < 0 else self.order[place] for place in picked]
            indices = [self.order[place] for place in ([picked] if one else picked) if place >= 0]
        except (TypeError, IndexError):
            raise AnswerError("Choose among what is shown.") from None
        if not self.body.options:
            return indices
        ids = [self.body.options[index].id for index in indices]
        return (ids or [None])[0] if one else ids

    def to_places(self, answer: Any) -> Any:
        """The inverse of `from_places`."""
        if self.body.type in ("numeric", "fix-json"):
            return answer
        names = [option.id for option in self.body.options] or list(range(len(self.order)))
        place = {UNMATCHED: UNMATCHED, **{names[index]: place for place, index in enumerate(self.order)}}
        if isinstance(answer, str):
            return place[answer]
        return [place[name] for name in answer]

    def from_text(self, text: str) -> Any:
        """What was typed in a terminal (`B`, `A, C`, `BADC`, `12.5`) as an answer for `score`."""
        if self.body.type in ("numeric", "fix-json"):
            return text.strip()
        letters = [letter for letter in text.upper() if letter.isalnum()]
        allowed = LETTERS[: len(self.order)]
        if not letters or any(letter not in allowed for letter in letters):
            raise AnswerError(f"Answer with letters from A to {allowed[-1]}.")
        places = [allowed.index(letter) for letter in letters]
        if self.body.type in ("single", "read-events"):
            if len(places) != 1:
                raise AnswerError("Answer with one letter.")
            return self.from_places(places[0])
        return self.from_places(places)


def show(body: Body, seed: Any = 0) -> Shown:
    """Shuffle a body's choices. An order question is never shown already solved."""
    texts = _texts(body)
    order = shuffled(len(texts), seed, body.id)
    if body.type == "order" and order == tuple(range(len(order))):
        order = order[1:] + order[:1]
    return Shown(body, order)


def _texts(body: Body) -> Sequence[str]:
    for choices, attribute in ((body.options, "text"), (body.items, "text"), (body.pairs, "right")):
        if choices:
            return [getattr(choice, attribute).strip() for choice in choices]
    return []


def instruction(body: Body) -> str:
    """One line that says how to answer."""
    if body.type == "multiple":
        return f"Choose {COUNTED.get(body.choose, body.choose)}."
    return {
        "numeric": f"Answer with a number{f' ({body.unit})' if body.unit else ''}.",
        "order": "Put the steps in order.",
        "match": "Match each entry.",
        "fix-json": "Repair the document so that RegisterTaskDefinition accepts it.",
    }.get(body.type, "Choose one.")


def as_text(shown: Shown) -> str:
    """The whole question for a terminal."""
    body = shown.body
    lines = [body.stem.strip()]
    for block in (body.trace, body.document):
        if block:
            lines += ["", *("    " + line for line in block.rstrip().splitlines())]
    lines.append("")
    lines += [f"  {number}. {pair.left.strip()}" for number, pair in enumerate(body.pairs, 1)]
    lines += [f"  {letter}) {text}" for letter, text in zip(LETTERS, shown.choices)]
    return "\n".join([*lines, f"  {instruction(body)}"])
