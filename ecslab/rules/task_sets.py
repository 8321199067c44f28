"""Task sets: how many tasks each one runs, which is PRIMARY, and what ECS refuses.

Theory. Where another program deploys (the `EXTERNAL` controller, or CodeDeploy),
a service starts no tasks of its own. It holds the desired count; each task set
runs a percentage of it, rounded up, with its own task definition and network.
Traffic is shifted outside ECS. A new task set is ACTIVE; one at a time may be made
PRIMARY, which lends the service its settings; a deleted one is DRAINING until its
last task has stopped.

A controller calls `plan(desired_count, task_sets)` after every change and carries
out the actions; the `check_...` functions answer whether a request is allowed.

Choices of ours, where AWS documents none: the wording of refusals marked "(ours)",
and `force` also deletes the PRIMARY task set. The limit of five task sets and the
wording of NOT_EXTERNAL, TOO_MANY and PRIMARY_STAYS are as callers report them.

Sources: API Reference, TaskSet, Scale, CreateTaskSet, UpdateTaskSet,
UpdateServicePrimaryTaskSet, DeleteTaskSet, CreateService, UpdateService;
Developer Guide, "External deployment".
"""
from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil
from typing import Any, Iterable, Mapping, Sequence

from .errors import EcsError, invalid

MOST_TASK_SETS = 5

# What a service takes over from the task set that becomes PRIMARY.
LENT_TO_SERVICE = (
    "taskDefinition", "launchType", "capacityProviderStrategy", "platformVersion", "platformFamily",
    "networkConfiguration", "loadBalancers", "serviceRegistries",
)  # fmt: skip

# What UpdateService may change, by deployment controller; everything under ECS.
_ALWAYS = (
    "cluster", "service", "desiredCount", "healthCheckGracePeriodSeconds", "placementConstraints",
    "placementStrategy", "enableECSManagedTags", "propagateTags",
)  # fmt: skip
UPDATABLE = {"CODE_DEPLOY": (*_ALWAYS, "deploymentConfiguration", "deploymentController"), "EXTERNAL": _ALWAYS}
INSTEAD = {"CODE_DEPLOY": "Use AWS CodeDeploy to trigger a new deployment.", "EXTERNAL": "Create a new task set."}
_IN_WORDS = {"taskDefinition": "task definition", "networkConfiguration": "network parameters"}

# Parts of deploymentConfiguration that only the ECS controller knows.
ECS_CONTROLLER_ONLY = (
    "deploymentCircuitBreaker", "bakeTimeInMinutes", "lifecycleHooks", "linearConfiguration", "canaryConfiguration",
)  # fmt: skip

NOT_EXTERNAL = "Amazon ECS only supports task set management on services configured to use external deployment controllers."
TOO_MANY = "{} deployments exist on the service. Unable to create new TaskSet since this exceeds the maximum limit."
PRIMARY_STAYS = "Primary TaskSet cannot be deleted"
STILL_SCALED = "The task set cannot be deleted while it is scaled above 0. Scale it to 0 or use force."  # (ours)
DRAINING_IS_FINAL = "The task set is DRAINING and can not be changed."  # (ours)


# What a task set looks like ----------------------------------------------------


@dataclass(frozen=True, slots=True)
class TaskSetView:
    """One task set. `running` and `pending` count tasks whose desiredStatus is RUNNING, `stopping` the others."""

    id: str
    status: str = "ACTIVE"  # PRIMARY | ACTIVE | DRAINING
    scale: float = 0.0  # percent of the service's desired count
    running: int = 0
    pending: int = 0
    stopping: int = 0
    all_healthy: bool = True  # load balancer, service discovery and container health checks agree
    on_draining_instances: int = 0  # its tasks on container instances that are DRAINING


def computed_desired_count(desired_count: int, scale: float) -> int:
    """desired_count x scale percent, always rounded up (computedDesiredCount)."""
    return ceil(desired_count * Fraction(str(scale)) / 100)


def wanted(desired_count: int, task_set: TaskSetView) -> int:
    """How many tasks it should run now: none once it is DRAINING."""
    return 0 if task_set.status == "DRAINING" else computed_desired_count(desired_count, task_set.scale)


def stability_status(desired_count: int, task_set: TaskSetView) -> str:
    steady = (
        task_set.running == wanted(desired_count, task_set)
        and task_set.pending == 0
        and task_set.on_draining_instances == 0
        and task_set.all_healthy
    )
    return "STEADY_STATE" if steady else "STABILIZING"


# What to do --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Start:
    task_set_id: str
    count: int


@dataclass(frozen=True, slots=True)
class Stop:
    task_set_id: str
    count: int


@dataclass(frozen=True, slots=True)
class Remove:
    """A DRAINING task set has no task left: it leaves the service."""

    task_set_id: str


Action = Start | Stop | Remove


def plan(desired_count: int, task_sets: Iterable[TaskSetView]) -> list[Action]:
    """Every start and stop due now; the empty list when each task set has its count."""
    return [action for task_set in task_sets for action in _steps(desired_count, task_set)]


def _steps(desired_count: int, task_set: TaskSetView) -> list[Action]:
    present = task_set.running + task_set.pending
    missing = wanted(desired_count, task_set) - present
    if missing > 0:
        return [Start(task_set.id, missing)]
    if missing < 0:
        return [Stop(task_set.id, -missing)]
    if task_set.status == "DRAINING" and not task_set.stopping:
        return [Remove(task_set.id)]
    return []


# The four operations -----------------------------------------------------------


