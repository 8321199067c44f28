"""Which rule takes a request, which group, which health follows from checks."""
from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecslab.rules import listener, target_health
from ecslab.rules.listener import HttpRequest, Rule
from ecslab.rules.target_health import HealthCheck, TargetHealth


def path(*values):
    return {"Field": "path-pattern", "PathPatternConfig": {"Values": list(values)}}


@pytest.mark.parametrize(
    "condition, request_, holds",
    [
        (path("/img/*"), HttpRequest(path="/img/a.png"), True),
        (path("/img/*"), HttpRequest(path="/IMG/a.png"), False),
        (path("/a?c"), HttpRequest(path="/abc"), True),
        (path("/a?c"), HttpRequest(path="/ac"), False),
        (path(r"/a\*"), HttpRequest(path="/a*"), True),
        (path(r"/a\*"), HttpRequest(path="/ab"), False),
        (path("/a.c"), HttpRequest(path="/abc"), False),
        ({"Field": "path-pattern", "Values": ["/old"]}, HttpRequest(path="/old"), True),
        ({"Field": "host-header", "HostHeaderConfig": {"Values": ["*.Example.com"]}}, HttpRequest(host="shop.example.com:80"), True),
        ({"Field": "host-header", "HostHeaderConfig": {"Values": ["*.example.com"]}}, HttpRequest(host="example.com"), False),
        ({"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-Beta", "Values": ["yes"]}}, HttpRequest(headers={"x-beta": "YES"}), True),
        ({"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-Beta", "Values": ["yes"]}}, HttpRequest(), False),
        ({"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["POST"]}}, HttpRequest(method="POST"), True),
        ({"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["POST"]}}, HttpRequest(), False),
        ({"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "v", "Value": "2*"}]}}, HttpRequest(query="a=1&v=23"), True),
        ({"Field": "query-string", "QueryStringConfig": {"Values": [{"Value": "23"}]}}, HttpRequest(query="any=23"), True),
        ({"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "v", "Value": "2"}]}}, HttpRequest(query="w=2"), False),
        ({"Field": "source-ip", "SourceIpConfig": {"Values": ["10.0.0.0/8"]}}, HttpRequest(source_ip="10.1.2.3"), True),
        ({"Field": "source-ip", "SourceIpConfig": {"Values": ["10.0.0.0/8"]}}, HttpRequest(source_ip="11.1.2.3"), False),
    ],
)  # fmt: skip
def test_a_condition_holds_as_documented(condition, request_, holds):
    assert listener.matches(condition, request_) is holds


def test_the_lowest_priority_number_wins_and_the_default_rule_comes_last():
    rules = listener.in_order(
        [Rule("default", None, (), ()), Rule("any", 20, [path("*")], ()), Rule("images", 5, [path("/img/*")], ())]
    )
    assert listener.decide(rules, HttpRequest(path="/img/a")).arn == "images"
    assert listener.decide(rules, HttpRequest(path="/b")).arn == "any"
    assert listener.decide(rules[-1:], HttpRequest(path="/b")).arn == "default"


def test_every_condition_of_a_rule_must_hold():
    both = Rule("both", 1, [path("/a"), {"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["GET"]}}], ())
    rules = (both, Rule("default", None, (), ()))
    assert listener.decide(rules, HttpRequest(path="/a")).arn == "both"
    assert listener.decide(rules, HttpRequest(path="/a", method="PUT")).arn == "default"


@given(st.dictionaries(st.sampled_from("abcd"), st.integers(0, 999), min_size=1))
def test_a_whole_round_shows_exactly_the_weights(shares):
    credit: dict[str, float] = {}
    turns = Counter(listener.next_by_weight(shares, credit) for _ in range(sum(shares.values())))
    assert turns == {name: weight for name, weight in shares.items() if weight}
    if not any(shares.values()):
        assert listener.next_by_weight(shares, credit) is None


def test_weights_may_change_between_requests():
    credit: dict[str, float] = {}
    assert {listener.next_by_weight({"blue": 100, "green": 0}, credit) for _ in range(10)} == {"blue"}
    assert {listener.next_by_weight({"blue": 0, "green": 100}, credit) for _ in range(10)} == {"green"}


@pytest.mark.parametrize(
    "config, url",
    [
        ({"Protocol": "HTTPS", "Port": "443"}, "https://shop.example.com/a/b?x=1"),
        ({"Host": "new.example.com"}, "http://new.example.com/a/b?x=1"),
        ({"Path": "/v2/#{path}"}, "http://shop.example.com/v2/a/b?x=1"),
        ({"Port": "8080", "Query": "from=#{host}"}, "http://shop.example.com:8080/a/b?from=shop.example.com"),
    ],
)
def test_a_redirect_keeps_what_it_does_not_name(config, url):
    request = HttpRequest(host="shop.example.com", path="/a/b", query="x=1")
    assert listener.redirect_url(config, request, "HTTP", 80) == url


# Health ----------------------------------------------------------------------


def after(*outcomes, check=HealthCheck()):
    health = TargetHealth()
    for outcome in outcomes:
        health = health.after(outcome, check)
    return health


@pytest.mark.parametrize(
    "outcomes, state",
    [
        ((), "initial"),
        ((200,), "healthy"),
        ((500,), "initial"),
        ((500, 200), "healthy"),
        ((500, 500), "unhealthy"),
        ((200, 500), "healthy"),
        ((200, 500, 200, 500), "healthy"),
        ((200, 500, 500), "unhealthy"),
        ((200, 500, 500, 200, 200, 200, 200), "unhealthy"),
        ((200, 500, 500, 200, 200, 200, 200, 200), "healthy"),
        ((200, 500, 500, 200, 200, 500, 200, 200, 200, 200), "unhealthy"),
    ],
)
def test_one_pass_makes_a_new_target_healthy_and_only_runs_in_a_row_change_it_later(outcomes, state):
    assert after(*outcomes).state == state


@pytest.mark.parametrize(
    "outcome, reason, description",
    [
        (503, "Target.ResponseCodeMismatch", "Health checks failed with these codes: [503]"),
        ("timeout", "Target.Timeout", "Request timed out"),
        ("refused", "Target.FailedHealthChecks", "Health checks failed"),
    ],
)
def test_an_unhealthy_target_says_why(outcome, reason, description):
    health = after(outcome, outcome)
    assert (health.reason, health.description) == (reason, description)


@pytest.mark.parametrize("matcher, status, passes", [("200", 200, True), ("200", 204, False), ("200-299", 204, True), ("200,302", 302, True), ("200,302", 301, False)])
def test_the_matcher_says_which_codes_pass(matcher, status, passes):
    assert HealthCheck(matcher=matcher).passes(status) is passes


def test_a_tcp_check_wants_only_an_open_port():
    check = HealthCheck(protocol="TCP")
    assert check.passes("open") and not check.passes("refused") and not check.passes("timeout")


@given(st.lists(st.sampled_from([200, 500, "timeout", "refused"]), max_size=60), st.integers(2, 10), st.integers(2, 10))
def test_health_never_flips_on_fewer_results_than_its_threshold(outcomes, healthy, unhealthy):
    check = HealthCheck(healthy_threshold=healthy, unhealthy_threshold=unhealthy)
    health, since = TargetHealth(), 0
    for outcome in outcomes:
        before, health, since = health, health.after(outcome, check), since + 1
        if before.state != health.state:
            assert before.state == "initial" or since >= (healthy if health.state == "healthy" else unhealthy)
            since = 0
    assert target_health.of("draining", "Target.DeregistrationInProgress").state == "draining"
