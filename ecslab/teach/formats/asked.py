"""What is exported: questions one by one, whatever they were part of.

A scenario becomes its parts, each with the situation in front, because no
other format has questions that share a stem and all of ours stand alone then.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable

from ..bank import Bank
from ..question import Body, Question
from . import markup


@dataclass(frozen=True)
class Asked:
    """One thing to answer. `question` is what it was written in, `body` the question itself or one of its parts."""

    question: Question
    body: Body

    @property
    def id(self) -> str:
        return self.body.id

    @property
    def text(self) -> str:
        """The stem as Markdown, with the situation it belongs to and the unit of a number."""
        parts = [] if self.body is self.question else [self.question.stem]
        parts.append(self.body.stem)
        if self.body.unit:
            parts.append(f"Answer in {self.body.unit}.")
        if self.body.type == "multiple":
            parts.append(f"Choose {self.body.choose}.")
        return "\n\n".join(part.strip() for part in parts)

    @property
    def code(self) -> str:
        """What is shown as it stands: the trace to read, or the document to mend."""
        return (self.body.trace or self.body.document or "").rstrip()

    @property
    def markdown(self) -> str:
        return f"{self.text}\n\n{markup.fenced(self.code)}" if self.code else self.text

    @property
    def html(self) -> str:
        return markup.html(self.markdown)

    @property
    def explanation(self) -> str:
        """Why the key is right, and where that is written, as HTML."""
        source = self.question.reference
        return markup.html(f"{self.body.explanation.strip()}\n\n[{source.title}]({source.url})")

    @property
    def tags(self) -> tuple[str, ...]:
        return (self.question.topic, self.question.difficulty, *self.question.objectives)


def asked(bank: Bank, topics: Iterable[str] = (), computed: int = 0, seed: int = 0) -> list[Asked]:
    """The active questions of some topics (default: of all), in the order of the files.

    After those of a topic come `computed` questions of each of its generators, made of `seed` and the seeds after it.
    """
    questions: list[Question] = []
    for topic in list(topics) or list(bank.topics):
        questions += bank.topic(topic)
        questions += [bank.computed(name, seed + n) for name in bank.generators(topic) for n in range(computed)]
    return [Asked(question, body) for question in questions for body in question.steps()]
