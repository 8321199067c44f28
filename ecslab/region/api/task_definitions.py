"""Task definitions: register, describe, list, deregister, delete.

What a definition may say is decided by `rules.task_definition`; here live its
revisions and states. Source: API Reference, RegisterTaskDefinition and its
neighbours; Developer Guide, "Task definition states".
"""
from __future__ import annotations

from ...rules import task_definition as rules
from ...rules.errors import client, invalid
from .. import identifiers
from ..model import TaskDefinition
from . import operation
from .common import check_tags, included, page

UNKNOWN = "The specified task definition does not exist. Specify a valid account, family, revision and try again."
STILL_ACTIVE = "The specified task definition is still in ACTIVE status. Please deregister the target and try again."
NO_REVISION = "The specified task definition identifier is invalid. Specify a valid name or ARN and try again."


@operation
def register_task_definition(region, request):
    tags = check_tags(request.get("tags"))
    definition = rules.register({name: value for name, value in request.items() if name != "tags"})
    region.check_safety(definition)
    family = definition["family"]
    revisions = region.task_definitions.setdefault(family, [])
    revision = len(revisions) + 1
    registered = TaskDefinition(
        arn=region.ids.arn("task-definition", f"{family}:{revision}"),
        family=family,
        revision=revision,
        definition=definition,
        registered_at=region.clock.now(),
        registered_by=f"arn:aws:iam::{identifiers.ACCOUNT}:user/learner",
    )
    revisions.append(registered)
    region.tags[registered.arn] = tags
    return {"taskDefinition": registered.describe(), "tags": tags}


@operation
def describe_task_definition(region, request):
    wants_tags = included(request, "TAGS", ("TAGS",))
    found = find(region, request["taskDefinition"])
    if found is None:
        raise client("Unable to describe task definition.")
    return {"taskDefinition": found.describe(), "tags": region.tags.get(found.arn, []) if wants_tags else []}


@operation
def list_task_definitions(region, request):
    status = request.get("status") or "ACTIVE"
    prefix = request.get("familyPrefix")
    found = [
        d
        for family in sorted(region.task_definitions)
        for d in region.task_definitions[family]
        if d is not None and d.status == status and (prefix is None or family == prefix)
    ]
    if request.get("sort") == "DESC":
        found.reverse()
    return page(request, "taskDefinitionArns", [d.arn for d in found])


@operation
def list_task_definition_families(region, request):
    status = request.get("status")
    prefix = request.get("familyPrefix") or ""
    families = []
    for family, revisions in sorted(region.task_definitions.items()):
        active = any(d is not None and d.status == "ACTIVE" for d in revisions)
        if family.startswith(prefix) and (status in (None, "ALL") or (status == "ACTIVE") == active):
            families.append(family)
    return page(request, "families", families)


@operation
def deregister_task_definition(region, request):
    _, revision = identifiers.family_and_revision(request["taskDefinition"])
    if revision is None:
        raise client("Revision is missing.")
    found = find(region, request["taskDefinition"])
    if found is None or found.status == "DELETE_IN_PROGRESS":
        raise client("Unable to describe task definition.")
    if found.status == "ACTIVE":
        found.status = "INACTIVE"
        found.deregistered_at = region.clock.now()
    return {"taskDefinition": found.describe()}


@operation
def delete_task_definitions(region, request):
    wanted = request.get("taskDefinitions") or []
    if not wanted:
        raise invalid("size of TaskDefinition references list must be greater than 0")
    if len(wanted) > 10:
        raise invalid("Size of TaskDefinition references list cannot exceed 10")
    deleted, failures = [], []
    for identifier in wanted:
        reason = None
        found = None
        if identifiers.family_and_revision(identifier)[1] is None:
            reason = NO_REVISION
        else:
            found = find(region, identifier)
            if found is None:
                reason = UNKNOWN
            elif found.status == "ACTIVE":
                reason = STILL_ACTIVE
        if reason:
            failures.append({"arn": identifier, "reason": reason})
        else:
            found.status = "DELETE_IN_PROGRESS"
            found.delete_requested_at = found.delete_requested_at or region.clock.now()
            deleted.append(found.describe())
    return {"taskDefinitions": deleted, "failures": failures}


def find(region, identifier: str) -> TaskDefinition | None:
    """The revision named, or the latest ACTIVE one of a bare family; None when there is none."""
    family, revision = identifiers.family_and_revision(identifier)
    if revision is None:
        active = [d for d in region.task_definitions.get(family, ()) if d is not None and d.status == "ACTIVE"]
        return active[-1] if active else None
    return _revision(region, family, revision)


def _revision(region, family: str, revision: int) -> TaskDefinition | None:
    revisions = region.task_definitions.get(family, [])
    return revisions[revision - 1] if 1 <= revision <= len(revisions) else None


def usable(region, identifier: str) -> TaskDefinition:
    """A revision that new tasks may start from. ClientException otherwise."""
    found = find(region, identifier)
    if found is None:
        raise client("TaskDefinition not found.")
    if found.status != "ACTIVE":
        raise client("TaskDefinition is inactive")
    return found
