"""Kinds of metered things, and the ledger that adds them up."""
from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecslab.rules.metering import Counted, Ec2Instance, FargateTask, Hourly, Ledger, Volume
from ecslab.rules.pricing import PRICES, fargate_hourly, total

WEB = FargateTask("service:web in demo", 256, 512)


def tally(ledger, now, also=()):
    return dict(ledger.tallies(now, also))


def test_many_short_tasks_pay_a_minute_each():
    ledger = Ledger()
    for _ in range(10):
        ledger.ran(WEB, 0, 12.5)
    assert (tally(ledger, 100)[WEB].count, tally(ledger, 100)[WEB].seconds) == (10, 600)


def test_what_still_runs_is_counted_until_now_and_said_to_run():
    ledger = Ledger()
    ledger.ran(WEB, 0, 90)
    found = tally(ledger, 1000, [(WEB, 800.0)])[WEB]
    assert (found.count, found.seconds, found.running) == (2, 290, 1)


def test_asking_for_a_bill_changes_nothing():
    ledger = Ledger()
    ledger.see({"i-1": Ec2Instance("cluster demo", "m5.large")}, 0)
    assert tally(ledger, 500, [(WEB, 0.0)]) == tally(ledger, 500, [(WEB, 0.0)])
    assert WEB not in tally(ledger, 500)


def test_what_is_missing_has_ended_and_what_returns_starts_anew():
    ledger, one = Ledger(), Ec2Instance("cluster demo", "m5.large")
    ledger.see({"i-1": one}, 0)
    ledger.see({}, 100)
    ledger.see({"i-1": one}, 1000)
    ledger.see({}, 1010)
    assert (tally(ledger, 5000)[one].count, tally(ledger, 5000)[one].seconds) == (2, 160)


def test_a_volume_that_grows_is_charged_for_each_of_its_sizes():
    ledger, small, large = Ledger(), Volume("no cluster", 10), Volume("no cluster", 20)
    ledger.see({"vol-1": small}, 0)
    ledger.see({"vol-1": large}, 730 * 3600)
    found = tally(ledger, 2 * 730 * 3600)
    assert [total(kind.lines(found[kind].seconds)) for kind in (small, large)] == [D("0.8"), D("1.6")]


def test_what_changes_its_owner_in_the_moment_it_appears_counts_once():
    ledger = Ledger()
    first, then = Hourly("elastic addresses", "Public IPv4 addresses", "public-ipv4"), Hourly("NAT gateway n", "Public IPv4 addresses", "public-ipv4")
    ledger.see({"eip": first}, 5)
    ledger.see({"eip": then}, 5)
    assert list(tally(ledger, 60)) == [then]


def test_a_windows_task_has_a_longer_minimum_and_an_external_instance_an_hour():
    assert FargateTask("x", 1024, 2048, "WINDOWS").billed(10) == 300
    assert Hourly("x", "ECS Anywhere", "ecs-anywhere").billed(10) == 3600
    assert Hourly("x", "NAT gateways", "nat").billed(10.2) == 11


@pytest.mark.parametrize("kind", [Ec2Instance("x", "u-24tb1.metal"), Volume("x", 8, "io2"), FargateTask("x", 1024, 2048, "WINDOWS", spot=True)])
def test_what_has_no_price_has_no_lines(kind):
    assert kind.lines(3600) == []


def test_what_is_begun_by_hand_is_not_ended_by_a_look():
    ledger, one = Ledger(), Ec2Instance("cluster demo", "m5.large")
    ledger.begin("a", one, 0)
    ledger.see({"b": one}, 100)
    ledger.see({}, 200)
    assert tally(ledger, 300)[one].running == 1
    ledger.end("a", 300)
    ledger.end("a", 400)
    assert (tally(ledger, 500)[one].running, tally(ledger, 500)[one].seconds) == (0, 400)


def test_spot_instances_pay_the_smallest_share_advertised():
    assert total(Ec2Instance("x", "m5.large", spot=True).lines(3600)) == D("0.0096")


def test_what_is_counted_costs_nothing_while_it_is_free():
    assert Counted("x", "CloudWatch Logs", "logs.ingested", D(4)).lines()[0].amount == 0
    assert Counted("x", "CloudWatch Logs", "logs.ingested", D(1)).hourly(D(1)) == (730 - PRICES["logs.ingested"].free) * D("0.5") / 730
    assert Counted("x", "Load balancers", "alb.lcu", D(3), goes_on=False).hourly(D(1)) == 0


@given(st.lists(st.integers(60, 10_000), min_size=1, max_size=20))
def test_tasks_cost_what_each_of_them_would_cost_alone(durations):
    ledger = Ledger()
    for seconds in durations:
        ledger.ran(WEB, 0, seconds)
    whole = total(WEB.lines(tally(ledger, 0)[WEB].seconds))
    assert abs(whole - sum(fargate_hourly(256, 512) * s / 3600 for s in durations)) < D("1e-20")


@pytest.mark.parametrize("kind, name", [(WEB, "task of 0.25 vCPU, 0.5 GB"), (FargateTask("x", 1024, 2048, "ARM64", True), "Spot task of 1 vCPU, 2 GB ARM")])
def test_a_kind_is_named_by_what_makes_its_price(kind, name):
    assert kind.name == name
