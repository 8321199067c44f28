"""What it costs: a dated price table for us-east-1 and the arithmetic of a bill.

Theory. ECS itself is free; what runs underneath is charged. A Fargate task is billed
for the size it asked for, not for what it uses, per second from image pull to
termination, rounded up, one minute at least. An EC2 instance is billed per second
too, busy or idle. Around them stand load balancer, NAT gateway, public addresses,
storage and logs, which often cost more than the tasks. A month is 730 hours.

EC2 is cheaper than Fargate as soon as more than `break_even(...).utilization` of the
instance is reserved around the clock.

Amounts are exact decimals in US dollars; round only to show them (`dollars`). A price
with `confirmed=False` was found in one place only: good for an estimate, not for an
exam. `spot=True` takes the largest discount advertised; real Spot prices float.

Sources: AWS pricing pages of Fargate, EC2, Elastic Load Balancing, VPC, EBS,
CloudWatch, ECR, Secrets Manager, ECS; EC2 "On-Demand Pricing".
"""
from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from math import ceil
from typing import Iterable

from .errors import client
from .task_definition import FARGATE_SIZES

PRICES_CHECKED = "2026-11-23"
REGION = "us-east-1"
HOURS_PER_MONTH = 730

INCLUDED_EPHEMERAL_GIB = 20
MINIMUM_SECONDS = 60
WINDOWS_MINIMUM_SECONDS = 300  # not confirmed

D = Decimal


# The price table ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Price:
    """`rate` dollars per `unit`; `free` units a month cost nothing."""

    rate: Decimal
    unit: str
    confirmed: bool = True
    free: Decimal = D(0)


@dataclass(frozen=True, slots=True)
class FargateRate:
    vcpu_hour: Decimal
    gb_hour: Decimal
    confirmed: bool = True


FARGATE = {
    "X86_64": FargateRate(D("0.04048"), D("0.004445")),
    "ARM64": FargateRate(D("0.03238"), D("0.00356")),
    "WINDOWS": FargateRate(D("0.09148"), D("0.01005"), confirmed=False),  # with or without its licence is unclear
}
EPHEMERAL_GB_HOUR = D("0.000111")
FARGATE_SPOT_OBSERVED_VCPU_HOUR = (D("0.0127"), D("0.0133"))  # Linux x86, lowest and highest seen

# The largest discounts advertised, as a share of the on-demand price.
UP_TO = {
    "Fargate Spot": D("0.70"),
    "Compute Savings Plan on Fargate": D("0.50"),
    "Compute Savings Plan on EC2": D("0.66"),
    "EC2 Instance Savings Plan or Reserved Instance": D("0.72"),
    "EC2 Spot": D("0.90"),
}

PRICES = {
    "alb": Price(D("0.0225"), "hour"),
    "alb.lcu": Price(D("0.008"), "LCU-hour"),
    "nlb": Price(D("0.0225"), "hour", confirmed=False),
    "nlb.lcu": Price(D("0.006"), "NLCU-hour", confirmed=False),
    "nat": Price(D("0.045"), "hour"),
    "nat.data": Price(D("0.045"), "GB"),
    "public-ipv4": Price(D("0.005"), "hour"),
    "ebs.gp3": Price(D("0.08"), "GB-month"),
    "ebs.gp3.iops": Price(D("0.005"), "IOPS-month above 3000", confirmed=False),
    "ebs.gp3.throughput": Price(D("0.04"), "MB/s-month above 125", confirmed=False),
    "ebs.gp2": Price(D("0.10"), "GB-month", confirmed=False),
    "data.out": Price(D("0.09"), "GB", free=D(100)),
    "data.inter-az": Price(D("0.01"), "GB each way", confirmed=False),
    "logs.ingested": Price(D("0.50"), "GB", free=D(5)),
    "logs.stored": Price(D("0.03"), "GB-month", confirmed=False),
    "logs.insights": Price(D("0.005"), "GB scanned"),
    "cloudwatch.metric": Price(D("0.30"), "metric-month"),
    "cloudwatch.alarm": Price(D("0.10"), "alarm-month", confirmed=False),
    "ecr": Price(D("0.10"), "GB-month", confirmed=False),
    "secrets-manager": Price(D("0.40"), "secret-month", confirmed=False),
    "secrets-manager.calls": Price(D("0.05"), "10,000 calls", confirmed=False),
    "vpc-endpoint": Price(D("0.01"), "hour per zone", confirmed=False),
    "vpc-endpoint.data": Price(D("0.01"), "GB", confirmed=False),
    "ecs-anywhere": Price(D("0.01025"), "instance-hour"),
}


