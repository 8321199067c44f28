"""ECS Exec: what a task must have before a command can be run in one of its containers.

The agent of ECS Exec is started beside each container of a task that was launched
with the flag. It opens its channel with the task role, not the execution role.
Sources: Developer Guide, "Using Amazon ECS Exec to access containers"; API
Reference, ExecuteCommand, ManagedAgent.
"""
from __future__ import annotations

import shlex
from typing import Mapping, Sequence

from .errors import EcsError, invalid

AGENT = "ExecuteCommandAgent"
AGENT_STARTS = 2.0  # seconds after its container; our choice, AWS documents none
PERMISSIONS = (
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
)
READ_ONLY = "The agent cannot write its files: readonlyRootFilesystem is true for this container."
NOT_READY = (
    "The execute command failed because execute command was not enabled when the task was run or the execute command "
    "agent isn't running. Wait and try again or run a new task with execute command enabled and try again."
)
NOT_CONNECTED = "The execute command failed due to an internal error. Try again later."
NO_ROLE = (
    "The {} couldn't be {} because a valid taskRoleArn is not being used. Specify a valid task role in your task "
    "definition and try again."
)


def check_role(definition: Mapping, what: str, done: str) -> None:
    """InvalidParameterException when the flag is on and no task role could open the channel."""
    if not definition.get("taskRoleArn"):
        raise invalid(NO_ROLE.format(what, done))


def check_request(request: Mapping) -> list[str]:
    """The command's words. InvalidParameterException for a request that no task could answer."""
    if not request["interactive"]:
        raise invalid("Interactive is the only mode supported currently.")
    try:
        words = shlex.split(request["command"])
    except ValueError as error:
        raise invalid(f"The command cannot be read: {error}.") from None
    if not words:
        raise invalid("command can not be empty.")
    return words


def container_name(given: str | None, names: Sequence[str]) -> str:
    """The container that is meant: the only one, when none is named."""
    if given is None and len(names) == 1:
        return names[0]
    if given is None:
        raise invalid(f"Specify a container: the task has {len(names)}, {', '.join(names)}.")
    if given not in names:
        raise invalid(f"The task has no container named {given}.")
    return given


def first_status(definition: Mapping) -> dict:
    """The agent of a container that has just started."""
    if definition.get("readonlyRootFilesystem"):
        return {"name": AGENT, "lastStatus": "STOPPED", "reason": READ_ONLY}
    return {"name": AGENT, "lastStatus": "PENDING"}


def check_ready(enabled: bool, task_status: str, agent: Mapping | None) -> None:
    """InvalidParameterException unless the flag was on at launch, the task runs and the container's agent too."""
    if not (enabled and task_status == "RUNNING" and agent and agent["lastStatus"] == "RUNNING"):
        raise invalid(NOT_READY)


def check_processes(pid_mode: str | None, first: str, container: str) -> None:
    """Containers that share their processes take sessions in one of them only: the first that had one."""
    if pid_mode == "task" and container != first:
        raise invalid(f"With pidMode task, sessions can be started in one container only: this task's is {first}.")


def not_connected() -> EcsError:
    """The agent runs, but its channel is not open: its role may not, or nothing leads there."""
    return EcsError("TargetNotConnectedException", NOT_CONNECTED)
