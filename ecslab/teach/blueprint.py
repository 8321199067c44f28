"""What an exam is made of, and which questions are drawn for one sitting.

Five AWS exams, filtered to what they ask about containers, and one of our own.
A blueprint gives each domain its share of the questions; which of our
questions serve a domain follows from their objectives ("SAA-C03 2.1" serves
domain 2 of SAA-C03) or, for our own exam, from their topic. Where the bank has
too few for a domain the others make up for it, and a notice says so.

Facts: the AWS exam guides CLF-C02, SAA-C03, DVA-C02, SOA-C03 and DOP-C02
(number of questions, unscored questions, minutes, share of each domain).
"""
from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from datetime import date
from hashlib import sha256
from math import ceil
from typing import Iterable, Iterator, Mapping, Sequence

from .bank import Bank
from .mistakes import Mistake
from .question import Question
from .shown import shuffled

COMPUTED_EVERY = 8  # one question in so many is computed afresh
MINUTES_EACH = 2  # of a topic, as in most AWS exams
CHOICES = ("single", "multiple", "read-events")  # what the five AWS exams ask
SHORT = (*CHOICES, "numeric", "order", "match")  # what can be answered in two minutes
EVERY_TYPE = (*SHORT, "fix-json", "scenario")


@dataclass(frozen=True)
class Domain:
    """`percent` of the exam. `serves` are the topics, or the exam and domain number, of its questions."""

    name: str
    percent: int
    serves: frozenset[str]

    def holds(self, question: Question) -> bool:
        return not self.serves.isdisjoint({question.topic, *(name.rsplit(".", 1)[0] for name in question.objectives)})


@dataclass(frozen=True)
class Blueprint:
    """`unscored` of the `questions` do not count, and are not marked. `pass_share`: see `results.Estimate`."""

    name: str
    title: str
    questions: int
    unscored: int
    minutes: int
    pass_share: float
    domains: tuple[Domain, ...]
    types: tuple[str, ...] = CHOICES
    verified: date | None = None

    def section(self, name: str) -> "Blueprint":
        """One domain alone, by its name or the beginning of it; every question counts."""
        found = [domain for domain in self.domains if domain.name.lower().startswith(name.lower())]
        if len(found) != 1:
            raise Mistake(f"{self.title} has these sections: {', '.join(domain.name for domain in self.domains)}.")
        size = wanted(self)[found[0].name]
        minutes = ceil(self.minutes * size / self.questions)
        title = f"{self.title}: {found[0].name}"
        return replace(self, title=title, questions=size, unscored=0, minutes=minutes, domains=(found[0],))

    def short(self, count: int) -> "Blueprint":
        """The same with only `count` questions, in as little time as they would have; every one counts."""
        if not 1 <= count <= self.questions:
            raise Mistake(f"{self.title} has 1 to {self.questions} questions.")
        minutes = ceil(self.minutes * count / self.questions)
        return replace(self, title=f"{self.title} ({count})", questions=count, unscored=0, minutes=minutes)


def _aws(name: str, title: str, questions: int, unscored: int, minutes: int, passed: float, **domains: int) -> Blueprint:
    numbered = tuple(
        Domain(domain.replace("_", " "), percent, frozenset({f"{name} {number}"}))
        for number, (domain, percent) in enumerate(domains.items(), 1)
    )
    title = f"{name} {title}, containers only"
    return Blueprint(name, title, questions, unscored, minutes, passed, numbered, verified=date(2026, 11, 23))


def _own(*domains: tuple[str, int, str]) -> tuple[Domain, ...]:
    return tuple(Domain(name, percent, frozenset(topics.split())) for name, percent, topics in domains)


BLUEPRINTS = {
    blueprint.name: blueprint
    for blueprint in (
        Blueprint(
            "ecs-specialist", "ECS specialist", 65, 15, 130, 0.72, types=SHORT,
            domains=_own(
                ("Task definitions and tasks", 20, "task-definitions tasks"),
                ("Services and deployments", 20, "services deployments"),
                ("Clusters, capacity and scaling", 18, "concepts clusters auto-scaling"),
                ("Networking and load balancing", 14, "networking load-balancing"),
                ("Security", 10, "security"),
                ("Monitoring and pricing", 10, "monitoring pricing"),
                ("Across topics", 8, "scenarios"),
            ),
        ),
        _aws(
            "CLF-C02", "Cloud Practitioner", 65, 15, 90, 0.70,
            Cloud_Concepts=24, Security_and_Compliance=30, Cloud_Technology_and_Services=34, Billing_Pricing_and_Support=12,
        ),
        _aws(
            "SAA-C03", "Solutions Architect Associate", 65, 15, 130, 0.72,
            Secure_Architectures=30, Resilient_Architectures=26, High_Performing_Architectures=24, Cost_Optimized_Architectures=20,
        ),
        _aws(
            "DVA-C02", "Developer Associate", 65, 15, 130, 0.72,
            Development=32, Security=26, Deployment=24, Troubleshooting_and_Optimization=18,
        ),
        _aws(
            "SOA-C03", "CloudOps Engineer Associate", 65, 15, 130, 0.72,
            Monitoring_Logging_Remediation_and_Performance=22, Reliability=22, Deployment_and_Automation=22, Security=16,
            Networking=18,
        ),
        _aws(
            "DOP-C02", "DevOps Engineer Professional", 75, 10, 180, 0.75,
            SDLC_Automation=22, Configuration_Management_and_IaC=17, Resilient_Solutions=15, Monitoring_and_Logging=15,
            Incident_Response=14, Security=17,
        ),
    )
}  # fmt: skip