@dataclass(frozen=True, slots=True)
class InstanceType:
    """A Linux instance, on demand. Memory in GiB."""

    name: str
    vcpu: int
    memory: int
    hourly: Decimal
    gpu: str = ""

    @property
    def arch(self) -> str:
        return "ARM64" if "g" in self.name.split(".")[0][2:] else "X86_64"

    @property
    def burstable(self) -> bool:
        return self.name.startswith("t")


_EC2 = """
t3.micro 2 1 0.0104      t3.small 2 2 0.0208     t3.medium 2 4 0.0416    t3.large 2 8 0.0832
t3.xlarge 4 16 0.1664    t4g.medium 2 4 0.0336   t4g.large 2 8 0.0672
m5.large 2 8 0.0960      m5.xlarge 4 16 0.1920   m5.2xlarge 8 32 0.3840  m6i.large 2 8 0.0960
m7i.large 2 8 0.1008     m6g.large 2 8 0.0770    m7g.large 2 8 0.0816    m7g.xlarge 4 16 0.1632
c5.large 2 4 0.0850      c5.xlarge 4 8 0.1700    c6i.large 2 4 0.0850    c6g.large 2 4 0.0680
c7g.large 2 4 0.0725     c7g.xlarge 4 8 0.1450   c7i.large 2 4 0.08925
r5.large 2 16 0.1260     r5.xlarge 4 32 0.2520   r6g.large 2 16 0.1008   r7g.large 2 16 0.1071
g4dn.xlarge 4 16 0.5260  g5.xlarge 4 16 1.0060
"""  # name, vCPU, GiB, dollars an hour
_GPUS = {"g4dn.xlarge": "T4", "g5.xlarge": "A10G"}


def _types() -> dict[str, InstanceType]:
    words = _EC2.split()
    rows = [words[n : n + 4] for n in range(0, len(words), 4)]
    return {n: InstanceType(n, int(v), int(m), D(price), _GPUS.get(n, "")) for n, v, m, price in rows}


EC2 = _types()


# Fargate --------------------------------------------------------------------


def fargate_hourly(
    cpu: int, memory: int, arch: str = "X86_64", spot: bool = False, ephemeral: int = INCLUDED_EPHEMERAL_GIB
) -> Decimal:
    """Dollars an hour for a task of `cpu` units and `memory` MiB with `ephemeral` GiB of storage.

    `arch` is X86_64, ARM64 or WINDOWS. EcsError for a size Fargate does not offer, and for Spot on Windows.
    """
    return sum((line.amount for line in fargate_lines(3600, cpu, memory, arch, spot, ephemeral)), D(0))


def fargate_cost(
    seconds: float,
    cpu: int,
    memory: int,
    arch: str = "X86_64",
    spot: bool = False,
    ephemeral: int = INCLUDED_EPHEMERAL_GIB,
) -> Decimal:
    """Dollars for one task that ran that long, from image pull to termination."""
    return fargate_hourly(cpu, memory, arch, spot, ephemeral) * billed_seconds(seconds, arch) / 3600


def billed_seconds(seconds: float, arch: str = "X86_64") -> int:
    return max(ceil(seconds), WINDOWS_MINIMUM_SECONDS if arch == "WINDOWS" else MINIMUM_SECONDS)


# EC2 ------------------------------------------------------------------------


def ec2_hourly(instance_type: str, discount: Decimal = D(0)) -> Decimal:
    """Dollars an hour; `discount` is a share, for instance one of `UP_TO`."""
    return EC2[instance_type].hourly * (1 - discount)


def ec2_cost(seconds: float, instance_type: str, discount: Decimal = D(0)) -> Decimal:
    """Dollars for one instance that ran that long, whatever ran on it."""
    return ec2_hourly(instance_type, discount) * max(ceil(seconds), MINIMUM_SECONDS) / 3600


@dataclass(frozen=True, slots=True)
class BreakEven:
    """An EC2 instance against Fargate of the same vCPU and memory, compute only."""

    instance_type: str
    ec2: Decimal
    fargate: Decimal

    @property
    def utilization(self) -> Decimal:
        """Reserve more than this share of the instance around the clock, and EC2 is cheaper."""
        return self.ec2 / self.fargate

    @property
    def premium(self) -> Decimal:
        """What Fargate costs more for a full instance, as a share."""
        return self.fargate / self.ec2 - 1

    @property
    def hours_per_month(self) -> Decimal:
        """A task of the instance's size that runs less than this is cheaper on Fargate."""
        return self.utilization * HOURS_PER_MONTH

    def tasks(self, cpu: int, memory: int) -> int:
        """From this many tasks of that size on, the instance costs no more than Fargate."""
        return ceil(self.ec2 / fargate_hourly(cpu, memory, EC2[self.instance_type].arch))


