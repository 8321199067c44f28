from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecslab.rules.errors import EcsError
from ecslab.rules.pricing import (
    EC2,
    FARGATE,
    PRICES,
    UP_TO,
    break_even,
    cheapest_size,
    dollars,
    ec2_cost,
    ec2_hourly,
    ec2_line,
    fargate_cost,
    fargate_hourly,
    fargate_lines,
    line,
    load_balancer_units,
    monthly,
    total,
)
from ecslab.rules.task_definition import FARGATE_SIZES


def test_the_cards_example_costs_what_the_card_says():
    hourly = fargate_hourly(512, 1024)
    assert hourly == D("0.024685")
    assert dollars(hourly, 5) == D("0.02469")
    assert dollars(monthly(hourly)) == D("18.02")


# vCPU, GB, x86 $/h, x86 $/month, ARM $/h, ARM $/month, x86 Spot $/h
SIZES = """
0.25 0.5 0.012343 9.01     0.009875 7.21     0.003703
0.25 1   0.014565 10.63    0.011655 8.51     0.004370
0.5  1   0.024685 18.02    0.019750 14.42    0.007406
0.5  2   0.029130 21.26    0.023310 17.02    0.008739
1    2   0.049370 36.04    0.039500 28.84    0.014811
1    4   0.058260 42.53    0.046620 34.03    0.017478
2    4   0.098740 72.08    0.079000 57.67    0.029622
2    8   0.116520 85.06    0.093240 68.07    0.034956
4    8   0.197480 144.16   0.158000 115.34   0.059244
4    16  0.233040 170.12   0.186480 136.13   0.069912
4    30  0.295270 215.55   0.236320 172.51   0.088581
8    16  0.394960 288.32   0.316000 230.68   0.118488
16   32  0.789920 576.64   0.632000 461.36   0.236976
16   120 1.181080 862.19   0.945280 690.05   0.354324
32   60  1.562060 1140.30  1.249760 912.32   0.468618
32   244 2.379940 1737.36  1.904800 1390.50  0.713982
"""


@pytest.mark.parametrize("row", SIZES.strip().splitlines())
def test_every_listed_size_has_its_listed_price(row):
    vcpu, gb, x86, x86_month, arm, arm_month, spot = map(D, row.split())
    size = int(vcpu * 1024), int(gb * 1024)
    assert dollars(fargate_hourly(*size), 6) == x86
    assert dollars(monthly(fargate_hourly(*size))) == x86_month
    assert dollars(fargate_hourly(*size, arch="ARM64"), 6) == arm
    assert dollars(monthly(fargate_hourly(*size, arch="ARM64"))) == arm_month
    assert abs(fargate_hourly(*size, spot=True) - spot) < D("0.000001")


def test_storage_above_twenty_gib_is_charged():
    extra = fargate_hourly(512, 1024, ephemeral=100) - fargate_hourly(512, 1024)
    assert extra == D("0.00888")
    assert dollars(monthly(extra)) == D("6.48")
    assert fargate_hourly(512, 1024, ephemeral=20) == fargate_hourly(512, 1024)


def test_a_size_fargate_does_not_offer_has_no_price():
    with pytest.raises(EcsError, match="No Fargate configuration exists for given values."):
        fargate_hourly(256, 3072)
    with pytest.raises(EcsError, match="Spot"):
        fargate_hourly(1024, 2048, arch="WINDOWS", spot=True)


@pytest.mark.parametrize("seconds, billed", [(0, 60), (10, 60), (60, 60), (60.2, 61), (3600, 3600)])
def test_billing_is_per_second_with_a_minute_at_least(seconds, billed):
    assert fargate_cost(seconds, 256, 512) == fargate_hourly(256, 512) * billed / 3600
    assert ec2_cost(seconds, "m5.large") == D("0.096") * billed / 3600


# EC2 against Fargate --------------------------------------------------------

BREAK_EVEN = """
t3.medium  0.0416 0.09874 42.1 137
t3.large   0.0832 0.11652 71.4 40
m5.large   0.0960 0.11652 82.4 21.4
m6i.large  0.0960 0.11652 82.4 21.4
m7i.large  0.1008 0.11652 86.5 15.6
c5.large   0.0850 0.09874 86.1 16.2
r5.large   0.1260 0.15208 82.9 20.7
m7g.large  0.0816 0.09324 87.5 14.3
c7g.large  0.0725 0.07900 91.8 9.0
r7g.large  0.1071 0.12172 88.0 13.7
t4g.medium 0.0336 0.07900 42.5 135
"""


@pytest.mark.parametrize("row", BREAK_EVEN.strip().splitlines())
def test_break_even_is_where_the_table_says(row):
    name, *numbers = row.split()
    ec2, fargate, utilization, premium = map(D, numbers)
    found = break_even(name)
    assert (found.ec2, found.fargate) == (ec2, fargate)
    assert dollars(found.utilization * 100, 1) == utilization
    assert dollars(found.premium * 100, -premium.as_tuple().exponent) == premium


def test_a_task_of_an_m5_large_is_cheaper_on_fargate_under_601_hours_a_month():
    assert round(break_even("m5.large").hours_per_month) == 601


def test_eight_small_tasks_fill_an_m5_large_cheaper_than_fargate():
    assert break_even("m5.large").tasks(256, 512) == 8


def test_six_hours_a_day_is_cheaper_on_fargate_than_an_instance_left_on():
    assert dollars(fargate_hourly(2048, 8192) * 180) == D("20.97")
    assert dollars(monthly(ec2_hourly("m5.large"))) == D("70.08")
    assert dollars(monthly(ec2_hourly("m5.large"), 180)) == D("17.28")


