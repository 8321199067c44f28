"""Which attributes a target group may have, and which values.

What AWS would refuse is refused in its words where they are known. What AWS
knows and this region does not act on may keep its default, and is refused aloud
with any other value.

Sources: Elastic Load Balancing API Reference version 2015-12-01,
TargetGroupAttribute; User Guide for Application Load Balancers, "Edit target
group attributes for your Application Load Balancer".
"""
from __future__ import annotations

from typing import Any, Mapping

from .stickiness import LONGEST, RESERVED

LAYER_4 = ("TCP", "TLS", "UDP", "TCP_UDP")
ALGORITHMS = ("round_robin", "least_outstanding_requests", "weighted_random")
TRUE_FALSE = ("true", "false")

WHOLE = {  # attribute -> (least, most); 0 is always allowed where it turns something off
    "deregistration_delay.timeout_seconds": (0, 3600),
    "stickiness.lb_cookie.duration_seconds": (1, LONGEST),
    "stickiness.app_cookie.duration_seconds": (1, LONGEST),
    "slow_start.duration_seconds": (30, 900),
}
ONE_OF = {
    "stickiness.enabled": TRUE_FALSE,
    "stickiness.type": ("lb_cookie", "app_cookie", "source_ip"),
    "load_balancing.algorithm.type": ALGORITHMS,
}
TEXT = ("stickiness.app_cookie.cookie_name",)
NOT_ACTED_ON = {  # attribute -> the values that change nothing here
    "load_balancing.algorithm.anomaly_mitigation": ("off",),
    "load_balancing.cross_zone.enabled": ("use_load_balancer_configuration", "true"),
    "target_group_health.dns_failover.minimum_healthy_targets.count": ("1",),
    "target_group_health.dns_failover.minimum_healthy_targets.percentage": ("off",),
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count": ("1",),
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage": ("off",),
    "deregistration_delay.connection_termination.enabled": ("false",),
    "target_health_state.unhealthy.connection_termination.enabled": ("true",),
    "preserve_client_ip.enabled": ("false",),
    "proxy_protocol_v2.enabled": ("false",),
    "lambda.multi_value_headers.enabled": ("false",),
    "waf.fail_open.enabled": ("false",),
}
TURNED_OFF = ("slow_start.duration_seconds",)


def fault(given: Mapping[str, Any], after: Mapping[str, Any], protocol: str) -> str | None:
    """Why these attributes can not be set; None when they can. `after` is what the group would then have."""
    for key, value in given.items():
        if found := _value(key, str(value)):
            return found
    return _together(given, after, protocol)


def _value(key: str, value: str) -> str | None:
    if key in WHOLE:
        least, most = WHOLE[key]
        fits = value.isdecimal() and (least <= int(value) <= most or (key in TURNED_OFF and int(value) == 0))
        return None if fits else f"'{key}' value '{value}' must be between '{least}-{most}' inclusive"
    if key in ONE_OF:
        return None if value in ONE_OF[key] else f"'{key}' value '{value}' must be one of [{', '.join(ONE_OF[key])}]"
    if key in NOT_ACTED_ON:
        return None if value in NOT_ACTED_ON[key] else f"This region does not carry out '{key}' with the value '{value}'."
    return None if key in TEXT else f"Target group attribute key '{key}' is not recognized"


def _together(given: Mapping[str, Any], after: Mapping[str, Any], protocol: str) -> str | None:
    kind, name = after.get("stickiness.type"), after.get("stickiness.app_cookie.cookie_name") or ""
    if "stickiness.type" in given:
        if (kind == "source_ip") != (protocol in LAYER_4):
            return f"Stickiness type '{kind}' is not supported for target groups with the {protocol} protocol"
        if kind == "app_cookie" and not name:
            return "You must set an application cookie name to enable stickiness of type 'app_cookie'"
    if name.startswith(RESERVED):
        return f"The application cookie name '{name}' begins with a name that is reserved: {', '.join(RESERVED)}."
    if kind == "source_ip" and str(after.get("stickiness.enabled")) == "true":
        return "This region does not carry out stickiness of type 'source_ip'."
    slow = int(after.get("slow_start.duration_seconds") or 0)
    if slow and protocol in LAYER_4:
        return f"'slow_start.duration_seconds' is not supported for target groups with the {protocol} protocol"
    if slow and after.get("load_balancing.algorithm.type", "round_robin") != "round_robin":
        return f"Slow start can not be used with the routing algorithm {after['load_balancing.algorithm.type']}."
    return None
