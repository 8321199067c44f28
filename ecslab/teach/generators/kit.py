"""What a generator is made of: drawn numbers, a key, and the slips that lead elsewhere.

A generator is a function from a random source to a draft. It takes the key from
`ecslab.rules`, and each wrong answer from a `Slip`: a named misconception and the
computation it leads to. `numeric`, `single`, `multiple` and `scenario` make drafts; they drop
slips that happen to lead to the key or to each other, and give None where too few
are left, so that the generator is asked for other numbers.

The docstring of a generator becomes its questions' author note.
"""
from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from random import Random
from typing import Callable, Iterable, NamedTuple, Sequence

from ecslab.teach.question import Question, Reference

CHECKED = date(2026, 11, 23)
DRAWS = 200  # how often a generator may ask for other numbers
SEED = re.compile(r"[a-z0-9]+")
NAMES = ("api", "web", "orders", "billing", "search", "checkout", "catalog", "reports", "gateway", "mailer")

Draft = dict | None


class Slip(NamedTuple):
    """A wrong answer: the misconception in words ("rounds the lower limit down"), its answer, how it comes about."""

    misconception: str
    answer: float | str
    how: str

    @property
    def slug(self) -> str:
        return "-".join(re.findall(r"[a-z0-9]+", self.misconception.lower()))

    @property
    def why(self) -> str:
        return f"{upper(self.misconception)}: {self.how}"


@dataclass(frozen=True)
class About:
    """Where a group of questions belongs: the page that documents it, card section, objectives, lab."""

    title: str
    url: str
    section: str
    card: str
    objectives: tuple[str, ...]
    lab: str

    @property
    def reference(self) -> Reference:
        return Reference(title=self.title, url=self.url, section=self.section, checked=CHECKED)


@dataclass(frozen=True)
class Generator:
    """`name` is `<topic>.<generator>`; a question's id is the name and its seed."""

    name: str
    about: About
    difficulty: str
    bloom: str
    draft: Callable[[Random], Draft]

    @property
    def topic(self) -> str:
        return self.name.split(".")[0]

    def question(self, seed: int | str) -> Question:
        """The question of that seed, always the same. ValueError for a seed that can not stand in an id."""
        if not SEED.fullmatch(str(seed)):
            raise ValueError(f"a seed is made of lower-case letters and digits, not {seed!r}")
        rng = Random(f"{self.name}/{seed}")
        draft = next(filter(None, (self.draft(rng) for _ in range(DRAWS))))
        about = self.about
        name = f"{self.name}-{seed}"
        if "parts" in draft:
            draft = {**draft, "parts": [{**part, "id": f"{name}.{n}"} for n, part in enumerate(draft["parts"], 1)]}
        return Question(
            id=name,
            **draft,
            reference=about.reference,
            difficulty=self.difficulty,
            bloom=self.bloom,
            card=about.card,
            objectives=about.objectives,
            lab=about.lab,
            author_note=self.draft.__doc__,
            status="active",
        )


GENERATORS: dict[str, Generator] = {}


def generator(name: str, about: About, difficulty: str = "medium", bloom: str = "apply"):
    """Registers the function below it under `name`."""

    def register(draft: Callable[[Random], Draft]) -> Callable[[Random], Draft]:
        GENERATORS[name] = Generator(name, about, difficulty, bloom, draft)
        return draft

    return register


# Drafts ---------------------------------------------------------------------


def numeric(
    stem: str, answer: float, steps: Sequence[str], slips: Iterable[Slip], unit: str = "", tolerance: float = 0
) -> Draft:
    """A question answered with a number; at least two slips must be left, and none below zero is."""
    slips = [slip for slip in _apart(answer, slips, tolerance) if slip.answer >= 0]
    if len(slips) < 2:
        return None
    return {
        "type": "numeric",
        "stem": stem,
        "answer": float(answer),
        "tolerance": tolerance,
        "unit": unit,
        "wrong": [{"value": float(s.answer), "why": s.why, "misconception": s.slug} for s in slips],
        "explanation": _explanation(steps, slips, unit),
    }


def single(rng: Random, stem: str, key: str, why: str, steps: Sequence[str], slips: Iterable[Slip]) -> Draft:
    """A question with four options, one of them right."""
    slips = _apart(key, slips)
    if len(slips) < 3:
        return None
    return {"type": "single", **_choices(rng, stem, [(key, why)], steps, slips[:3])}


def multiple(rng: Random, stem: str, keys: Sequence[tuple[str, str]], steps: Sequence[str], slips: Sequence[Slip]) -> Draft:
    """A question with several right options, each with its reason; every slip must be one of its own."""
    texts = {text for text, _ in keys} | {slip.answer for slip in slips}
    if len(texts) < len(keys) + len(slips):
        return None
    return {"type": "multiple", "choose": len(keys), **_choices(rng, stem, keys, steps, slips)}


def scenario(stem: str, *parts: Draft) -> Draft:
    """A situation with a question for each part; None where one of them has too few slips left."""
    return {"type": "scenario", "stem": stem, "parts": parts} if all(parts) else None


def _apart(key: float | str, slips: Iterable[Slip], tolerance: float = 0) -> list[Slip]:
    """The slips whose answers differ from the key and from those before them."""
    left: list[Slip] = []
    for slip in slips:
        if not any(_same(slip.answer, other, tolerance) for other in (key, *(kept.answer for kept in left))):
            left.append(slip)
    return left


def _same(one: float | str, other: float | str, tolerance: float) -> bool:
    return one == other if isinstance(one, str) else abs(one - other) <= 2 * tolerance + 1e-9


def _choices(rng: Random, stem: str, keys, steps: Sequence[str], slips: Sequence[Slip]) -> dict:
    options = [{"text": text, "why": why, "correct": True} for text, why in keys]
    options += [{"text": slip.answer, "why": slip.why, "misconception": slip.slug} for slip in slips]
    rng.shuffle(options)
    for letter, option in zip("abcdef", options):
        option["id"] = letter
    return {"stem": stem, "options": options, "explanation": _explanation(steps, slips)}


def _explanation(steps: Sequence[str], slips: Sequence[Slip], unit: str = "") -> str:
    """The way to the key step by step, then which misconception each wrong answer tells of."""
    told = [f"- {_shown(slip.answer)}{' ' + unit if unit else ''}: {slip.misconception}" for slip in slips]
    return "\n".join([*steps, "", "Where the other answers come from:", *told])


def _shown(answer: float | str) -> str:
    return answer if isinstance(answer, str) else f"{float(answer):.10g}"


# Words ----------------------------------------------------------------------


def count(n: int, what: str) -> str:
    """`1 task`, `3 tasks`."""
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def listed(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def upper(text: str) -> str:
    """With a capital at its beginning, the rest as it is."""
    return text[:1].upper() + text[1:]


def service(rng: Random) -> str:
    return rng.choice(NAMES)
