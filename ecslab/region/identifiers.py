"""Names, ARNs and ids of the region: how they are made and how they are read.

Ids come from the region's seeded random numbers, so a run with the same seed
has the same ids. Source: Service Authorization Reference, "Resource types
defined by Amazon Elastic Container Service".
"""
from __future__ import annotations

import re
from random import Random

from ..rules.errors import EcsError, invalid

ACCOUNT = "123456789012"
NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")


class Identifiers:
    def __init__(self, region_name: str, random: Random):
        self.region_name = region_name
        self._random = random

    def arn(self, kind: str, *path: str) -> str:
        return f"arn:aws:ecs:{self.region_name}:{ACCOUNT}:{kind}/{'/'.join(path)}"

    def hex(self, digits: int = 32) -> str:
        return f"{self._random.getrandbits(4 * digits):0{digits}x}"

    def uuid(self) -> str:
        digits = self.hex(32)
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))

    def number(self, digits: int = 19) -> str:
        return str(self._random.randrange(10 ** (digits - 1), 10**digits))

    def deployment(self) -> str:
        return f"ecs-svc/{self.number()}"


def cluster_name(identifier: str | None) -> str:
    """The name in a cluster's name or ARN; `default` for none."""
    if not identifier:
        return "default"
    if identifier.startswith("arn:"):
        kind, _, name = _resource(identifier).partition("/")
        if kind != "cluster":
            raise invalid(f"Unsupported resource type: {kind}")
        return name
    return identifier


def within_cluster(kind: str, identifier: str, cluster: str) -> str:
    """The last part of a task's, service's or container instance's name or ARN, which must be of `cluster`."""
    if not identifier.startswith("arn:"):
        return identifier.rpartition("/")[2]
    found, *path = _resource(identifier).split("/")
    if found != kind:
        raise invalid(f"Unsupported resource type: {found}")
    if len(path) == 2 and path[0] != cluster:
        raise invalid(f"Invalid identifier: Identifier is for cluster {path[0]}. Your cluster is {cluster}")
    return path[-1]


def family_and_revision(identifier: str) -> tuple[str, int | None]:
    """`family`, `family:revision` or a task definition's ARN. InvalidParameterException for a revision that is no number."""
    if identifier.startswith("arn:"):
        kind, _, identifier = _resource(identifier).partition("/")
        if kind != "task-definition":
            raise invalid(f"Unsupported resource type: {kind}")
    family, colon, revision = identifier.partition(":")
    if not colon:
        return family, None
    if not revision.isdigit():
        raise EcsError("InvalidParameterException", f"Invalid revision number. Number: {revision}")
    return family, int(revision)


def _resource(arn: str) -> str:
    parts = arn.split(":", 5)
    if len(parts) != 6 or parts[2] != "ecs":
        raise invalid("Invalid arn syntax")
    return parts[5]
