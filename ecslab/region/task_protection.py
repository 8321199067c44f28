"""`$ECS_AGENT_URI/task-protection/v1/state`: a container asks for its own task's protection, or changes it.

The agent calls ECS with the task role, which must allow that. What comes back is a
`protection`, a `failure` of ECS's own (a task that no service started), or an `error`.

Source: Developer Guide, "Amazon ECS task scale-in protection endpoint", "Protect your
Amazon ECS tasks from being terminated by scale-in events".
"""
from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from ..rules import policy
from ..rules.errors import EcsError
from . import metadata
from .model import Task

if TYPE_CHECKING:
    from . import Region

ACTIONS = {"GET": "ecs:GetTaskProtection", "PUT": "ecs:UpdateTaskProtection"}
INVALID = "InvalidParameterException"
NO_ROLE = "The task has no task role. It needs one that allows {}."


def answer(region: "Region", task: Task, method: str, body: str) -> tuple[int, dict[str, Any]]:
    """(HTTP status, body) of one request."""
    from .api.tasks import get_task_protection, update_task_protection

    try:
        _check_allowed(region, task, method)
        request = {"cluster": task.cluster.name, "tasks": [task.arn], **(_asked(body) if method == "PUT" else {})}
        return 200, _told((update_task_protection if method == "PUT" else get_task_protection)(region, request))
    except EcsError as error:
        why = {"Arn": task.arn, "Code": error.code, "Message": error.message}
        number = uuid.uuid5(uuid.NAMESPACE_URL, f"{task.arn} {method} {body} {region.clock.now()}")
        return (405 if method not in ACTIONS else 400), {"requestID": str(number), "error": why}


def _check_allowed(region: "Region", task: Task, method: str) -> None:
    if method not in ACTIONS:
        raise EcsError("MethodNotAllowed", "GET and PUT are answered here.")
    role, action = region.roles.of_task(task), ACTIONS[method]
    if role is None:
        raise EcsError("AccessDeniedException", NO_ROLE.format(action))
    decision = role.decide(action, task.arn, {"ecs:cluster": task.cluster.arn})
    if not decision:
        raise EcsError("AccessDeniedException", policy.denied(role.arn, action, task.arn, decision))


def _asked(body: str) -> dict[str, Any]:
    try:
        asked = json.loads(body or "{}")
    except ValueError:
        raise EcsError(INVALID, "The body is not valid JSON.") from None
    if not isinstance(asked, dict) or not isinstance(asked.get("ProtectionEnabled"), bool):
        raise EcsError(INVALID, "ProtectionEnabled must be true or false.")
    unknown = sorted(set(asked) - {"ProtectionEnabled", "ExpiresInMinutes"})
    if unknown:
        raise EcsError(INVALID, f"There is no parameter {', '.join(unknown)}: ProtectionEnabled and ExpiresInMinutes are.")
    minutes = asked.get("ExpiresInMinutes")
    if minutes is not None and (not isinstance(minutes, int) or isinstance(minutes, bool)):
        raise EcsError(INVALID, "ExpiresInMinutes must be a whole number.")
    return {"protectionEnabled": asked["ProtectionEnabled"], "expiresInMinutes": minutes}


def _told(found: dict[str, Any]) -> dict[str, Any]:
    if found["failures"]:
        (failure,) = found["failures"]
        return {"failure": {"Arn": failure["arn"], "Detail": failure.get("detail"), "Reason": failure["reason"]}}
    (one,) = found["protectedTasks"]
    return {"protection": {"ExpirationDate": metadata.moment(one.get("expirationDate")), "ProtectionEnabled": one["protectionEnabled"], "TaskArn": one["taskArn"]}}
