"""What it would cost: a size, a count and hours in; lines, a sum and alternatives out.

`fargate` and `ec2` estimate one choice, `compare` sets all of them beside each other, `crossing`
finds from how many tasks on instances cost no more. Instances are left on all month, whatever
the tasks' hours; a Fargate task is paid for its hours only. On an instance a task is placed by
CPU and memory; in awsvpc mode its interfaces may allow fewer, and that is not in here.

Sources: those of `pricing.py`; Developer Guide, "Amazon ECS task definition parameters" (task size).
"""
from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from math import ceil, isfinite

from .errors import client, invalid
from .fargate import FARGATE_SIZES, WINDOWS_CPU
from .instance_memory import registered_memory
from .metering import CHIPS, size_text
from .pricing import EC2, FARGATE, HOURS_PER_MONTH, INCLUDED_EPHEMERAL_GIB, Line, ec2_line, fargate_lines, total
from .task_definition_checks import EPHEMERAL_STORAGE

D = Decimal
MOST_TASKS = 1000  # as far as `crossing` looks


@dataclass(frozen=True, slots=True)
class Estimate:
    """`what` costs `lines` in `hours`; `hourly` while it runs. Dollars."""

    what: str
    hours: Decimal
    lines: tuple[Line, ...]

    @property
    def total(self) -> Decimal:
        return total(self.lines)

    @property
    def hourly(self) -> Decimal:
        return self.total / self.hours if self.hours else D(0)


def check_size(cpu: int, memory: int, arch: str = "X86_64") -> None:
    """ClientException unless Fargate has that size."""
    if memory not in FARGATE_SIZES.get(cpu, ()) or (arch == "WINDOWS" and cpu not in WINDOWS_CPU):
        raise client("No Fargate configuration exists for given values.")


def nearest(cpu: int) -> str:
    """What goes with that many CPU units, or which CPU sizes there are: said after a size was refused."""
    sizes = FARGATE_SIZES.get(cpu)
    if sizes is None:
        return f"CPU may be {_listed(tuple(FARGATE_SIZES))} units."
    return f"With {cpu} CPU units, memory may be {_listed(sizes)} MiB."


def _listed(sizes: tuple[int, ...]) -> str:
    steps = {b - a for a, b in zip(sizes, sizes[1:])}
    if len(sizes) > 3 and len(steps) == 1:
        return f"{sizes[0]} to {sizes[-1]} in steps of {steps.pop()}"
    return f"{', '.join(map(str, sizes[:-1]))} or {sizes[-1]}"