def test_a_job_of_ten_seconds_costs_as_much_as_one_of_sixty():
    assert dollars(fargate_cost(60, 256, 512), 6) == D("0.000206")
    assert fargate_cost(10, 256, 512) == fargate_cost(60, 256, 512)


def hours(price, count=1):
    return line(price, 730 * count)


def test_a_public_service_pays_as_much_around_its_tasks_as_for_them():
    tasks = fargate_lines(2 * 730 * 3600, 512, 1024)
    bill = [*tasks, hours("alb"), hours("alb.lcu"), hours("public-ipv4", 4)]
    assert dollars(total(tasks)) == D("36.04")
    assert dollars(total(bill), 1) == D("72.9")


def test_a_private_service_pays_for_its_nat_gateway():
    bill = [
        *fargate_lines(2 * 730 * 3600, 512, 1024),
        hours("alb"),
        hours("alb.lcu"),
        hours("public-ipv4", 2),
        hours("nat"),
        hours("public-ipv4"),
    ]
    assert dollars(total(bill), 0) == 102


def test_eight_of_ten_tasks_on_spot_save_more_than_half():
    mixed = 2 * fargate_hourly(1024, 2048) + 8 * fargate_hourly(1024, 2048, spot=True)
    on_demand = 10 * fargate_hourly(1024, 2048)
    assert (dollars(mixed, 4), dollars(on_demand, 4)) == (D("0.2172"), D("0.4937"))
    assert dollars((1 - mixed / on_demand) * 100, 0) == 56


def test_discounts_are_taken_off_the_on_demand_price():
    assert ec2_hourly("m5.large", UP_TO["EC2 Spot"]) == D("0.0096")


def test_instance_types_know_their_architecture():
    arm = {name for name, kind in EC2.items() if kind.arch == "ARM64"}
    assert arm == {n for n in EC2 if n.split(".")[0] in ("t4g", "m6g", "m7g", "c6g", "c7g", "r6g", "r7g")}
    assert (EC2["m5.2xlarge"].vcpu, EC2["m5.2xlarge"].memory, EC2["m5.2xlarge"].hourly) == (8, 32, D("0.3840"))


# Lines ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "price, quantity, amount",
    [("data.out", 150, "4.5"), ("data.out", 80, "0"), ("logs.ingested", 7, "1"), ("nat.data", 10, "0.45")],
)
def test_what_is_free_costs_nothing(price, quantity, amount):
    assert line(price, quantity).amount == D(amount)


def test_a_line_tells_quantity_unit_rate_and_amount():
    vcpu, memory, storage = fargate_lines(7200, 1024, 2048, ephemeral=30, what="web")
    assert (vcpu.what, vcpu.quantity, vcpu.unit, vcpu.rate, vcpu.amount) == (
        "web vCPU",
        2,
        "vCPU-hour",
        D("0.04048"),
        D("0.08096"),
    )
    assert (memory.quantity, storage.quantity, storage.amount) == (4, 20, D("0.00222"))
    assert ec2_line("t3.micro", 7200).amount == D("0.0208")


def test_figures_seen_in_one_place_only_say_so():
    assert not FARGATE["WINDOWS"].confirmed
    assert not any(entry.confirmed for entry in fargate_lines(3600, 1024, 2048, arch="WINDOWS"))
    assert {name for name in ("nlb", "ecr", "ebs.gp2", "data.inter-az") if not line(name, 1).confirmed} == {
        "nlb",
        "ecr",
        "ebs.gp2",
        "data.inter-az",
    }
    assert all(PRICES[name].confirmed for name in ("alb", "nat", "public-ipv4", "logs.ingested", "data.out"))


@pytest.mark.parametrize("traffic, units", [((50, 0, 0, 0), 2), ((25, 9000, 1, 0), 3), ((0, 0, 1.5, 1000), "1.5")])
def test_the_largest_dimension_of_a_load_balancer_counts(traffic, units):
    assert load_balancer_units(*traffic) == D(units)


# Right-sizing ---------------------------------------------------------------


@pytest.mark.parametrize(
    "cpu, memory, headroom, size",
    [
        (100, 200, 0.2, (256, 512)),
        (204, 400, 0.2, (256, 512)),
        (205, 400, 0.2, (512, 1024)),
        (100, 1800, 0.1, (256, 2048)),
        (100, 1800, 0.2, (512, 3072)),
        (300, 5000, 0.0, (1024, 5120)),
    ],
)
def test_the_cheapest_size_keeps_its_headroom(cpu, memory, headroom, size):
    found = cheapest_size(cpu, memory, headroom)
    assert (found.cpu, found.memory) == size
    assert found.hourly == fargate_hourly(*size)


def test_a_load_too_big_for_fargate_has_no_size():
    assert cheapest_size(40_000, 1000) is None


@given(st.integers(0, 30_000), st.integers(0, 200_000), st.sampled_from([0.0, 0.25, 0.5]))
def test_no_cheaper_size_would_do(cpu, memory, headroom):
    pairs = [(c, m) for c, sizes in FARGATE_SIZES.items() for m in sizes]
    enough = [(c, m) for c, m in pairs if c * (1 - headroom) >= cpu and m * (1 - headroom) >= memory]
    found = cheapest_size(cpu, memory, headroom)
    assert (found is None) == (not enough)
    if found:
        assert (found.cpu, found.memory) in enough
        assert found.hourly == min(fargate_hourly(*pair) for pair in enough)
