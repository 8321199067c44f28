"""What many operations share: finding a cluster, paging a list, reading `include`."""
from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Sequence

from ...rules.errors import EcsError, client, invalid
from ..identifiers import cluster_name
from ..model import Cluster

if TYPE_CHECKING:
    from .. import Region

MAX_TAGS = 50


def cluster_of(region: "Region", request: dict, active: bool = True) -> Cluster:
    """The cluster a request names. ClusterNotFoundException, or ClientException when it must be active and is not."""
    cluster = region.clusters.get(cluster_name(request.get("cluster")))
    if cluster is None:
        raise EcsError("ClusterNotFoundException", "Cluster not found.")
    if active and cluster.status == "INACTIVE":
        raise client("The referenced cluster was inactive.")
    return cluster


def page(request: dict, name: str, items: Sequence, most: int = 100, default: int | None = None) -> dict:
    """One page of `items` under `name`, with `nextToken` when there is more."""
    size = request.get("maxResults") or default or most
    if not 1 <= size <= most:
        raise invalid(f"maxResults should be between 1 and {most}.")
    start = _position(request.get("nextToken"))
    response: dict = {name: list(items[start : start + size])}
    if start + size < len(items):
        response["nextToken"] = base64.urlsafe_b64encode(f"{name}:{start + size}".encode()).decode()
    return response


def _position(token: str | None) -> int:
    if not token:
        return 0
    try:
        return int(base64.urlsafe_b64decode(token.encode()).decode().rpartition(":")[2])
    except ValueError:
        raise invalid("Invalid token.") from None


def included(request: dict, name: str, allowed: Sequence[str]) -> bool:
    """Does the request's `include` hold `name`? InvalidParameterException for words not allowed."""
    include = request.get("include") or []
    for word in include:
        if word not in allowed:
            raise invalid(f"include should be one of [{','.join(allowed)}]")
    return name in include


def missing(arn: str) -> dict:
    return {"arn": arn, "reason": "MISSING"}


def check_tags(tags: list[dict] | None) -> list[dict]:
    """The tags as given. InvalidParameterException when ECS would not take them."""
    tags = tags or []
    if len(tags) > MAX_TAGS:
        raise invalid(f"The number of tags exceeds the limit of {MAX_TAGS}.")
    keys = [tag.get("key") or "" for tag in tags]
    if any(not key for key in keys):
        raise invalid("Tag key must not be empty.")
    if len(set(keys)) != len(keys):
        raise invalid("Duplicate tag keys are not allowed.")
    for tag in tags:
        if tag["key"].lower().startswith("aws:"):
            raise invalid("Tag keys that start with 'aws:' are reserved for AWS use.")
        if len(tag["key"]) > 128 or len(tag.get("value") or "") > 256:
            raise invalid("A tag key can have at most 128 characters, its value at most 256.")
    return tags


def check_size(name: str, values: Sequence | None, most: int) -> list:
    values = list(values or [])
    if not values:
        raise invalid(f"{name} cannot be empty.")
    if len(values) > most:
        raise invalid(f"{name} cannot have more than {most} entries.")
    return values
