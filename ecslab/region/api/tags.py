"""Tags on clusters, services, tasks, task definitions and container instances.

Source: API Reference, TagResource, UntagResource, ListTagsForResource.
"""
from __future__ import annotations

from ...rules.errors import EcsError, invalid
from . import operation
from .common import check_tags


@operation
def tag_resource(region, request):
    arn = _known(region, request["resourceArn"])
    merged = {tag["key"]: tag for tag in region.tags.get(arn, [])}
    merged.update({tag["key"]: tag for tag in check_tags(request.get("tags"))})
    region.tags[arn] = check_tags(list(merged.values()))
    return {}


@operation
def untag_resource(region, request):
    arn = _known(region, request["resourceArn"])
    gone = set(request.get("tagKeys") or [])
    region.tags[arn] = [tag for tag in region.tags.get(arn, []) if tag["key"] not in gone]
    return {}


@operation
def list_tags_for_resource(region, request):
    return {"tags": region.tags.get(_known(region, request["resourceArn"]), [])}


def _known(region, arn: str) -> str:
    if not arn.startswith("arn:aws:ecs:") or "/" not in arn:
        raise invalid("The ARN provided is invalid.")
    if arn not in region.tags:
        raise EcsError("ResourceNotFoundException", "The specified resource could not be found.")
    return arn