def check_number(name: str, value: object) -> None:
    """InvalidParameterException for what is no finite number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not isfinite(value):
        raise invalid(f"{name} must be a number, not {value!r}.")


def _check_amounts(count: int, hours: float, spot: float = 0.0) -> None:
    for name, value in (("count", count), ("hours", hours), ("spot", spot)):
        check_number(name, value)
    if not isinstance(count, int):
        raise invalid(f"count must be a whole number, not {count}.")
    if count < 1:
        raise invalid(f"count must be at least 1, not {count}.")
    if hours <= 0:
        raise invalid(f"hours must be more than 0, not {hours:g}.")
    if not 0 <= spot <= 1:
        raise invalid(f"spot is a share from 0 to 1, not {spot:g}.")


def fargate(
    cpu: int,
    memory: int,
    count: int = 1,
    hours: float = HOURS_PER_MONTH,
    arch: str = "X86_64",
    spot: float = 0.0,
    ephemeral: int = INCLUDED_EPHEMERAL_GIB,
) -> Estimate:
    """`count` tasks for so many hours each; `spot` is the share of their hours on Fargate Spot.

    EcsError for a size Fargate does not have, Spot on Windows, storage out of bounds, senseless amounts.
    """
    _check_amounts(count, hours, spot)
    if arch not in FARGATE:
        raise invalid(f"arch is one of {', '.join(FARGATE)}, not {arch}.")
    check_size(cpu, memory, arch)
    least, most = EPHEMERAL_STORAGE
    if ephemeral != INCLUDED_EPHEMERAL_GIB and not least <= ephemeral <= most:
        raise client(f"EphemeralStorage size should be at {f'least {least}' if ephemeral < least else f'most {most}'}")
    seconds, share = D(str(hours)) * 3600 * count, D(str(spot))
    lines = [
        *(fargate_lines(seconds * (1 - share), cpu, memory, arch, False, ephemeral) if share < 1 else ()),
        *(fargate_lines(seconds * share, cpu, memory, arch, True, ephemeral) if share else ()),
    ]
    tasks = f"{count} task{'s' if count != 1 else ''} of {size_text(cpu, memory)}{CHIPS[arch]}"
    part = f", {share * 100:f}".rstrip("0").rstrip(".") + " % on Spot" if share else ""
    return Estimate(f"Fargate: {tasks}{part}", D(str(hours)), tuple(lines))


def ec2(instance_type: str, count: int = 1, hours: float = HOURS_PER_MONTH) -> Estimate:
    """`count` instances left on for so many hours. InvalidParameterException for a type without a price."""
    _check_amounts(count, hours)
    if instance_type not in EC2:
        raise invalid(f"There is no price for instance type {instance_type!r}. Priced are: {', '.join(EC2)}.")
    line = ec2_line(instance_type, D(str(hours)) * 3600 * count)
    return Estimate(f"EC2: {count} {instance_type}", D(str(hours)), (line,))


# Alternatives -----------------------------------------------------------------


def fits(instance_type: str, cpu: int, memory: int) -> int:
    """How many tasks of that size one instance takes."""
    kind = EC2[instance_type]
    return min(kind.vcpu * 1024 // cpu, registered_memory(instance_type, kind.memory * 1024) // memory)


@dataclass(frozen=True, slots=True)
class Offer:
    """One way to run the tasks, for a month; `instances` of `instance_type`, or Fargate where that is ""."""

    what: str
    monthly: Decimal
    instance_type: str = ""
    instances: int = 0
    room: int = 0  # tasks that fit on these instances


def compare(cpu: int, memory: int, count: int = 1, hours: float = HOURS_PER_MONTH) -> list[Offer]:
    """Every way to run `count` tasks `hours` hours a month, cheapest first. Instances stay on."""
    offers = [
        Offer(f"Fargate{CHIPS[arch]}{' Spot' if spot else ''}", fargate(cpu, memory, count, hours, arch, spot).total)
        for arch in ("X86_64", "ARM64")
        for spot in (0.0, 1.0)
    ]
    for name, kind in EC2.items():
        each = fits(name, cpu, memory)
        if each and not kind.gpu:
            instances = ceil(count / each)
            offers.append(Offer(f"{instances} {name}", ec2(name, instances).total, name, instances, instances * each))
    return sorted(offers, key=lambda one: (one.monthly, one.what))


@dataclass(frozen=True, slots=True)
class Crossing:
    """With how many tasks instances first cost no more than Fargate, and from how many on always; None: never."""

    first: int | None
    always: int | None


def crossing(instance_type: str, cpu: int, memory: int, hours: float = HOURS_PER_MONTH, spot: float = 0.0) -> Crossing:
    """Instances of that type, left on, against Fargate of the same architecture. A full instance is cheapest, an empty one dearest."""
    kind, each = EC2[instance_type], fits(instance_type, cpu, memory)
    if not each:
        return Crossing(None, None)
    one = fargate(cpu, memory, 1, hours, kind.arch, spot).total
    instance = kind.hourly * HOURS_PER_MONTH
    dearer = {n for n in range(1, MOST_TASKS + 1) if ceil(n / each) * instance > n * one}
    always = max(dearer, default=0) + 1
    return Crossing(
        next((n for n in range(1, MOST_TASKS + 1) if n not in dearer), None), always if always <= MOST_TASKS else None
    )
