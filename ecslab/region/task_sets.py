"""Services whose deployments another program makes: task sets, scaled and drained.

A task set keeps a share of the service's desired count running. `rules.task_sets`
says what is allowed and what is missing; here it is carried out.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..rules import health, lifecycle
from ..rules import task_sets as rules
from . import services
from .model import Deployment, Service, without_none

if TYPE_CHECKING:
    from . import Region


@dataclass
class TaskSet:
    """`deployment` carries what its tasks are made of; its id is the task set's."""

    arn: str
    deployment: Deployment
    created_at: float
    scale: float = 0.0
    status: str = "ACTIVE"
    external_id: str | None = None
    started_by: str | None = None
    updated_at: float = 0.0
    stability: str = "STABILIZING"
    stability_at: float = 0.0
    drain_at: float | None = None  # CodeDeploy's wait before the original goes

    @property
    def id(self) -> str:
        return self.deployment.id


def create(region: "Region", service: Service, task_definition, config: dict, *, scale: float, tags=(), **fields) -> TaskSet:
    """A new ACTIVE task set."""
    now = region.clock.now()
    deployment = Deployment(region.ids.deployment(), task_definition, config, now, now, status="ACTIVE")
    deployment.revision_arn = region.ids.arn("service-revision", service.cluster.name, service.name, region.ids.number())
    made = TaskSet(
        arn=region.ids.arn("task-set", service.cluster.name, service.name, deployment.id),
        deployment=deployment, created_at=now, updated_at=now, stability_at=now, scale=scale, **fields,
    )  # fmt: skip
    service.task_sets.append(made)
    region.tags[made.arn] = list(tags)
    region.touch(service)
    return made


def make_primary(service: Service, chosen: TaskSet, now: float) -> None:
    """The service takes over the settings of the task set; the former PRIMARY is ACTIVE."""
    for one in service.task_sets:
        if one is chosen:
            one.status, one.updated_at = "PRIMARY", now
        elif one.status == "PRIMARY":
            one.status, one.updated_at = "ACTIVE", now


def view(region: "Region", service: Service, one: TaskSet, now: float) -> rules.TaskSetView:
    mine = [t for t in service.tasks.values() if t.deployment_id == one.id]
    going = [t for t in mine if t.desired_status == "STOPPED"]
    for task in mine:  # a task without checks counts as healthy only after a while
        if task.last_status == "RUNNING" and (due := task.started_at + health.UNCHECKED_HEALTHY_AFTER) > now:
            region.wake_at(due, service)
    up = [t for t in mine if t.desired_status == "RUNNING" and not services.is_ill(region, service, t, now)]
    return rules.TaskSetView(
        id=one.id,
        status=one.status,
        scale=one.scale,
        running=sum(t.last_status == "RUNNING" for t in up),
        pending=sum(t.last_status != "RUNNING" for t in up),
        stopping=len(going),
        all_healthy=all(services.is_healthy(t, now) for t in up if t.last_status == "RUNNING"),
    )


def reconcile(region: "Region", service: Service, now: float) -> None:
    """Start and stop what the scales ask for; replace tasks that fail their checks."""
    controller = region.services
    for one in list(service.task_sets):
        _stop_ill(region, service, one, now)
        for action in rules.plan(service.desired_count, [view(region, service, one, now)]):
            match action:
                case rules.Start(count=count):
                    controller.start(service, one.deployment, count)
                case rules.Stop(count=count):
                    mine = [t for t in service.tasks.values() if t.deployment_id == one.id and t.desired_status == "RUNNING"]
                    mine.sort(key=lambda t: (t.last_status == "RUNNING", -t.created_at))
                    controller.stop(service, [(t, lifecycle.scaling_activity(one.id)) for t in mine[:count]])
                case rules.Remove():
                    service.task_sets.remove(one)
        status = rules.stability_status(service.desired_count, view(region, service, one, now))
        if status != one.stability:
            one.stability, one.stability_at = status, now
            if status == "STEADY_STATE":
                services.say(region, service, "has reached a steady state.", f", taskSet {one.id}")


def _stop_ill(region: "Region", service: Service, one: TaskSet, now: float) -> None:
    ill = [
        t
        for t in service.tasks.values()
        if t.deployment_id == one.id and t.desired_status == "RUNNING" and services.is_ill(region, service, t, now)
    ]
    region.services.stop(service, [(t, services.why_ill(region, service, t)) for t in ill])


def describe(region: "Region", service: Service, one: TaskSet, tags: bool = False) -> dict:
    config = one.deployment.config
    running, pending = service.counts(one.id)
    return without_none(
        {
            "id": one.id,
            "taskSetArn": one.arn,
            "serviceArn": service.arn,
            "clusterArn": service.cluster.arn,
            "startedBy": one.started_by,
            "externalId": one.external_id,
            "status": one.status,
            "taskDefinition": one.deployment.task_definition.arn,
            "computedDesiredCount": rules.wanted(service.desired_count, rules.TaskSetView(one.id, one.status, one.scale)),
            "pendingCount": pending,
            "runningCount": running,
            "createdAt": one.created_at,
            "updatedAt": one.updated_at,
            **{name: config.get(name) for name in rules.LENT_TO_SERVICE if name != "taskDefinition"},
            "scale": {"value": one.scale, "unit": "PERCENT"},
            "stabilityStatus": one.stability,
            "stabilityStatusAt": one.stability_at,
            "tags": region.tags.get(one.arn, []) if tags else None,
        }
    )
