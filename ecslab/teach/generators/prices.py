"""Pricing: Fargate by size and second, Spot shares, where EC2 gets cheaper.

Keys from `rules.pricing`; only prices its table calls confirmed. Every price that is
needed stands in the question, since prices change.
"""
from __future__ import annotations

from decimal import Decimal
from math import ceil, floor
from random import Random

from ecslab.rules.fargate import FARGATE_SIZES
from ecslab.rules.pricing import (
    EC2,
    EPHEMERAL_GB_HOUR,
    FARGATE,
    HOURS_PER_MONTH,
    INCLUDED_EPHEMERAL_GIB,
    PRICES,
    UP_TO,
    billed_seconds,
    break_even,
    dollars,
    fargate_hourly,
    monthly,
)

from .kit import About, Draft, Slip, count, generator, numeric, service

LAB, GOALS = "12-pricing", ("SAA-C03 4.2", "CLF-C02 4.1")
FARGATE_PRICES = About(
    "AWS Fargate Pricing", "https://aws.amazon.com/fargate/pricing/", "§9.2", "Pricing > Fargate Launch Type", GOALS, LAB
)
EC2_PRICES = About(
    "Amazon EC2 On-Demand Pricing",
    "https://aws.amazon.com/ec2/pricing/on-demand/",
    "§9.3, §9.5",
    "Pricing > EC2 Launch Type",
    GOALS,
    LAB,
)
ADDRESSES = About("Amazon VPC pricing", "https://aws.amazon.com/vpc/pricing/", "§9.4", "Pricing", GOALS, LAB)

CHIPS = {"X86_64": "Linux/x86", "ARM64": "Linux/ARM"}
SMALL = tuple((cpu, memory) for cpu, sizes in FARGATE_SIZES.items() if cpu <= 4096 for memory in sizes[:6])


def _rates(arch: str) -> str:
    rate = FARGATE[arch]
    return f"${rate.vcpu_hour} per vCPU-hour and ${rate.gb_hour} per GB-hour ({CHIPS[arch]}, us-east-1)"


def _size(cpu: int, memory: int) -> str:
    return f"{cpu / 1024:g} vCPU and {memory / 1024:g} GB"


def _cents(amount: Decimal) -> float:
    return float(dollars(amount))


@generator("pricing.fargate-month", FARGATE_PRICES)
def fargate_month(rng: Random) -> Draft:
    """vCPU and memory as requested, 730 hours."""
    (cpu, memory), tasks, arch = rng.choice(SMALL), rng.randint(1, 6), rng.choice(tuple(CHIPS))
    busy, hourly, rate = rng.choice((10, 20, 25, 40, 50)), fargate_hourly(cpu, memory, arch), FARGATE[arch]
    right = _cents(monthly(hourly * tasks))
    other = next(name for name in CHIPS if name != arch)
    return numeric(
        f"`{service(rng)}` runs {count(tasks, 'Fargate task')} of {_size(cpu, memory)} all month ({HOURS_PER_MONTH} "
        f"hours); on average they use {busy} percent of their CPU. Fargate costs {_rates(arch)}. What does a month cost, "
        "in dollars?",
        right,
        [
            f"A task: {cpu / 1024:g} × {rate.vcpu_hour} + {memory / 1024:g} × {rate.gb_hour} = {hourly:f} dollars an hour, whatever it uses.",
            f"{tasks} × {HOURS_PER_MONTH} × {hourly:f} = {right:.2f} dollars.",
        ],
        [
            Slip(
                "pays only for what is used",
                _cents(monthly(hourly * tasks) * busy / 100),
                f"{busy} percent of it; Fargate bills the size asked for.",
            ),
            Slip("forgets the memory", _cents(monthly(rate.vcpu_hour * cpu / 1024 * tasks)), "vCPU alone."),
            Slip(
                "swaps the two rates",
                _cents(monthly((rate.gb_hour * cpu + rate.vcpu_hour * memory) / 1024 * tasks)),
                f"{cpu / 1024:g} × {rate.gb_hour} + {memory / 1024:g} × {rate.vcpu_hour}.",
            ),
            Slip(
                "takes the other architecture's prices",
                _cents(monthly(fargate_hourly(cpu, memory, other) * tasks)),
                f"those of {CHIPS[other]}.",
            ),
        ],
        "dollars",
        0.02,
    )


