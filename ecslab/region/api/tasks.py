"""Tasks: run, start, stop, describe, list, protect.

Source: API Reference, RunTask, StartTask, StopTask, DescribeTasks, ListTasks,
GetTaskProtection, UpdateTaskProtection.
"""
from __future__ import annotations

from ...rules import exec_command, lifecycle, placement
from ...rules import task_definition as definitions
from ...rules.errors import EcsError, invalid
from .. import capacity, identifiers, launch, placing
from ..model import Task
from . import operation
from .common import check_size, check_tags, cluster_of, included, missing, page
from .task_definitions import usable

MOST_TASKS = 10
MOST_DESCRIBED = 100
PROTECTION_MINUTES = 120
MOST_PROTECTION_MINUTES = 2880


@operation
def run_task(region, request):
    cluster = cluster_of(region, request)
    count = 1 if request.get("count") is None else request["count"]
    if not 1 <= count <= MOST_TASKS:
        raise invalid(f"Count should be between 1 and {MOST_TASKS}.")
    token = request.get("clientToken")
    if token and token in cluster.client_tokens:
        return _again(region, cluster, request, token)
    common = _common(region, cluster, request)
    task_definition = common["task_definition"]
    config = launch.configuration(region, cluster, request, task_definition)
    if launch.launch_type_of(config) != "FARGATE":
        placement.placement_strategy(request.get("placementStrategy") or ())
        placement.placement_constraints(request.get("placementConstraints") or ())
    places = region.capacity.places(
        cluster,
        common["definition"],
        config,
        group=common["group"],
        count=count,
        constraints=request.get("placementConstraints") or (),
        strategy=request.get("placementStrategy") or (),
    )
    if places.empty and not places.found:
        raise capacity.refused(places)
    tasks = [launch.new_task(region, cluster, config=config, **place, **common) for place in places.found]
    failures = [_failure(f) for f in places.failures]
    if token:
        cluster.client_tokens[token] = (_fingerprint(request), [t.id for t in tasks])
    return {"tasks": [_describe(region, t) for t in tasks], "failures": failures}


@operation
def start_task(region, request):
    cluster = cluster_of(region, request)
    wanted = check_size("Container Instances", request.get("containerInstances"), MOST_TASKS)
    common = _common(region, cluster, request)
    task_definition = common["task_definition"]
    network = launch.network_configuration(region, request.get("networkConfiguration"), task_definition, "EC2")
    config = {"launchType": "EC2", **({"networkConfiguration": network} if network else {})}
    tasks, failures = [], []
    for identifier in wanted:
        instance = cluster.instances.get(identifiers.within_cluster("container-instance", identifier, cluster.name))
        if instance is None:
            failures.append(missing(identifier))
            continue
        reason = placing.refusal(region, instance, common["definition"], config)
        if reason:
            failures.append({"arn": instance.arn, "reason": reason})
        else:
            tasks.append(launch.new_task(region, cluster, config=config, instance=instance, **common))
    return {"tasks": [_describe(region, t) for t in tasks], "failures": failures}


def _common(region, cluster, request) -> dict:
    """What RunTask and StartTask hand on to every task they make."""
    task_definition = usable(region, request["taskDefinition"])
    overrides = request.get("overrides")
    if len(request.get("startedBy") or "") > 128:
        raise invalid("startedBy cannot be longer than 128 characters.")
    group = request.get("group")
    if group and group.startswith("service:"):
        raise invalid("The group name cannot start with 'service:'.")
    tags = check_tags(request.get("tags"))
    propagate = request.get("propagateTags")
    if propagate == "SERVICE":
        raise invalid("propagateTags SERVICE is only valid for tasks of a service.")
    inherited = region.tags.get(task_definition.arn, []) if propagate == "TASK_DEFINITION" else []
    managed = [{"key": "aws:ecs:clusterName", "value": cluster.name}] if request.get("enableECSManagedTags") else []
    definition = definitions.with_overrides(task_definition.definition, overrides)
    region.check_safety(definition)
    if request.get("enableExecuteCommand"):
        exec_command.check_role(definition, "task", "started")
    _check_volumes(definition, request.get("volumeConfigurations"))
    return {
        "task_definition": task_definition,
        "definition": definition,
        "overrides": overrides and {"containerOverrides": [], "inferenceAcceleratorOverrides": [], **overrides},
        "group": group or f"family:{task_definition.family}",
        "started_by": request.get("startedBy"),
        "tags": merge_tags(managed, inherited, tags),
        "enable_execute_command": bool(request.get("enableExecuteCommand")),
    }


def _failure(failure: placement.Failure) -> dict:
    return {"arn": failure.arn, "reason": failure.reason, **({"detail": failure.detail} if failure.detail else {})}


def merge_tags(*lists: list[dict]) -> list[dict]:
    return list({tag["key"]: tag for tags in lists for tag in tags}.values())


def _check_volumes(definition: dict, configurations: list[dict] | None) -> None:
    names = {v["name"] for v in definition.get("volumes", ()) if v.get("configuredAtLaunch")}
    for item in configurations or ():
        if item["name"] not in names:
            raise invalid(
                f"The volume name '{item['name']}' in your request does not have a matching volume in your Task Definition"
            )