def blueprint(name: str, bank: Bank) -> Blueprint:
    """An exam, or a topic as an exam of all its questions."""
    exams = {known.lower(): known for known in BLUEPRINTS}
    if name.lower() in exams:
        return BLUEPRINTS[exams[name.lower()]]
    if name not in bank.topics:
        raise Mistake(f"There is no exam {name!r}. Exams are: {', '.join(BLUEPRINTS)}; or a topic: {', '.join(bank.topics)}.")
    count, domain = len(bank.topic(name)), Domain(bank.title(name), 100, frozenset({name}))
    return Blueprint(name, bank.title(name), count, 0, MINUTES_EACH * count, 0.72, (domain,), EVERY_TYPE)


# -- drawing -------------------------------------------------------------------


@dataclass(frozen=True)
class Drawn:
    question: Question
    domain: str
    scored: bool


@dataclass(frozen=True)
class Draw:
    """What one sitting asks, in its order; `minutes` shrink with the number of questions."""

    drawn: tuple[Drawn, ...]
    minutes: int
    notices: tuple[str, ...]


def draw(plan: Blueprint, bank: Bank, seed: int | str) -> Draw:
    """The same plan, bank and seed always draw the same questions in the same order."""
    shelves = _by_domain(plan, bank, seed)
    fresh = _by_domain(plan, _computed(seed), seed)
    supply = {name: len(questions) for name, questions in shelves.items()}
    turns = list(_turns(plan.domains, supply, plan.questions))
    if not turns:
        raise Mistake(f"The question bank has nothing for {plan.title}.")
    scored = len(turns) * (plan.questions - plan.unscored) // plan.questions
    drawn = []
    for number, domain in enumerate(turns):
        computed = fresh.get(domain.name) if number % COMPUTED_EVERY == COMPUTED_EVERY - 1 else None
        question = (computed or shelves[domain.name]).pop(0)
        drawn.append(Drawn(question, domain.name, number < scored))
    order = shuffled(len(drawn), seed, plan.name)
    minutes = ceil(plan.minutes * len(drawn) / plan.questions)
    return Draw(tuple(drawn[place] for place in order), minutes, tuple(_notices(plan, supply, len(drawn), minutes)))


def wanted(plan: Blueprint) -> Mapping[str, int]:
    """How many questions each domain has when the bank has enough of all."""
    plenty = {domain.name: plan.questions for domain in plan.domains}
    return Counter(domain.name for domain in _turns(plan.domains, plenty, plan.questions))


def _turns(domains: Sequence[Domain], supply: Mapping[str, int], count: int) -> Iterator[Domain]:
    """Whose question is drawn next, by Sainte-Laguë's divisors: the shares are near right after any number of turns.

    So the first turns can be the scored ones, and an empty domain's turns go to the others in proportion.
    """
    given: Counter[str] = Counter()
    for _ in range(min(count, sum(supply.values()))):
        left = (domain for domain in domains if given[domain.name] < supply.get(domain.name, 0))
        domain = min(left, key=lambda one: (given[one.name] + 0.5) / one.percent)
        given[domain.name] += 1
        yield domain


def _by_domain(plan: Blueprint, questions: Iterable[Question], seed: int | str) -> dict[str, list[Question]]:
    """The questions each domain draws from, shuffled. One that serves several is left to the scarcest of them."""
    fits = [question for question in questions if question.status == "active" and question.type in plan.types]
    holding = {question.id: [domain for domain in plan.domains if domain.holds(question)] for question in fits}
    supply = Counter(domain.name for domains in holding.values() for domain in domains)
    shelves = defaultdict(list)
    for place in shuffled(len(fits), seed, "draw"):
        if domains := holding[fits[place].id]:
            scarcest = min(domains, key=lambda domain: supply[domain.name] / domain.percent)
            shelves[scarcest.name].append(fits[place])
    return shelves


def _computed(seed: int | str) -> list[Question]:
    """A fresh question of every generator."""
    try:
        from .generators import generate, generators
    except ImportError:
        return []
    number = int.from_bytes(sha256(f"{seed}/computed".encode()).digest()[:3], "big")
    return [generate(name, number) for name in generators()]


def _notices(plan: Blueprint, supply: Mapping[str, int], count: int, minutes: int) -> Iterator[str]:
    want = wanted(plan)
    short = [domain for domain in plan.domains if supply.get(domain.name, 0) < want[domain.name]]
    for domain in short:
        yield f"{domain.name} ({domain.percent} %): the bank has {supply.get(domain.name) or 'none'} of the {want[domain.name]} wanted."
    if short and len(plan.domains) > 1:
        yield "The other domains make up for it as far as they can."
    if count < plan.questions:
        yield f"This sitting has {count} questions in {minutes} minutes instead of {plan.questions} in {plan.minutes}."