@generator("pricing.billed-seconds", FARGATE_PRICES, "easy")
def seconds_billed(rng: Random) -> Draft:
    """From image pull to termination, rounded up, one minute at least."""
    pull, ran = rng.randint(30, 250) / 10, rng.choice((rng.randint(20, 340), rng.randint(350, 3000))) / 10
    total = round(pull + ran, 1)
    right = billed_seconds(total)
    return numeric(
        f"A Fargate task (Linux) of `{service(rng)}` pulls its image for {pull} seconds and then runs for {ran} seconds "
        "until it is terminated. How many seconds are billed?",
        right,
        [
            f"Billing begins with the image pull: {pull} + {ran} = {total} seconds.",
            f"Rounded up, and at least 60: {right} seconds.",
        ],
        [
            Slip("forgets the image pull", billed_seconds(ran), f"{ran} seconds alone."),
            Slip("forgets the minimum of one minute", ceil(total), f"{total} rounded up is {ceil(total)}, less than 60."),
            Slip(
                "bills whole minutes", ceil(total / 60) * 60, f"{ceil(total / 60)} × 60; beyond the first minute seconds count."
            ),
            Slip("bills whole hours", 3600, "Fargate bills by the second."),
        ],
        "seconds",
    )


@generator("pricing.spot-saving", FARGATE_PRICES, "medium", "analyze")
def spot_saving(rng: Random) -> Draft:
    """Only the Spot tasks save."""
    base, spot, off = rng.randint(1, 6), rng.randint(2, 14), int(UP_TO["Fargate Spot"] * 100)
    (cpu, memory), total = rng.choice(SMALL), base + spot
    plain = fargate_hourly(cpu, memory) * total
    paid = fargate_hourly(cpu, memory) * base + fargate_hourly(cpu, memory, spot=True) * spot
    right = round(float(100 * (1 - paid / plain)), 1)
    return numeric(
        f"`{service(rng)}` runs {total} equal Fargate tasks: {base} on demand and {spot} on Spot, at {off} percent off. "
        "How many percent does that save against all on demand? Round to one decimal.",
        right,
        [
            f"The {spot} on Spot cost {100 - off} percent: {base} + {spot} × {(100 - off) / 100:g} = {base + spot * (100 - off) / 100:g} instead of {total}.",
            f"1 - {base + spot * (100 - off) / 100:g} / {total} = {right:g} percent.",
        ],
        [
            Slip("gives the discount to every task", off, f"{base} of {total} tasks pay in full."),
            Slip(
                "takes the share of Spot tasks for the saving",
                round(100 * spot / total, 1),
                f"{spot} / {total}; these still cost {100 - off} percent.",
            ),
            Slip("takes what is paid for what is saved", round(100 - right, 1), f"{100 - right:.1f} percent are paid."),
        ],
        "%",
        0.05,
    )


@generator("pricing.extra-storage", FARGATE_PRICES)
def extra_storage(rng: Random) -> Draft:
    """20 GB are included."""
    size, tasks, free = rng.randint(21, 200), rng.randint(2, 8), INCLUDED_EPHEMERAL_GIB

    def cost(gb: int) -> float:
        return _cents(monthly(EPHEMERAL_GB_HOUR * gb * tasks))

    right = float(dollars(monthly((fargate_hourly(1024, 2048, ephemeral=size) - fargate_hourly(1024, 2048)) * tasks)))
    return numeric(
        f"{count(tasks, 'Fargate task')} of `{service(rng)}` run all month ({HOURS_PER_MONTH} hours) with {size} GB of "
        f"ephemeral storage each. Ephemeral storage costs ${EPHEMERAL_GB_HOUR} per GB-hour above what is included. What "
        "does the storage cost in the month, in dollars?",
        right,
        [
            f"{free} GB are included: {size} - {free} = {size - free} GB are billed for each task.",
            f"{tasks} × {size - free} × {HOURS_PER_MONTH} × {EPHEMERAL_GB_HOUR} = {right:.2f} dollars.",
        ],
        [
            Slip("forgets the storage that is included", cost(size), f"{tasks} × {size} GB."),
            Slip("takes ephemeral storage for free", 0, f"only the first {free} GB of a task are."),
            Slip(
                "includes the storage once per service",
                _cents(monthly(EPHEMERAL_GB_HOUR * max(0, size * tasks - free))),
                f"{tasks} × {size} - {free} GB.",
            ),
        ],
        "dollars",
        0.01,
    )


TYPES = (
    "m5.large",
    "m6i.large",
    "m7i.large",
    "m7g.large",
    "m5.xlarge",
    "m7g.xlarge",
    "c5.large",
    "c7g.large",
    "c5.xlarge",
    "c7g.xlarge",
    "r5.large",
    "r7g.large",
)


