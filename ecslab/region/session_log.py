"""What a session of ECS Exec printed, kept where the cluster's executeCommandConfiguration says.

`logging` is NONE, DEFAULT (the container's own awslogs group, where there is one) or
OVERRIDE (a log group, a bucket, or both). The task role writes. Source: Developer
Guide, "Logging using ECS Exec"; API Reference, ExecuteCommandConfiguration.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Mapping

from ..engines.base import Executed
from . import awslogs
from .identifiers import ACCOUNT

if TYPE_CHECKING:
    from . import Region
    from .model import Task
    from .roles import Caller
    from .sessions import Session

WRITES = ("logs:CreateLogStream", "logs:PutLogEvents")


def definition_of(task: "Task", name: str) -> Mapping:
    return next(c for c in task.definition["containerDefinitions"] if c["name"] == name)


def configuration(session: "Session") -> Mapping:
    return (session.task.cluster.configuration or {}).get("executeCommandConfiguration") or {}


def keep(region: "Region", session: "Session", done: Executed) -> str | None:
    """Keep what was printed. Why that failed, where the cluster asked for it by name; else None."""
    role = region.roles.of_task(session.task)
    wanted = configuration(session)
    logging = wanted.get("logging") or "DEFAULT"
    if logging == "DEFAULT":
        _to_group(region, role, session, done, _own_group(session), False)
    if logging != "OVERRIDE":
        return None
    log = wanted["logConfiguration"]
    group, bucket = log.get("cloudWatchLogGroupName"), log.get("s3BucketName")
    troubles = [
        _to_group(region, role, session, done, group, bool(log.get("cloudWatchEncryptionEnabled"))),
        _to_bucket(role, session, done, bucket, log.get("s3KeyPrefix")),
    ]
    return "; ".join(t for t in troubles if t) or None


def _own_group(session: "Session") -> str | None:
    logging = definition_of(session.task, session.container).get("logConfiguration") or {}
    return (logging.get("options") or {}).get("awslogs-group") if logging.get("logDriver") == "awslogs" else None


def _to_group(region: "Region", role: "Caller | None", session: "Session", done: Executed, name: str | None, encrypted: bool) -> str | None:
    if not name:
        return None
    resource = f"arn:aws:logs:{region.name}:{ACCOUNT}:log-group:{name}:*"
    refused = next((action for action in WRITES if role is None or not role.decide(action, resource)), None)
    group = awslogs.backend(region.name).groups.get(name)
    if refused:
        return f"the task role may not {refused} on {resource}"
    if group is None:
        return f"there is no log group {name}"
    if encrypted and not group.kms_key_id:
        return f"the log group {name} is not encrypted with a KMS key, and cloudWatchEncryptionEnabled is true"
    at = int(region.clock.now() * 1000)
    group.create_log_stream(session.id)
    if done.output:
        group.put_log_events(session.id, [{"timestamp": at, "message": line} for line in done.output.splitlines()])
    return None


def _to_bucket(role: "Caller | None", session: "Session", done: Executed, name: str | None, prefix: str | None) -> str | None:
    if not name:
        return None
    from moto.s3.exceptions import MissingBucket
    from moto.s3.models import s3_backends

    key = f"{prefix.rstrip('/')}/{session.id}.log" if prefix else f"{session.id}.log"
    resource = f"arn:aws:s3:::{name}/{key}"
    if role is None or not role.decide("s3:PutObject", resource):
        return f"the task role may not s3:PutObject on {resource}"
    try:
        s3_backends[ACCOUNT]["aws"].put_object(name, key, done.output.encode())
    except MissingBucket:
        return f"there is no bucket {name}"
    return None