def _fingerprint(request: dict) -> str:
    return repr(sorted((name, repr(value)) for name, value in request.items() if name != "clientToken"))


def _again(region, cluster, request, token):
    fingerprint, ids = cluster.client_tokens[token]
    arns = [region.ids.arn("task", cluster.name, i) for i in ids]
    if fingerprint != _fingerprint(request):
        raise EcsError(
            "ConflictException", "The clientToken was used before with other parameters.", resourceIds=arns
        )
    return {"tasks": [_describe(region, cluster.tasks[i]) for i in ids if i in cluster.tasks], "failures": []}


@operation
def stop_task(region, request):
    cluster = cluster_of(region, request)
    task = find_task(cluster, request["task"])
    if task is None:
        raise invalid("The referenced task was not found.")
    reason = request.get("reason") or lifecycle.STOPPED_BY_USER
    if len(reason) > 1024:
        raise invalid("reason cannot be longer than 1024 characters.")
    region.stop_task(task, lifecycle.USER_INITIATED, reason)
    return {"task": _describe(region, task)}


@operation
def describe_tasks(region, request):
    cluster = cluster_of(region, request)
    wants_tags = included(request, "TAGS", ("TAGS",))
    tasks, failures = [], []
    for identifier in check_size("Tasks", request.get("tasks"), MOST_DESCRIBED):
        task = find_task(cluster, identifier)
        if task is None:
            task_id = identifier.rpartition("/")[2]
            failures.append(missing(region.ids.arn("task", cluster.name, task_id)))
        else:
            tasks.append(_describe(region, task, wants_tags))
    return {"tasks": tasks, "failures": failures}


@operation
def list_tasks(region, request):
    cluster = cluster_of(region, request)
    status = request.get("desiredStatus") or "RUNNING"
    family, started_by, launch_type = request.get("family"), request.get("startedBy"), request.get("launchType")
    tasks = list(cluster.tasks.values())
    if request.get("serviceName"):
        name = identifiers.within_cluster("service", request["serviceName"], cluster.name)
        if name not in cluster.services:
            raise EcsError("ServiceNotFoundException", "Service not found.")
        tasks = [t for t in tasks if t.service is cluster.services[name]]
    if request.get("containerInstance"):
        wanted = identifiers.within_cluster("container-instance", request["containerInstance"], cluster.name)
        if wanted not in cluster.instances:
            raise invalid("The referenced container instance was not found.")
        tasks = [t for t in tasks if t.instance is cluster.instances[wanted]]
    found = [
        t.arn
        for t in tasks
        if t.desired_status == status
        and family in (None, t.task_definition.family)
        and started_by in (None, t.started_by)
        and launch_type in (None, t.launch_type)
    ]
    return page(request, "taskArns", found)


def find_task(cluster, identifier: str) -> Task | None:
    task_id = identifiers.within_cluster("task", identifier, cluster.name)
    if len(task_id) not in (32, 36):
        raise invalid("taskId length should be one of [32,36]")
    return cluster.tasks.get(task_id)


def _describe(region, task: Task, tags: bool = False) -> dict:
    shape = task.describe()
    if tags:
        shape["tags"] = region.tags.get(task.arn, [])
    return shape


@operation
def update_task_protection(region, request):
    cluster = cluster_of(region, request)
    minutes = request.get("expiresInMinutes")
    if minutes is not None and not 1 <= minutes <= MOST_PROTECTION_MINUTES:
        raise invalid(f"expiresInMinutes should be between 1 and {MOST_PROTECTION_MINUTES}.")
    now = region.clock.now()
    protected, failures = [], []
    for task, failure in _service_tasks(region, cluster, request):
        if failure:
            failures.append(failure)
            continue
        if request.get("protectionEnabled"):
            task.protected_until = now + 60 * (minutes or PROTECTION_MINUTES)
            region.wake_at(task.protected_until, task.service)
        else:
            task.protected_until = None
        region.touch(task.service)
        protected.append(_protection(task, now))
    return {"protectedTasks": protected, "failures": failures}


@operation
def get_task_protection(region, request):
    cluster = cluster_of(region, request)
    now = region.clock.now()
    if not request.get("tasks"):
        found = [(t, None) for t in cluster.tasks.values() if t.service and t.desired_status == "RUNNING"]
    else:
        found = list(_service_tasks(region, cluster, request))
    return {
        "protectedTasks": [_protection(task, now) for task, failure in found if not failure],
        "failures": [failure for _, failure in found if failure],
    }


def _service_tasks(region, cluster, request):
    for identifier in check_size("Tasks", request.get("tasks"), MOST_TASKS):
        task = find_task(cluster, identifier)
        if task is None:
            yield None, missing(identifier)
        elif task.service is None or task.desired_status == "STOPPED":
            yield None, {"arn": task.arn, "reason": "TASK_NOT_VALID", "detail": "The task is not a running task of a service."}
        else:
            yield task, None


def _protection(task: Task, now: float) -> dict:
    enabled = task.is_protected(now)
    return {
        "taskArn": task.arn,
        "protectionEnabled": enabled,
        **({"expirationDate": task.protected_until} if enabled else {}),
    }