@generator("pricing.break-even-tasks", EC2_PRICES, "hard", "analyze")
def break_even_tasks(rng: Random) -> Draft:
    """From how many small tasks on the instance is cheaper."""
    kind, (cpu, memory) = rng.choice(TYPES), rng.choice(((256, 512), (256, 1024), (512, 1024), (512, 2048), (1024, 2048)))
    one, arch = EC2[kind], EC2[kind].arch
    hourly, right = fargate_hourly(cpu, memory, arch), break_even(kind).tasks(cpu, memory)
    fit = min(one.vcpu * 1024 // cpu, one.memory * 1024 // memory)
    if right > fit:
        return None
    exact = one.hourly / hourly
    return numeric(
        f"Tasks of `{service(rng)}` need {_size(cpu, memory)} each. {'A' if kind[0] == 'c' else 'An'} {kind} ({one.vcpu} "
        f"vCPU, {one.memory} GiB) costs ${one.hourly} an hour; Fargate costs {_rates(arch)}. All run around the clock. "
        f"From how many tasks on does one {kind} cost no more than Fargate? Compare compute only, and assume the tasks "
        "fit.",
        right,
        [
            f"One task on Fargate: {cpu / 1024:g} × {FARGATE[arch].vcpu_hour} + {memory / 1024:g} × {FARGATE[arch].gb_hour} = {hourly:f} dollars an hour.",
            f"{one.hourly} / {hourly:f} = {exact:.2f}, so from {right} tasks on.",
        ],
        [
            Slip("rounds the break-even down", floor(exact), f"{floor(exact)} tasks still cost less on Fargate."),
            Slip("waits until the instance is full", fit, f"{fit} tasks fill it, but {right} are enough."),
            Slip(
                "compares the CPU only",
                ceil(one.hourly / (FARGATE[arch].vcpu_hour * cpu / 1024)),
                f"{one.hourly} / ({cpu / 1024:g} × {FARGATE[arch].vcpu_hour}), rounded up.",
            ),
            Slip(
                "thinks an instance is cheaper from the first task",
                1,
                f"one task costs {hourly:f} on Fargate, the instance {one.hourly}.",
            ),
        ],
        "tasks",
    )


@generator("pricing.break-even-hours", EC2_PRICES, "hard", "analyze")
def break_even_hours(rng: Random) -> Draft:
    """A task that rests part of the month may be cheaper on Fargate."""
    kind = rng.choice(TYPES)
    found, one = break_even(kind), EC2[kind]
    rest = rng.randint(5, 300)
    right = float(round(found.hours_per_month))
    rate = FARGATE[one.arch]
    return numeric(
        f"A batch of `{service(rng)}` needs all of {'a' if kind[0] == 'c' else 'an'} {kind} ({one.vcpu} vCPU, "
        f"{one.memory} GiB), which costs ${one.hourly} an hour and would run all month ({HOURS_PER_MONTH} hours). A "
        f"Fargate task of that size costs {_rates(one.arch)}. Up to how many hours a month, rounded to a whole number, "
        f"is Fargate cheaper? (Today the batch takes {rest}.)",
        right,
        [
            f"Fargate: {one.vcpu} × {rate.vcpu_hour} + {one.memory} × {rate.gb_hour} = {found.fargate:f} dollars an hour.",
            f"{one.hourly} × {HOURS_PER_MONTH} / {found.fargate:f} = {right:g} hours.",
        ],
        [
            Slip("thinks EC2 is always cheaper", 0, "an instance that waits costs as much as one that works."),
            Slip(
                "takes the price difference for the share",
                round(HOURS_PER_MONTH * float(1 - found.utilization)),
                f"{HOURS_PER_MONTH} × (1 - {found.utilization:.3f}).",
            ),
            Slip("thinks Fargate is always cheaper", HOURS_PER_MONTH, f"full time Fargate costs {found.premium:.1%} more."),
            Slip(
                "compares the CPU only",
                min(HOURS_PER_MONTH - 1, round(float(one.hourly * HOURS_PER_MONTH / (one.vcpu * rate.vcpu_hour)))),
                "memory is billed as well.",
            ),
        ],
        "hours",
        1,
    )


@generator("pricing.public-addresses", ADDRESSES, "easy")
def public_addresses(rng: Random) -> Draft:
    """Each public IPv4 address costs, those of the load balancer too."""
    tasks, zones = rng.randint(2, 20), rng.randint(2, 3)
    price = PRICES["public-ipv4"].rate

    def cost(addresses: int) -> float:
        return _cents(monthly(price * addresses))

    return numeric(
        f"`{service(rng)}` runs {tasks} Fargate tasks with a public IPv4 address each, behind an internet-facing load "
        f"balancer with one public address in each of {zones} Availability Zones, all month ({HOURS_PER_MONTH} hours). A "
        f"public IPv4 address costs ${price} an hour. What do the addresses cost in the month, in dollars?",
        cost(tasks + zones),
        [
            f"{tasks} tasks and {zones} of the load balancer: {tasks + zones} addresses.",
            f"{tasks + zones} × {HOURS_PER_MONTH} × {price} = {cost(tasks + zones):.2f} dollars.",
        ],
        [
            Slip("forgets the load balancer's addresses", cost(tasks), f"{tasks} addresses."),
            Slip(
                "counts one address for the load balancer", cost(tasks + 1), f"{tasks} + 1 addresses; it has one in each zone."
            ),
            Slip("takes addresses in use for free", 0, "since 2024 every public IPv4 address costs, in use or not."),
            Slip("counts the load balancer only", cost(zones), f"{zones} addresses; the tasks have their own."),
        ],
        "dollars",
        0.01,
    )
