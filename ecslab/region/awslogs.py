"""The awslogs driver: what containers print goes to CloudWatch Logs while they run.

moto keeps groups and streams. Before a task starts its groups are looked for, or
made where the task definition says so; what is missing stops the task with the
words of ECS. From a container's start on the engine hands over every line.

The execution role must allow it. Without logs:PutLogEvents a task runs and its lines
are lost, as in AWS; on EC2 without an execution role the instance's role writes, which
is not looked at.

CloudWatch is never slow here, so nothing is blocked and nothing dropped in
either mode. A stream of another Region goes to that Region's CloudWatch.

Source: Developer Guide, "Send Amazon ECS logs to CloudWatch", "Stopped task error
messages"; CloudWatch Logs API Reference, PutLogEvents.
"""
from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Mapping

from ..rules import insights, log_lines, policy
from ..rules.execution_role import CREATE_GROUP, CREATE_STREAM, PUT_EVENTS
from . import metrics
from .identifiers import ACCOUNT

if TYPE_CHECKING:
    from . import Region
    from .model import Task
    from .roles import Caller

FLUSH_AFTER = 5.0  # seconds until an event of several lines that may go on is sent as it is
DRIVER = "failed to initialize logging driver: "
STREAM, GROUP = f"{DRIVER}failed to create Cloudwatch log stream: ", f"{DRIVER}failed to create Cloudwatch log group: "
NO_GROUP = f"{STREAM}ResourceNotFoundException: The specified log group does not exist."


@lru_cache
def mended():
    """moto's CloudWatch Logs on the region's time, and its queries answered by `rules/insights.py`. Once for the process."""
    from moto.logs import models

    models.utcnow = metrics.now
    models.execute_query = _found
    return models


def _found(log_groups, query: str, start_time: int, end_time: int) -> list[dict[str, str]]:
    """What a Logs Insights query finds between two seconds, both included."""
    from moto.logs.exceptions import LogsClientError

    events = [
        {"@timestamp": event.timestamp, "@message": event.message, "@logStream": stream.log_stream_name, "@log": f"{ACCOUNT}:{group.name}", "@ptr": str(event.event_id)}
        for group in log_groups
        for stream in group.streams.values()
        for event in stream.events
        if 1000 * start_time <= event.timestamp <= 1000 * end_time
    ]
    try:
        return insights.query(query, events)
    except insights.Malformed as error:
        raise LogsClientError("MalformedQueryException", str(error)) from None


def backend(region_name: str):
    return mended().logs_backends[ACCOUNT][region_name]


class AwsLogs:
    def __init__(self, region: "Region"):
        self._region = region

    def trouble(self, task: "Task") -> str | None:
        """Why the task's log drivers can not start, as the whole stoppedReason; None when they can."""
        role = self._region.roles.execution(task)
        for definition in _logging(task):
            options = definition["logConfiguration"].get("options") or {}
            why = self._prepare(options, role, log_lines.stream(options, definition["name"], task.id))
            if why:
                kind = "ResourceInitializationError" if task.launch_type == "FARGATE" else "CannotStartContainerError: Error response from daemon"
                return f"{kind}: {why}"
        return None

    def _prepare(self, options: Mapping[str, str], role: "Caller | None", stream: str) -> str | None:
        try:
            log_lines.starts(options)
        except re.error as error:
            return f"{DRIVER}awslogs could not parse multiline pattern key: {error}"
        refused = _refused(role, CREATE_STREAM, options, stream)
        if refused:
            return f"{STREAM}{refused}"
        groups = backend(options["awslogs-region"])
        name = options["awslogs-group"]
        if name not in groups.groups:
            if options.get("awslogs-create-group") != "true":
                return NO_GROUP
            refused = _refused(role, CREATE_GROUP, options)
            if refused:
                return f"{GROUP}{refused}"
            groups.create_log_group(name, {}, kmsKeyId=None)
        return None

    def follow(self, task: "Task") -> None:
        """Have the engine hand over what the task's containers will print."""
        for definition in _logging(task):
            name = definition["name"]
            route = _Route(self._region, task, name, definition["logConfiguration"].get("options") or {})
            route.open()
            self._region.engine.follow(task.id, name, route.heard)


def _refused(role: "Caller | None", action: str, options: Mapping[str, str], stream: str = "") -> str:
    """Why the role may not do that to the group or stream; empty where it may, and where the instance's role writes the logs."""
    resource = f"arn:aws:logs:{options['awslogs-region']}:{ACCOUNT}:log-group:{options['awslogs-group']}:log-stream:{stream}"
    decision = policy.Decision(True) if role is None else role.decide(action, resource)
    return "" if decision else f"AccessDeniedException: {policy.denied(role.arn, action, resource, decision)}"


def _logging(task: "Task") -> list[dict]:
    return [c for c in task.definition["containerDefinitions"] if (c.get("logConfiguration") or {}).get("logDriver") == "awslogs"]


class _Route:
    """From one container to its stream."""

    def __init__(self, region: "Region", task: "Task", container: str, options: Mapping[str, str]):
        self._region, self._task, self._container, self._options = region, task, container, options
        self._start = log_lines.starts(options)
        self._pending: str | None = None
        self._pending_since = 0.0
        self._stream = ""
        self._early: list[str] = []  # printed before the container's id was known

    def open(self) -> None:
        """A stream whose name is known is there before the first line."""
        if self._options.get("awslogs-stream-prefix"):
            self._put([], 0)

    def heard(self, lines: list[str], ended: bool = False) -> None:
        """Called by the engine, from any thread, with lines in order; `ended` with the last of a run."""
        with self._region.lock:
            now = self._region.clock.now()
            found, pending = log_lines.events(lines, self._start, self._pending)
            if pending is not None and (ended or not lines and now - self._pending_since >= FLUSH_AFTER):
                found, pending = [*found, pending], None
            elif pending is not None and pending is not self._pending:
                self._pending_since = now
                self._region.wake_at(now + FLUSH_AFTER, lambda: self.heard([]))
            self._pending = pending
            if found:
                self._put(found, int(now * 1000))

    def _put(self, messages: list[str], at: int) -> None:
        group = backend(self._options["awslogs-region"]).groups.get(self._options["awslogs-group"])
        if group is None:
            return  # deleted under a running task: ECS drops what comes then
        name = self._name()
        messages, self._early = [*self._early, *messages], []
        if not name:
            self._early = messages
            self._region.wake_at(self._region.clock.now() + 0.1, lambda: self._put([], at))
            return
        if name not in group.streams:
            group.create_log_stream(name)
        if messages and not _refused(self._region.roles.execution(self._task), PUT_EVENTS, self._options, name):
            group.put_log_events(name, [{"timestamp": at, "message": message} for message in messages])

    def _name(self) -> str:
        """`prefix/container/task`; without a prefix (EC2 only) the Docker id, once it is known."""
        if not self._stream:
            runtime_id = self._task.facts.get(self._container, {}).get("runtimeId")
            self._stream = log_lines.stream(self._options, self._container, self._task.id) or runtime_id or ""
        return self._stream
