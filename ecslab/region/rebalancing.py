"""Availability Zone rebalancing: a steady service whose tasks lean to one zone moves some.

Each move starts a task in a zone that has too few; when it counts as healthy, one in the zone
with too many stops. What is in excess meanwhile stays within maximumPercent. A deployment, or
tasks that are all protected, end it. How many belong where, `rules.placement` knows.

The events' words, and that a move without room is tried again every five minutes, are this
lab's choice.

Source: Developer Guide, "Balancing an Amazon ECS service across Availability Zones".
"""
from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Callable

from ..rules import lifecycle, placement, rollout
from ..rules.errors import EcsError
from . import launch, placing
from .model import Service, Task, TaskDefinition

if TYPE_CHECKING:
    from . import Region

RETRY = 300.0
NOT_ELIGIBLE = (  # (ours)
    "Availability Zone Rebalancing needs a REPLICA service of launch type EC2 or FARGATE with a maximumPercent above 100, whose first "
    "placement strategy, if any, spreads across attribute:ecs.availability-zone, and no placement constraint on that attribute."
)

Say = Callable[[str], None]


@dataclass(frozen=True)
class Move:
    """`task` was started so that one in the zone `leave` may stop."""

    task: Task
    leave: str


def eligible(scheduling_strategy: str, configuration: dict, settings: dict, task_definition: TaskDefinition, config: dict) -> bool:
    """May a service of this kind have it?"""
    constraints = (*(settings.get("placementConstraints") or ()), *task_definition.definition.get("placementConstraints", ()))
    return placement.rebalancing_eligible(
        scheduling_strategy=scheduling_strategy,
        strategy=placement.placement_strategy(settings.get("placementStrategy") or ()),
        constraints=placement.placement_constraints(constraints),
        maximum_percent=configuration["maximumPercent"],
        launch_type=launch.launch_type_of(config),
    )


def _applies(service: Service) -> bool:
    deployment = service.primary
    return service.settings.get("availabilityZoneRebalancing") == "ENABLED" and eligible(
        service.scheduling_strategy, service.deployment_configuration, service.settings, deployment.task_definition, deployment.config
    )


def _constraints(service: Service) -> list[dict]:
    definition = service.primary.task_definition.definition
    return [*definition.get("placementConstraints", ()), *(service.settings.get("placementConstraints") or ())]


def finish(region: "Region", service: Service, view: rollout.ServiceView, say: Say) -> list[tuple[Task, str]]:
    """The (task, stoppedReason) that may stop now, because what replaces it elsewhere is healthy."""
    if len(service.deployments) > 1 or service.primary.rollout_state != "COMPLETED":
        service.moves = []
        return []
    healthy = {t.id for t in view.tasks if t.healthy}
    stops: list[tuple[Task, str]] = []
    for move in list(service.moves):
        if move.task.desired_status == "STOPPED":
            service.moves.remove(move)
        elif move.task.id in healthy:
            service.moves.remove(move)
            going = [task for task, _ in stops]
            leaving = _leaving(service, move, going, region.clock.now())
            if leaving is None:
                say("is unable to AZ Rebalance. Reason: the tasks that would stop are protected.")
            else:
                stops.append((leaving, lifecycle.scaling_activity(service.primary.id)))
                say(f"has stopped 1 running tasks in {move.leave} due to AZ rebalancing: (task {leaving.id}).")
    return stops


def _leaving(service: Service, move: Move, going: list[Task], now: float) -> Task | None:
    """The newest task of the zone that may be stopped; of the same capacity provider."""
    here = [
        t
        for t in service.tasks.values()
        if t.zone == move.leave and t.desired_status == "RUNNING" and t.capacity_provider == move.task.capacity_provider
    ]
    return max((t for t in here if t not in going and not t.is_protected(now)), key=lambda t: t.created_at, default=None)


def wanting(view: rollout.ServiceView, service: Service) -> rollout.ServiceView:
    """The service as it is wanted while tasks move: one more for each move under way."""
    return replace(view, desired=view.desired + len(service.moves)) if service.moves else view


def begin(region: "Region", service: Service, say: Say) -> None:
    """Start what a steady service needs to be balanced, as far as the band has room."""
    if service.moves or not service.steady or service.desired_count < 2 or not _applies(service):
        return
    zones = _zones(region, service)
    counts: dict[str | None, Counter] = {}
    for task in (t for t in service.tasks.values() if t.desired_status == "RUNNING"):
        if task.capacity_provider not in counts:
            counts[task.capacity_provider] = Counter(dict.fromkeys(zones, 0))
        counts[task.capacity_provider][task.zone] += 1
    if any(set(count) != set(zones) for count in counts.values()):
        return  # a zone is leaving: its tasks are replaced anyway
    moves = [(provider, *move) for provider, count in counts.items() for move in placement.rebalancing_moves(sum(count.values()), count)]
    total = sum(counts.values(), Counter())
    standing = ", ".join(f"{total[zone]} tasks in {zone}" for zone in zones)
    if not moves:
        if service.balancing:
            service.balancing = False
            say(f"is AZ balanced with {standing}.")
        return
    if not service.balancing:
        service.balancing = True
        say(f"is not AZ balanced with {standing}. AZ Rebalancing in progress.")
    limits = rollout.band(service.desired_count, 0, service.deployment_configuration["maximumPercent"])
    for provider, zone, leave in moves[: limits.surge]:
        task = _start(region, service, zone, provider)
        if task is None:
            region.wake_at(region.clock.now() + RETRY, service)
            continue
        service.moves.append(Move(task, leave))
        say(f"has started 1 tasks in {zone} to AZ Rebalance: (task {task.id}).")
    service.steady = not service.moves


def _zones(region: "Region", service: Service) -> list[str]:
    """Where the service may have tasks now."""
    config = service.primary.config
    subnets = ((config.get("networkConfiguration") or {}).get("awsvpcConfiguration") or {}).get("subnets", ())
    of_subnets = {region.vpc.zone(s) for s in subnets}
    found = of_subnets
    if launch.launch_type_of(config) != "FARGATE":
        hosts = placing.meeting(service.cluster, "EC2", _constraints(service))
        found = {i.zone for i in hosts if i.agent_connected and (not subnets or i.zone in of_subnets)}
    return sorted(found - region.failures.zones)


def _start(region: "Region", service: Service, zone: str, provider: str | None) -> Task | None:
    """A task of the service in that zone; None when there is no room."""
    try:
        return _started(region, service, zone, provider)
    except EcsError:  # its subnets have no free address
        return None


def _started(region: "Region", service: Service, zone: str, provider: str | None) -> Task | None:
    deployment = service.primary
    config = deployment.config
    common = region.services.common(service, deployment)
    if launch.launch_type_of(config) != "FARGATE":
        here = {"type": "memberOf", "expression": f"attribute:ecs.availability-zone == {zone}"}
        constraints = [*(service.settings.get("placementConstraints") or ()), here]
        placed = placing.place(region, service.cluster, common["definition"], config, common["group"], 1, constraints, service.settings.get("placementStrategy") or ())
        if not placed or not placed.instances:
            return None
        return launch.new_task(region, service.cluster, deployment.task_definition, config, instance=placed.instances[0], **common)
    network = config["networkConfiguration"]["awsvpcConfiguration"]
    there = {**network, "subnets": [s for s in network["subnets"] if region.vpc.zone(s) == zone]}
    config = {**config, "networkConfiguration": {"awsvpcConfiguration": there}}
    return launch.new_task(region, service.cluster, deployment.task_definition, config, provider=provider, **common)
