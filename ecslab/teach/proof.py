"""Proofs: short scenarios the region plays, which must come out as a question's key says.

    @proof("services.desired-count", a=3, b=1, d=4)
    def desired_count(aws, region, say):
        ...                                   # ordinary boto3, region.run_for("5m")
        return len(aws.tasks("demo"))         # what was observed

A proof names, option by option, what would be seen if that option were true,
and returns what was seen. What is wanted for each type of question:

| type                | returned                                             |
|---------------------|------------------------------------------------------|
| single, read-events | the value the right option predicts                  |
| multiple            | the set of ids of the options that turned out true   |
| numeric             | the answer, within the question's tolerance          |
| order               | the indices of `items` in the order observed         |
| match               | a mapping of each left side to its right side        |

Proofs live in `quizzes/proofs/<topic>.py`. `proving` plays them in processes of
their own.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Mapping

from .aws import Aws
from .bank import Bank
from .exercise import _module
from .mistakes import Mistake
from .places import content_root
from .question import Body

MARKER = "__proofs__"
PREDICTING = ("single", "read-events")
EVENTS = 4  # of each service, told at the end
Say = Callable[[str], None]


@dataclass(frozen=True)
class Proof:
    """`predictions` maps option ids to what would be observed if that option were true."""

    id: str
    play: Callable[[Aws, Any, Say], Any]
    predictions: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What a proof came to. `cause` says in a sentence why it is not ok."""

    ok: bool
    observed: Any
    expected: Any
    lines: tuple[str, ...]
    cause: str = ""


def proof(question_id: str, /, **predictions: Any) -> Callable[[Callable[..., Any]], Proof]:
    """Make the decorated function the `Proof` of a question, or of one part of a scenario."""

    def register(play: Callable[..., Any]) -> Proof:
        made = Proof(question_id, play, predictions)
        play.__globals__.setdefault(MARKER, []).append(made)
        return made

    return register


def refused(call: Callable[..., Any], *given: Any, **parameters: Any) -> str | None:
    """What AWS says against a call, None when it accepts it."""
    from botocore.exceptions import ClientError

    try:
        call(*given, **parameters)
    except ClientError as error:
        return f"{error.response['Error']['Code']}: {error.response['Error']['Message']}"
    return None


def load_proofs(folder: Path | None = None) -> dict[str, Proof]:
    """Every proof of `folder` (default: the content's `quizzes/proofs/`), by question id."""
    folder = content_root() / "quizzes" / "proofs" if folder is None else Path(folder)
    found: dict[str, Proof] = {}
    for path in sorted(folder.glob("*.py")):
        for one in getattr(_module(path), MARKER, []):
            if one.id in found:
                raise Mistake(f"{path.name}, {one.id}: this question has two proofs.")
            found[one.id] = one
    return found


def bodies(bank: Bank) -> dict[str, Body]:
    """Everything that can be proved: questions, and the parts of scenarios."""
    return {body.id: body for question in bank for body in question.steps()}


def prove(
    one: Proof, body: Body, engine: str = "simulated", seed: int = 1, on_say: Say | None = None
) -> Outcome:
    """Play a proof in a new region, which replaces any region of this process, and compare."""
    expected, fault = expectation(one, body)
    if fault:
        return Outcome(False, None, expected, (), f"{one.id}: {fault}.")
    lines: list[str] = []

    def say(line: str) -> None:
        lines.append(line)
        if on_say:
            on_say(line)

    from ecslab.region import start

    try:
        with start(engine=engine, seed=seed) as region:
            observed = one.play(Aws(region.client), region, say)
            if on_say:
                for event in _last_events(region):
                    on_say(event)
    except Exception as error:  # an author's scenario may fail in any way
        return Outcome(False, None, expected, tuple(lines), f"{one.id}: its proof stopped: {type(error).__name__}: {error}.")
    ok = agrees(body, observed, expected)
    return Outcome(ok, observed, expected, tuple(lines), "" if ok else f"{one.id}: {_disagreement(one, observed, expected)}.")


def _last_events(region: Any) -> list[str]:
    """What the services said last, for whoever watches."""
    aws = Aws(region.client)
    said = []
    for cluster in aws.ecs.list_clusters()["clusterArns"]:
        names = aws.ecs.list_services(cluster=cluster)["serviceArns"]
        for service in aws.ecs.describe_services(cluster=cluster, services=names)["services"] if names else ():
            said += [f"Service event: {event['message']}" for event in reversed(service["events"][:EVENTS])]
    return said


def expectation(one: Proof, body: Body) -> tuple[Any, str]:
    """What the key says will be observed, and what makes the proof worthless, if anything."""
    if body.type in PREDICTING:
        return one.predictions.get(body.key[0]), _prediction_fault(one, body)
    if body.type not in EXPECTED:
        return None, f"a question of type {body.type} can not be proved"
    fault = f"predictions are for single choice, not for {body.type}" if one.predictions else ""
    return EXPECTED[body.type](body), fault


EXPECTED: dict[str, Callable[[Body], Any]] = {
    "multiple": lambda body: set(body.key),
    "numeric": lambda body: body.answer,
    "order": lambda body: list(range(len(body.items))),
    "match": lambda body: {pair.left: pair.right for pair in body.pairs},
}


def _prediction_fault(one: Proof, body: Body) -> str:
    unknown = sorted(set(one.predictions) - {option.id for option in body.options})
    values = list(one.predictions.values())
    faults = {
        f"there is no option {', '.join(unknown)}": unknown,
        "it predicts for fewer than two options": len(values) < 2,
        f"it predicts nothing for the key, {body.key[0]}": body.key[0] not in one.predictions,
        "two options predict the same": any(value in values[:place] for place, value in enumerate(values)),
    }
    return next((sentence for sentence, wrong in faults.items() if wrong), "")


def agrees(body: Body, observed: Any, expected: Any) -> bool:
    if body.type != "numeric":
        return bool(observed == expected)
    return isinstance(observed, (int, float)) and abs(observed - expected) <= body.tolerance + 1e-9 * max(1.0, abs(expected))


def _disagreement(one: Proof, observed: Any, expected: Any) -> str:
    says = [option for option, value in one.predictions.items() if value == observed]
    if one.predictions and not says:
        return f"observed {observed!r}, which no option predicts"
    told = f", as option {says[0]} says" if says else ""
    return f"observed {observed!r}{told}; the key says {expected!r}"