def break_even(instance_type: str) -> BreakEven:
    kind = EC2[instance_type]
    rate = FARGATE[kind.arch]
    return BreakEven(instance_type, kind.hourly, kind.vcpu * rate.vcpu_hour + kind.memory * rate.gb_hour)


# Right-sizing ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Size:
    cpu: int  # units
    memory: int  # MiB
    hourly: Decimal


def cheapest_size(
    cpu_used_peak: float, memory_used_peak: float, headroom: float = 0.2, arch: str = "X86_64"
) -> Size | None:
    """The cheapest Fargate size of which `headroom` stays free at the peaks (units, MiB); None: no size is enough."""
    share = 1 - D(str(headroom))
    fitting = [
        Size(cpu, memory, fargate_hourly(cpu, memory, arch))
        for cpu, sizes in FARGATE_SIZES.items()
        for memory in sizes
        if cpu * share >= D(str(cpu_used_peak)) and memory * share >= D(str(memory_used_peak))
    ]
    return min(fitting, key=lambda size: (size.hourly, size.cpu, size.memory), default=None)


# A bill ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a bill. `quantity` is what was used; what is free of it costs nothing in `amount`."""

    what: str
    quantity: Decimal
    unit: str
    rate: Decimal
    amount: Decimal
    confirmed: bool = True


def line(price: str, quantity: float | Decimal, what: str = "") -> Line:
    """So much of one of `PRICES`."""
    found, used = PRICES[price], D(str(quantity))
    return Line(
        what or price, used, found.unit, found.rate, max(D(0), used - found.free) * found.rate, found.confirmed
    )


def fargate_lines(
    seconds: float,
    cpu: int,
    memory: int,
    arch: str = "X86_64",
    spot: bool = False,
    ephemeral: int = INCLUDED_EPHEMERAL_GIB,
    what: str = "Fargate",
) -> list[Line]:
    """vCPU, memory and extra storage of tasks of one size that were billed for that many seconds together."""
    if memory not in FARGATE_SIZES.get(cpu, ()):
        raise client("No Fargate configuration exists for given values.")
    if spot and arch == "WINDOWS":
        raise client("Fargate Spot does not run Windows tasks.")
    rate, hours = FARGATE[arch], D(str(seconds)) / 3600
    share = 1 - UP_TO["Fargate Spot"] if spot else D(1)
    name = f"{what} Spot" if spot else what
    parts = (
        (f"{name} vCPU", hours * cpu / 1024, "vCPU-hour", rate.vcpu_hour * share),
        (f"{name} memory", hours * memory / 1024, "GB-hour", rate.gb_hour * share),
        (f"{what} ephemeral storage", hours * max(0, ephemeral - INCLUDED_EPHEMERAL_GIB), "GB-hour", EPHEMERAL_GB_HOUR),
    )
    return [
        Line(what, quantity, unit, price, quantity * price, rate.confirmed)
        for what, quantity, unit, price in parts
        if quantity or "storage" not in what
    ]


def ec2_line(instance_type: str, seconds: float, what: str = "") -> Line:
    """Instances of one type that were billed for that many seconds together."""
    hours, rate = D(str(seconds)) / 3600, EC2[instance_type].hourly
    return Line(what or f"EC2 {instance_type}", hours, "hour", rate, hours * rate)


def total(lines: Iterable[Line]) -> Decimal:
    return sum((entry.amount for entry in lines), D(0))


def monthly(hourly: Decimal, hours: float = HOURS_PER_MONTH) -> Decimal:
    return hourly * D(str(hours))


def dollars(amount: Decimal, places: int = 2) -> Decimal:
    """The amount rounded to show, half a cent up."""
    return amount.quantize(D(1).scaleb(-places), ROUND_HALF_UP)


def load_balancer_units(
    new_connections_per_second: float = 0,
    active_connections: float = 0,
    gb_per_hour: float = 0,
    rule_evaluations_per_second: float = 0,
) -> Decimal:
    """LCUs of an ALB: the largest of its four dimensions counts."""
    return max(
        D(str(new_connections_per_second)) / 25,
        D(str(active_connections)) / 3000,
        D(str(gb_per_hour)),
        D(str(rule_evaluations_per_second)) / 1000,
    )
