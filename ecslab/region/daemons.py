"""DAEMON services in the region: their instances, shown to `rules.daemon`, and what comes of it.

Source: Developer Guide, "Amazon ECS services" (Daemon).
"""
from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Callable, Sequence

from ..rules import daemon, placement, rollout
from . import launch, placing
from .model import ContainerInstance, Deployment, Service, Task

if TYPE_CHECKING:
    from . import Region


def is_daemon(service: Service | None) -> bool:
    return service is not None and service.scheduling_strategy == "DAEMON"


def wanted(service: Service, config: dict, definition: dict) -> list[ContainerInstance]:
    """The ACTIVE container instances that should run a task of the service, in the order they joined."""
    constraints = (*definition.get("placementConstraints", ()), *(service.settings.get("placementConstraints") or ()))
    return placing.meeting(service.cluster, launch.launch_type_of(config), constraints)


def plan(service: Service, view: rollout.ServiceView, now: float) -> tuple[rollout.ServiceView, list]:
    """The service as its instances want it, and what to do. The desired count follows the instances."""
    primary = service.primary
    chosen = {i.id: i for i in wanted(service, primary.config, primary.task_definition.definition)}
    holding = {t.instance.id: t.instance for t in service.tasks.values() if t.instance}
    service.desired_count = len(chosen)
    hosts = [daemon.Host(i.id, i.id in chosen, _others(i)) for i in {**chosen, **holding}.values()]
    view = replace(view, desired=len(chosen))
    return view, daemon.plan(view, hosts, now)


def violates(service: Service, task: Task) -> bool:
    """Does the task stand on an instance that takes tasks, but no longer meets the service's constraints?"""
    instance = task.instance
    meets = (i is instance for i in wanted(service, service.primary.config, service.primary.task_definition.definition))
    return instance.status == "ACTIVE" and instance.agent_connected and not any(meets)


def _others(instance: ContainerInstance) -> int:
    return sum(not is_daemon(task.service) for task in instance.held.values())


def room(region: "Region", service: Service, deployment: Deployment, ids: Sequence[str], say: Callable[[str], None]) -> list[ContainerInstance]:
    """Those of the instances that can take the task now; `say` hears why another cannot."""
    definition, instances = deployment.task_definition.definition, service.cluster.instances
    refusals = {i: placing.refusal(region, instances[i], definition, deployment.config) for i in ids}
    failures = [placement.Failure(instances[i].arn, reason) for i, reason in refusals.items() if reason]
    if failures:
        say(placement.placement_event(failures))
    return [instances[i] for i, reason in refusals.items() if not reason]