def scale(given: Mapping[str, Any] | None) -> dict[str, Any]:
    """A Scale, checked and filled in: 0 PERCENT when omitted."""
    filled = {"value": 0.0, "unit": "PERCENT", **(given or {})}
    if filled["unit"] != "PERCENT":
        raise invalid("The scale unit must be PERCENT.")  # (ours)
    if not 0 <= filled["value"] <= 100:
        raise invalid("The scale value must be between 0 and 100.")  # (ours)
    return {**filled, "value": float(filled["value"])}


def check_create(controller: str, request: Mapping[str, Any], existing: Sequence[TaskSetView]) -> dict[str, Any]:
    """CreateTaskSet: the request with its scale filled in. EcsError when ECS would refuse it."""
    check_controller(controller)
    if len(existing) >= MOST_TASK_SETS:
        raise invalid(TOO_MANY.format(len(existing)))
    if not request.get("taskDefinition"):
        raise invalid("TaskDefinition can not be blank.")  # (ours)
    if request.get("launchType") and request.get("capacityProviderStrategy"):
        raise invalid("Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.")
    if len(request.get("loadBalancers") or ()) > 1:
        raise invalid("CreateTaskSet cannot have more than 1 load balancer.")  # (ours)
    if any(entry.get("loadBalancerName") for entry in request.get("loadBalancers") or ()):
        raise invalid("Classic Load Balancers are not supported with task sets.")  # (ours)
    if len(request.get("serviceRegistries") or ()) > 1:
        raise invalid("service registries can have at most 1 items")
    return {**request, "scale": scale(request.get("scale"))}


def check_update(controller: str, task_set: TaskSetView | None, given: Mapping[str, Any] | None) -> dict[str, Any]:
    """UpdateTaskSet: the new scale, the only thing it can change."""
    _changeable(controller, task_set)
    if not given:
        raise invalid("Scale can not be blank.")  # (ours)
    return scale(given)


def check_delete(controller: str, task_set: TaskSetView | None, force: bool = False) -> None:
    """DeleteTaskSet: afterwards the task set is DRAINING. Deleting one that drains already changes nothing."""
    check_controller(controller)
    found = _found(task_set)
    if force or found.status == "DRAINING":
        return
    if found.status == "PRIMARY":
        raise invalid(PRIMARY_STAYS)
    if found.scale > 0:
        raise invalid(STILL_SCALED)


def make_primary(controller: str, task_sets: Sequence[TaskSetView], id: str) -> tuple[TaskSetView, ...]:
    """UpdateServicePrimaryTaskSet: the task sets as they are afterwards; the former PRIMARY is ACTIVE."""
    _changeable(controller, next((t for t in task_sets if t.id == id), None))
    former = {"PRIMARY": "ACTIVE"}
    return tuple(replace(t, status="PRIMARY" if t.id == id else former.get(t.status, t.status)) for t in task_sets)


def check_controller(controller: str) -> None:
    """Only services of the EXTERNAL controller let callers manage task sets."""
    if controller != "EXTERNAL":
        raise invalid(NOT_EXTERNAL)


def _changeable(controller: str, task_set: TaskSetView | None) -> None:
    check_controller(controller)
    if _found(task_set).status == "DRAINING":
        raise invalid(DRAINING_IS_FINAL)


def _found(task_set: TaskSetView | None) -> TaskSetView:
    if task_set is None:
        raise EcsError("TaskSetNotFoundException", "The specified task set does not exist.")
    return task_set


# The service above them --------------------------------------------------------


def check_create_service(controller: str, request: Mapping[str, Any]) -> None:
    """CreateService with a controller other than ECS."""
    if controller == "ECS":
        return
    if request.get("schedulingStrategy") == "DAEMON":
        raise invalid(f"The DAEMON scheduling strategy is not supported with the {controller} deployment controller.")  # (ours)
    if (request.get("serviceConnectConfiguration") or {}).get("enabled"):
        raise invalid(f"Service Connect is not supported with the {controller} deployment controller.")  # (ours)
    check_deployment_configuration(controller, request.get("deploymentConfiguration") or {})
    _CREATE[controller](request)


def _create_external(request: Mapping[str, Any]) -> None:
    if request.get("taskDefinition"):
        raise invalid("TaskDefinition must be blank")


def _create_code_deploy(request: Mapping[str, Any]) -> None:
    if not any(entry.get("targetGroupArn") for entry in request.get("loadBalancers") or ()):
        raise invalid("The CODE_DEPLOY deployment controller requires an Application Load Balancer or Network Load Balancer")


_CREATE = {"EXTERNAL": _create_external, "CODE_DEPLOY": _create_code_deploy}


def check_update_service(controller: str, request: Mapping[str, Any]) -> None:
    """UpdateService: whatever else a service is made of changes with a new task set or a CodeDeploy deployment."""
    if controller == "ECS":
        return
    for field, value in request.items():
        if value not in (None, False) and field not in UPDATABLE[controller]:
            what = _IN_WORDS.get(field, field)
            raise invalid(f"Unable to update {what} on services with a {controller} deployment controller. {INSTEAD[controller]}")
    check_deployment_configuration(controller, request.get("deploymentConfiguration") or {})


def check_deployment_configuration(controller: str, given: Mapping[str, Any]) -> None:
    """Strategies, bake time, hooks and the circuit breaker belong to the ECS controller."""
    if controller == "ECS":
        return
    strategy = given.get("strategy")
    if strategy and strategy != "ROLLING":
        raise invalid(f"The {strategy} deployment strategy is not supported with the {controller} deployment controller.")  # (ours)
    for field in ECS_CONTROLLER_ONLY:
        if given.get(field) is not None:
            raise invalid(f"{field} is not supported with the {controller} deployment controller.")  # (ours)
