"""Slow start: a target that has just become healthy gets its share of requests little by little.

The share grows in a straight line from nothing to that of the others over
`slow_start.duration_seconds`. Somebody must be there to carry the rest: a target
enters slow start only beside a healthy one that is not in it. Targets that were
registered at the same moment do not wait for each other.

Source: Elastic Load Balancing, User Guide for Application Load Balancers, "Edit
target group attributes for your Application Load Balancer", slow start mode.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable, Mapping


@dataclass(frozen=True)
class Member:
    """A target as slow start sees it. `since` is when it entered slow start, None when it did not."""

    registered_at: float
    healthy: bool
    since: float | None = None


def duration(attributes: Mapping[str, Any]) -> float:
    """Seconds; 0 where slow start is off."""
    return float(attributes.get("slow_start.duration_seconds") or 0)


def share(since: float | None, lasts: float, now: float) -> float:
    """How much of a full share a target gets, from 0 to 1."""
    if since is None or lasts <= 0:
        return 1.0
    return min(1.0, max(0.0, (now - since) / lasts))


def enters(registered_at: float, returns: bool, others: Iterable[Member], lasts: float, now: float) -> bool:
    """Does a target that becomes healthy now enter slow start? `returns`: it was unhealthy before."""
    carriers = (one for one in others if one.healthy and share(one.since, lasts, now) == 1.0)
    return lasts > 0 and any(returns or one.registered_at < registered_at for one in carriers)
