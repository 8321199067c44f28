"""Which cookies keep a client on its target group and its target.

With `lb_cookie` the load balancer makes a cookie of its own at the first
answer. With `app_cookie` it waits for the application: an answer that sets the
named cookie gets the load balancer's beside it, and a client must send both to
come back. Every answer starts the duration anew. A client whose target is gone
gets another, and stays with that one.

A cookie's value is a target's mark and the moment it ends; AWS encrypts both.

Sources: Elastic Load Balancing, User Guide for Application Load Balancers,
"Sticky sessions for your Application Load Balancer".
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable, Mapping, Sequence

GROUP, TARGET, APPLICATION = "AWSALBTG", "AWSALB", "AWSALBAPP-0"
RESERVED = ("AWSALB", "AWSALBAPP", "AWSALBTG")
DAY = 86400
LONGEST = 7 * DAY
KINDS = ("lb_cookie", "app_cookie")


@dataclass(frozen=True)
class Stickiness:
    """`cookie` is the load balancer's; `needs` names the application's cookie, if it takes one. Seconds."""

    cookie: str
    duration: int
    max_age: int
    needs: str = ""


@dataclass(frozen=True)
class Offer:
    """A cookie for the client, if the target's answer sets the cookie `needs` (always, when that is empty)."""

    name: str
    value: str
    max_age: int
    needs: str = ""

    def __str__(self) -> str:
        return f"{self.name}={self.value}; Max-Age={self.max_age}; Path=/"


def of_group(attributes: Mapping[str, Any]) -> Stickiness | None:
    """A target group's stickiness, or None where it has none that lives in a cookie."""
    kind = attributes.get("stickiness.type")
    if str(attributes.get("stickiness.enabled")).lower() != "true" or kind not in KINDS:
        return None
    duration = int(attributes.get(f"stickiness.{kind}.duration_seconds") or DAY)
    if kind == "app_cookie":
        return Stickiness(APPLICATION, duration, LONGEST, attributes.get("stickiness.app_cookie.cookie_name") or "")
    return Stickiness(TARGET, duration, duration)


def wanted(kept: Stickiness, cookies: Mapping[str, str], now: float) -> str | None:
    """The mark of the target to which a client's cookies bind it."""
    mark, _, ends = cookies.get(kept.cookie, "").rpartition(".")
    missing = kept.needs and kept.needs not in cookies
    return None if missing or not ends.isdigit() or now >= int(ends) else mark


def offer(kept: Stickiness, mark: str, bound: bool, now: float) -> Offer:
    """The cookie for a client that was sent to the target of that mark. `bound`: its cookies were good."""
    return Offer(kept.cookie, f"{mark}.{int(now + kept.duration)}", kept.max_age, "" if bound else kept.needs)


def added(offers: Sequence[Offer], set_by_target: Iterable[str]) -> list[str]:
    """The Set-Cookie values that the load balancer adds to an answer which sets these."""
    names = {value.partition("=")[0].strip() for value in set_by_target}
    return [str(one) for one in offers if not one.needs or one.needs in names]


def parsed(header: str) -> dict[str, str]:
    """The cookies of a Cookie header."""
    return {name.strip(): value for name, sign, value in (part.strip().partition("=") for part in header.split(";")) if sign}
