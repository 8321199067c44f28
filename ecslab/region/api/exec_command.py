"""ExecuteCommand: a session of ECS Exec, once everything it needs is there.

Source: API Reference, ExecuteCommand.
"""
from __future__ import annotations

from ...rules import exec_command as rules
from ...rules.errors import invalid
from . import operation
from .common import cluster_of
from .tasks import find_task


@operation
def execute_command(region, request):
    cluster = cluster_of(region, request)
    command = rules.check_request(request)
    task = find_task(cluster, request["task"])
    if task is None:
        raise invalid("The referenced task was not found.")
    container = rules.container_name(request.get("container"), list(task.containers))
    session = region.sessions.open(task, container, command)
    return {
        "clusterArn": cluster.arn,
        "taskArn": task.arn,
        "containerArn": task.facts[container]["containerArn"],
        "containerName": container,
        "interactive": True,
        "session": {"sessionId": session.id, "streamUrl": region.sessions.address(session), "tokenValue": session.token},
    }
