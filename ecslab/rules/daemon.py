"""What a DAEMON service should do now: one task on every container instance that matches.

Theory. A DAEMON service wants one task of its PRIMARY deployment on each ACTIVE
container instance that meets its constraints, so its desired count follows the
instances. An instance never holds two of its tasks: an old one stops before a new
one starts, which is why maximumPercent is always 100 and how many go at once is
minimumHealthyPercent's to say. On an instance that drains, the daemon is the last to go.

`plan` returns the same actions as `rollout.plan`, and `StartOn` where that has `Start`.

Sources: Developer Guide, "Amazon ECS services" (Daemon); API Reference, CreateService
(schedulingStrategy), DeploymentConfiguration.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable, Mapping, Sequence

from . import rollout
from .errors import invalid
from .rollout import Fail, Say, ServiceView, Stop, TaskView, WakeAt

DEFAULT_CONFIGURATION = {"maximumPercent": 100, "minimumHealthyPercent": 0}

NO_DESIRED_COUNT = (
    "The daemon scheduling strategy does not support a desired count for services. Remove the desired count value and try again."
)
NO_MORE_THAN_ALL = (
    "The daemon scheduling strategy does not support values above 100 for maximumPercent. Specify 100 for maximumPercent and try again."
)
NO_STRATEGIES = "The daemon scheduling strategy does not support placement strategies."
NO_REBALANCING = "Availability Zone Rebalancing does not support DAEMON services"
# In this lab's words, where no message of ECS's is known.
NO_FARGATE = "The daemon scheduling strategy does not support the FARGATE launch type."
NO_PROVIDERS = "The daemon scheduling strategy does not support a capacity provider strategy. Specify the EC2 or EXTERNAL launch type and try again."
ONLY_MEMBER_OF = "The daemon scheduling strategy supports only memberOf placement constraints."
ONLY_ROLLING = "The daemon scheduling strategy supports only the ROLLING deployment strategy."


def check(request: Mapping) -> None:
    """InvalidParameterException when CreateService or UpdateService asks a DAEMON service for what it cannot do."""
    configuration = request.get("deploymentConfiguration") or {}
    refusals = (
        (request.get("desiredCount") is not None, NO_DESIRED_COUNT),
        ((configuration.get("maximumPercent") or 100) > 100, NO_MORE_THAN_ALL),
        ((configuration.get("strategy") or "ROLLING") != "ROLLING", ONLY_ROLLING),
        (request.get("placementStrategy"), NO_STRATEGIES),
        (any(c.get("type") == "distinctInstance" for c in request.get("placementConstraints") or ()), ONLY_MEMBER_OF),
        (request.get("availabilityZoneRebalancing") == "ENABLED", NO_REBALANCING),
        (request.get("capacityProviderStrategy"), NO_PROVIDERS),
        (request.get("launchType") == "FARGATE", NO_FARGATE),
    )
    for wrong, words in refusals:
        if wrong:
            raise invalid(words)


@dataclass(frozen=True, slots=True)
class Host:
    """A container instance that holds a task of the service, or should."""

    id: str
    wanted: bool  # ACTIVE, and it meets the constraints
    others: int = 0  # tasks on it that are no daemon's


@dataclass(frozen=True, slots=True)
class StartOn:
    """Start the PRIMARY deployment's task on each of these instances."""

    deployment_id: str
    instances: tuple[str, ...]


def plan(service: ServiceView, hosts: Sequence[Host], now: float) -> list:
    """Every step the service may take at `now`. `service.desired` is the number of wanted hosts."""
    primary = service.deployments[0]
    if rollout.tripped(service, primary):
        return [Fail(primary.id, primary.rollback_to if service.breaker.rollback else None)]
    wanted = {h.id for h in hosts if h.wanted}
    alone = {h.id for h in hosts if not h.others}
    occupied = {t.instance for t in service.tasks}
    active = [t for t in service.tasks if not t.stopping]
    mine = [t for t in active if t.deployment_id == primary.id and t.instance in wanted]
    old = [t for t in active if t.deployment_id != primary.id and t.instance in wanted]
    gone = [t for t in active if t.instance not in wanted]

    actions: list = [Stop(t.id, "scale-in") for t in gone if t.instance in alone]
    missing = tuple(h.id for h in hosts if h.wanted and h.id not in occupied)
    actions += _start(primary, missing, now)
    limits = rollout.band(service.desired, service.minimum_healthy_percent, 100)
    actions += _replace(limits, mine, old)
    if old and limits.blocked and not actions:
        actions.append(Say(rollout.BLOCKED))
    actions += rollout.close(service, primary, mine, old, len(missing))
    return actions


def _start(primary, missing: tuple[str, ...], now: float) -> list:
    if not missing or primary.rollout_state == "FAILED":
        return []
    ready_at = rollout.ready_at(primary, now)
    if ready_at <= now:
        return [StartOn(primary.id, missing)]
    impaired = [Say(rollout.IMPAIRED)] if primary.start_failures >= rollout.IMPAIRED_AFTER else []
    return [*impaired, WakeAt(ready_at)]


def _replace(limits: rollout.Band, mine: Iterable[TaskView], old: Iterable[TaskView]) -> list:
    """Old tasks and UNHEALTHY ones stop first: those that are no use, then healthy ones down to the lower limit."""
    healthy = sum(t.healthy for t in (*mine, *old))
    by_age = sorted((t for t in old if not t.protected), key=lambda t: t.created_at)
    useless = [t for t in by_age if not t.running or t.unhealthy]
    useful = [t for t in by_age if t.healthy][: max(0, healthy - limits.lower)]
    return [*(Stop(t.id, "deployment") for t in useless + useful), *(Stop(t.id, "unhealthy") for t in mine if t.unhealthy)]
