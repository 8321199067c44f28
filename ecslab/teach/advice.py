"""What deserves an author's look without being wrong: old references, heavy sentences, places nothing is asked about.

Reading level is LIX: the words of a sentence on average, plus the percentage
of words longer than six letters. Names in code count as one short word. Below
40 is easy; above 50 reads like an official text.

`CARD` holds the headings of the ECS reference card that a question may name;
`OBJECTIVES` the task statements of the AWS exam guides that touch containers.
"""
from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Iterable, Iterator

from .bank import Bank
from .question import Body, Question

STALE = timedelta(days=365)
HEAVY = 50
CODE = re.compile(r"```.*?```|`[^`]*`", re.DOTALL)
WORD = re.compile(r"[A-Za-z]+(?:['’-][A-Za-z]+)*")
SENTENCE = re.compile(r"[.!?:;](?=\s|$)")
FEWEST_WORDS = 20  # below that an average says nothing

CARD = {
    "What is ECS?": ("Key Concepts",),
    "ECS Architecture": ("Core Components", "Architecture Diagram"),
    "Launch Types": ("EC2 Launch Type", "Fargate Launch Type", "Launch Type Comparison"),
    "Task Definitions": ("Task Definition Components", "Task Roles vs Execution Roles"),
    "Services": ("Service Configuration", "Service Types"),
    "Clusters": ("Cluster Configuration",),
    "Networking": ("Network Modes", "Service Discovery"),
    "Auto Scaling": ("Auto Scaling Configuration",),
    "Deployment Strategies": ("Rolling Update", "Blue/Green Deployment"),
    "Security": ("Task Security", "IAM Roles"),
    "Monitoring & Logging": ("CloudWatch Integration", "Key Metrics"),
    "Pricing": ("EC2 Launch Type", "Fargate Launch Type"),
    "Use Cases": (),
    "Best Practices": (),
    "Related Services": (),
    "Key Takeaways": (),
}
OBJECTIVES = {
    "CLF-C02": ("1.1", "1.2", "1.4", "2.1", "2.2", "2.3", "2.4", "3.3", "4.1"),
    "SAA-C03": ("1.1", "1.2", "1.3", "2.1", "3.2", "4.2"),
    "DVA-C02": ("1.1", "2.1", "2.2", "2.3", "3.1", "3.3", "3.4", "4.1"),
    "SOA-C03": ("1.1", "2.1", "2.2", "3.1", "4.1", "4.2", "5.1"),
    "DOP-C02": ("1.1", "1.3", "1.4", "2.1", "3.2", "4.1", "4.2", "5.3", "6.1", "6.2", "6.3"),
}


def advice(bank: Bank, today: date | None = None) -> Iterator[str]:
    """One sentence for each; none of them makes the content wrong."""
    today = today or date.today()
    for question in bank:
        name = f"{question.topic}.yaml, {question.id}"
        if question.status == "active":
            yield from (f"{name}: {sentence}" for sentence in (*_stale(question, today), *_heavy(question)))
    yield from uncovered(bank)


def _stale(question: Question, today: date) -> Iterator[str]:
    checked = question.reference.checked
    if today - checked > STALE:
        yield f"its reference was last checked on {checked}; read it again, mend what changed, set the date."


def _heavy(question: Question) -> Iterator[str]:
    for body in question.steps():
        if (level := reading_level(_prose(body))) > HEAVY:
            yield f"reads heavily (LIX {level:.0f}, wanted at most {HEAVY}): shorter sentences, shorter words."


def _prose(body: Body) -> str:
    return f"{body.stem}\n{body.explanation}"


def reading_level(text: str) -> float:
    """LIX of a Markdown text; 0 where it is too short to tell."""
    text = CODE.sub("code", text)
    words = WORD.findall(text)
    if len(words) < FEWEST_WORDS:
        return 0
    sentences = len(SENTENCE.findall(text)) or 1
    return len(words) / sentences + 100 * sum(len(word) > 6 for word in words) / len(words)


def uncovered(bank: Bank) -> Iterator[str]:
    """Sections of the reference card and exam objectives that no active question names."""
    active = [question for question in bank if question.status == "active"]
    asked = {question.card for question in active}
    served = {name for question in active for name in question.objectives}
    for section in sections():
        if not any(card == section or card.startswith(f"{section} > ") for card in asked):
            yield f"no question on the card's section {section!r}."
    for objective in objectives():
        if objective not in served:
            yield f"no question serves the objective {objective}."


def sections() -> Iterable[str]:
    """Every heading of the card, as questions name it."""
    for heading, below in CARD.items():
        yield heading
        yield from (f"{heading} > {name}" for name in below)


def objectives() -> Iterable[str]:
    return (f"{exam} {number}" for exam, numbers in OBJECTIVES.items() for number in numbers)
