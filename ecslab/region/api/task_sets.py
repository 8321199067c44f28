"""Task sets of services with the EXTERNAL deployment controller.

Source: API Reference, CreateTaskSet, UpdateTaskSet, UpdateServicePrimaryTaskSet,
DeleteTaskSet, DescribeTaskSets.
"""
from __future__ import annotations

from ...rules import task_sets as rules
from ...rules.errors import EcsError, invalid
from .. import launch, task_sets
from . import operation
from .common import check_tags, cluster_of, included, missing
from .service_operations import connect, named
from .task_definitions import usable


@operation
def create_task_set(region, request):
    cluster = cluster_of(region, request)
    service = _external(region, cluster, request)
    request = rules.check_create(service.deployment_controller, request, _views(service))
    task_definition = usable(region, request["taskDefinition"])
    config = launch.configuration(region, cluster, request, task_definition)
    connect(region, cluster, config, request, task_definition)
    made = task_sets.create(
        region, service, task_definition, config, scale=request["scale"]["value"],
        external_id=request.get("externalId"), tags=check_tags(request.get("tags")),
    )  # fmt: skip
    return {"taskSet": task_sets.describe(region, service, made, tags=True)}


@operation
def update_task_set(region, request):
    service = _external(region, cluster_of(region, request), request)
    one = _found(service, request["taskSet"])
    given = rules.check_update(service.deployment_controller, _view(one), request.get("scale"))
    one.scale, one.updated_at = given["value"], region.clock.now()
    region.touch(service)
    return {"taskSet": task_sets.describe(region, service, one)}


@operation
def update_service_primary_task_set(region, request):
    service = _external(region, cluster_of(region, request), request)
    one = _found(service, request["primaryTaskSet"])
    rules.make_primary(service.deployment_controller, _views(service), one.id)
    task_sets.make_primary(service, one, region.clock.now())
    return {"taskSet": task_sets.describe(region, service, one)}


@operation
def delete_task_set(region, request):
    service = _external(region, cluster_of(region, request), request)
    one = _found(service, request["taskSet"])
    rules.check_delete(service.deployment_controller, _view(one), bool(request.get("force")))
    one.status, one.updated_at = "DRAINING", region.clock.now()
    region.touch(service)
    return {"taskSet": task_sets.describe(region, service, one)}


@operation
def describe_task_sets(region, request):
    service = _external(region, cluster_of(region, request), request)
    tags = included(request, "TAGS", ("TAGS",))
    wanted = request.get("taskSets")
    if not wanted:
        return {"taskSets": [task_sets.describe(region, service, one, tags) for one in service.task_sets], "failures": []}
    known = {name: one for one in service.task_sets for name in (one.id, one.arn)}
    return {
        "taskSets": [task_sets.describe(region, service, known[name], tags) for name in wanted if name in known],
        "failures": [missing(name) for name in wanted if name not in known],
    }


def _external(region, cluster, request):
    service = named(cluster, request["service"])
    if service.status != "ACTIVE":
        raise EcsError("ServiceNotActiveException", "Service was not ACTIVE.")
    if service.deployment_controller == "ECS":
        raise invalid(rules.NOT_EXTERNAL)
    return service


def _found(service, name: str):
    one = next((t for t in service.task_sets if name in (t.id, t.arn)), None)
    if one is None:
        raise EcsError("TaskSetNotFoundException", "The specified task set does not exist.")
    return one


def _view(one) -> rules.TaskSetView:
    return rules.TaskSetView(one.id, one.status, one.scale)


def _views(service) -> list[rules.TaskSetView]:
    return [_view(one) for one in service.task_sets]
