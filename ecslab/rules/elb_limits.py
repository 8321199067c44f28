"""What of Elastic Load Balancing this region does not carry out, each with the sentence that refuses it.

Load balancers here carry HTTP and TCP. What could only be stored is refused
when it is asked for, not when a request meets it.

Source: Elastic Load Balancing API Reference version 2015-12-01, CreateListener,
CreateLoadBalancer, CreateRule, CreateTargetGroup.
"""
from __future__ import annotations

from typing import Any, Iterable, Mapping

BALANCER_TYPES = ("application", "network")
LISTENER_PROTOCOLS = ("HTTP", "HTTPS", "TCP", "TLS")
TARGET_TYPES = ("instance", "ip")
PROTOCOL_VERSIONS = ("HTTP1",)
ACTIONS = ("forward", "redirect", "fixed-response")


def _refused(what: str, value: Any, known: tuple[str, ...]) -> str | None:
    return None if value in (None, "", *known) else f"This region does not carry out {what} {value}."


def balancer(kind: str | None) -> str | None:
    return _refused("load balancers of type", kind, BALANCER_TYPES)


def listener(protocol: str | None) -> str | None:
    return _refused("listeners of protocol", protocol, LISTENER_PROTOCOLS)


def target_group(target_type: str | None, protocol: str | None, protocol_version: str | None) -> str | None:
    return (
        _refused("target groups of type", target_type, TARGET_TYPES)
        or _refused("target groups of protocol", protocol, LISTENER_PROTOCOLS)
        or _refused("target groups with the protocol version", protocol_version, PROTOCOL_VERSIONS)
    )


def rule(conditions: Iterable[Mapping[str, Any]] | None, actions: Iterable[Mapping[str, Any]] | None, transforms: Any = None) -> str | None:
    """A rule's conditions and actions; a listener's default actions alone."""
    if transforms:
        return "This region does not carry out transforms of listener rules."
    for condition in conditions or ():
        if any("RegexValues" in part for part in (condition, *condition.values()) if isinstance(part, Mapping)):
            return "This region does not carry out RegexValues in conditions. Use Values."
    return next((found for action in actions or () if (found := _refused("actions of type", action.get("Type"), ACTIONS))), None)
