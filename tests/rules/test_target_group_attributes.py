"""Attributes of target groups: taken, or refused in one sentence."""
from __future__ import annotations

import pytest

from ecslab.rules.target_group_attributes import fault

DEFAULTS = {"stickiness.enabled": "false", "stickiness.type": "lb_cookie", "load_balancing.algorithm.type": "round_robin"}


def refused(protocol="HTTP", **given):
    given = {key.replace("__", "."): value for key, value in given.items()}
    return fault(given, {**DEFAULTS, **given}, protocol)


@pytest.mark.parametrize(
    "given",
    [
        {"deregistration_delay__timeout_seconds": "3600"},
        {"slow_start__duration_seconds": "0"},
        {"slow_start__duration_seconds": "30"},
        {"stickiness__type": "app_cookie", "stickiness__app_cookie__cookie_name": "session"},
        {"load_balancing__algorithm__type": "weighted_random"},
        {"load_balancing__cross_zone__enabled": "use_load_balancer_configuration"},
    ],
)
def test_what_this_region_acts_on_and_harmless_defaults_are_taken(given):
    assert refused(**given) is None


@pytest.mark.parametrize(
    "given, sentence",
    [
        ({"slow_start__duration_seconds": "29"}, "'slow_start.duration_seconds' value '29' must be between '30-900' inclusive"),
        ({"slow_start__duration_seconds": "soon"}, "'slow_start.duration_seconds' value 'soon' must be between"),
        ({"deregistration_delay__timeout_seconds": "3601"}, "must be between '0-3600' inclusive"),
        ({"stickiness__lb_cookie__duration_seconds": "0"}, "must be between '1-604800' inclusive"),
        ({"stickiness__enabled": "yes"}, "'stickiness.enabled' value 'yes' must be one of [true, false]"),
        ({"stickiness__type": "app_cookie"}, "You must set an application cookie name to enable stickiness of type 'app_cookie'"),
        ({"stickiness__app_cookie__cookie_name": "AWSALBTG-mine"}, "begins with a name that is reserved"),
        ({"stickiness__type": "source_ip"}, "Stickiness type 'source_ip' is not supported for target groups with the HTTP protocol"),
        ({"load_balancing__algorithm__type": "fastest"}, "must be one of [round_robin, least_outstanding_requests, weighted_random]"),
        ({"colour": "blue"}, "Target group attribute key 'colour' is not recognized"),
        ({"load_balancing__cross_zone__enabled": "false"}, "This region does not carry out 'load_balancing.cross_zone.enabled'"),
        (
            {"slow_start__duration_seconds": "60", "load_balancing__algorithm__type": "least_outstanding_requests"},
            "Slow start can not be used with the routing algorithm least_outstanding_requests.",
        ),
    ],
)
def test_what_can_not_be_is_refused_with_its_reason(given, sentence):
    assert sentence in refused(**given)


@pytest.mark.parametrize(
    "given, sentence",
    [
        ({"stickiness__type": "lb_cookie"}, "Stickiness type 'lb_cookie' is not supported for target groups with the TCP protocol"),
        ({"stickiness__type": "source_ip", "stickiness__enabled": "true"}, "This region does not carry out stickiness of type 'source_ip'."),
        ({"slow_start__duration_seconds": "60"}, "not supported for target groups with the TCP protocol"),
    ],
)
def test_network_load_balancers_have_attributes_of_their_own(given, sentence):
    assert sentence in refused("TCP", **given)
