"""Estimates, and alternatives beside each other."""
from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecslab.rules.errors import EcsError
from ecslab.rules.estimate import compare, crossing, ec2, fargate, fits, nearest
from ecslab.rules.fargate import fargate_pairs
from ecslab.rules.pricing import EC2, dollars


def test_the_cards_example():
    one = fargate(512, 1024)
    assert dollars(one.hourly, 5) == D("0.02469") and dollars(one.total) == D("18.02")


def test_two_tasks_on_demand_and_eight_on_spot_save_more_than_half():
    assert dollars(fargate(1024, 2048, 10, spot=0.8).hourly, 4) == D("0.2172")
    assert fargate(1024, 2048, 10, spot=0.8).what == "Fargate: 10 tasks of 1 vCPU, 2 GB, 80 % on Spot"


def test_a_batch_of_six_hours_a_day_pays_for_its_hours():
    assert dollars(fargate(2048, 8192, hours=180).total) == D("20.97")
    assert dollars(ec2("m5.large").total) == D("70.08") and dollars(ec2("m5.large", hours=180).total) == D("17.28")


@pytest.mark.parametrize(
    "options, message",
    [
        ({"cpu": 256, "memory": 4096}, "No Fargate configuration exists for given values."),
        ({"cpu": 512, "memory": 1024, "arch": "WINDOWS"}, "No Fargate configuration exists for given values."),
        ({"cpu": 1024, "memory": 2048, "arch": "WINDOWS", "spot": 1}, "Fargate Spot does not run Windows tasks."),
        ({"cpu": 256, "memory": 512, "ephemeral": 201}, "EphemeralStorage size should be at most 200"),
        ({"cpu": 256, "memory": 512, "ephemeral": 5}, "EphemeralStorage size should be at least 21"),
        ({"cpu": 256, "memory": 512, "arch": "M68K"}, "arch is one of X86_64, ARM64, WINDOWS, not M68K."),
        ({"cpu": 256, "memory": 512, "count": 0}, "count must be at least 1, not 0."),
        ({"cpu": 256, "memory": 512, "count": 1.5}, "count must be a whole number, not 1.5."),
        ({"cpu": 256, "memory": 512, "hours": float("nan")}, "hours must be a number, not nan."),
        ({"cpu": 256, "memory": 512, "hours": 0}, "hours must be more than 0, not 0."),
        ({"cpu": 256, "memory": 512, "spot": 1.5}, "spot is a share from 0 to 1, not 1.5."),
    ],
)
def test_what_fargate_does_not_offer_has_no_estimate(options, message):
    with pytest.raises(EcsError) as refused:
        fargate(**options)
    assert refused.value.message == message


def test_a_refused_size_is_told_its_neighbours():
    assert nearest(256) == "With 256 CPU units, memory may be 512, 1024 or 2048 MiB."
    assert nearest(1024) == "With 1024 CPU units, memory may be 2048 to 8192 in steps of 1024 MiB."
    assert nearest(300).startswith("CPU may be 256, 512")


def test_an_instance_holds_what_its_registered_memory_leaves_room_for():
    assert fits("m5.large", 512, 1024) == 4 and fits("m5.large", 256, 512) == 8
    assert fits("m5.large", 2048, 8192) == 0, "7764 of its 8192 MiB are registered"


def test_every_way_to_run_the_tasks_is_listed_cheapest_first_and_has_room():
    offers = compare(512, 1024, 5)
    assert [one.monthly for one in offers] == sorted(one.monthly for one in offers)
    assert {"Fargate", "Fargate Spot", "Fargate ARM", "Fargate ARM Spot"} <= {one.what for one in offers}
    assert all(one.room >= 5 for one in offers if one.instance_type)
    assert not any(one.instance_type.startswith("g") for one in offers)


def test_tasks_that_run_few_hours_are_cheaper_on_fargate_than_on_an_instance_left_on():
    few = {one.what: one.monthly for one in compare(512, 1024, 4, hours=100)}
    all_month = {one.what: one.monthly for one in compare(512, 1024, 4)}
    assert few["Fargate"] < few["1 m5.large"] == all_month["1 m5.large"] < all_month["Fargate"]


def test_a_full_instance_is_cheaper_and_one_task_more_is_dearer():
    found = crossing("m5.large", 512, 1024)
    assert found.first == 4 and found.always > 100
    assert crossing("m5.large", 256, 512).first == 8
    assert crossing("m5.large", 256, 512, hours=100).first is None
    assert crossing("m5.large", 512, 1024, spot=1.0).first is None


@given(st.sampled_from(fargate_pairs()), st.integers(1, 50), st.floats(1, 730), st.floats(0, 1))
def test_an_estimate_is_between_all_spot_and_all_on_demand(size, count, hours, spot):
    amount = fargate(*size, count, hours, spot=spot).total
    assert fargate(*size, count, hours, spot=1).total - D("1e-15") <= amount <= fargate(*size, count, hours).total + D("1e-15")


def test_every_priced_type_has_an_estimate():
    assert all(ec2(name).hourly == kind.hourly for name, kind in EC2.items())
