"""Cookies that bind a client to a target."""
from __future__ import annotations

import pytest

from ecslab.rules import stickiness

LB = {"stickiness.enabled": "true", "stickiness.type": "lb_cookie", "stickiness.lb_cookie.duration_seconds": "60"}
APP = {"stickiness.enabled": "true", "stickiness.type": "app_cookie", "stickiness.app_cookie.cookie_name": "session"}


def value(offer):
    return stickiness.parsed(str(offer).partition(";")[0])


@pytest.mark.parametrize("attributes", [{}, {"stickiness.enabled": "false", "stickiness.type": "lb_cookie"}, {"stickiness.enabled": "true", "stickiness.type": "source_ip"}])
def test_a_group_without_cookies_binds_nobody(attributes):
    assert stickiness.of_group(attributes) is None


def test_the_defaults_are_a_day_and_the_longest_a_week():
    assert stickiness.of_group({**LB, "stickiness.lb_cookie.duration_seconds": None}).duration == 86400
    kept = stickiness.of_group(APP)
    assert (kept.cookie, kept.duration, kept.max_age, kept.needs) == ("AWSALBAPP-0", 86400, 604800, "session")


def test_a_load_balancers_cookie_binds_until_its_duration_is_over():
    kept = stickiness.of_group(LB)
    cookies = value(stickiness.offer(kept, "blue", False, now=100.0))
    assert stickiness.wanted(kept, cookies, 159.0) == "blue"
    assert stickiness.wanted(kept, cookies, 160.0) is None


def test_an_application_cookie_binds_only_beside_the_load_balancers():
    kept = stickiness.of_group(APP)
    ours = value(stickiness.offer(kept, "blue", False, now=100.0))
    assert stickiness.wanted(kept, {**ours, "session": "1"}, 100.0) == "blue"
    assert stickiness.wanted(kept, ours, 100.0) is None
    assert stickiness.wanted(kept, {"session": "1"}, 100.0) is None


def test_the_load_balancers_cookie_waits_for_the_applications():
    first = stickiness.offer(stickiness.of_group(APP), "blue", False, now=0.0)
    assert stickiness.added([first], ["other=1; Path=/"]) == []
    assert stickiness.added([first], ["other=1", "session=abc; HttpOnly"]) == [str(first)]


def test_a_bound_client_gets_its_time_anew_with_every_answer():
    again = stickiness.offer(stickiness.of_group(APP), "blue", True, now=500.0)
    assert stickiness.added([again], []) == ["AWSALBAPP-0=blue.86900; Max-Age=604800; Path=/"]


@pytest.mark.parametrize("cookie", ["", "blue", "blue.", ".5", "blue.never", "a.b.c"])
def test_a_cookie_that_is_no_cookie_of_ours_binds_to_nothing(cookie):
    assert stickiness.wanted(stickiness.of_group(LB), {"AWSALB": cookie}, 10.0) is None


def test_a_cookie_header_is_read_part_by_part():
    assert stickiness.parsed("a=1;b=2; c; d=x=y") == {"a": "1", "b": "2", "d": "x=y"}
