"""What is metered, and how what ran becomes the lines of a bill.

Theory. Whatever costs by time is a kind of `Metered`: equal things share a kind, so that a
day of ten thousand tasks is a handful of kinds. A kind says how many seconds of one thing
are billed (`billed`: whole seconds, with a minimum for some) and what so many billed seconds
together cost (`lines`). A `Ledger` adds up what has ended and remembers what still runs.
What costs by amount (requests, bytes) is `Counted`.

How a public address, a load balancer, a NAT gateway or a volume is rounded within its hour
is this lab's choice: by the second, as everything else here.

Sources: AWS pricing pages of Fargate, EC2, Elastic Load Balancing, VPC, EBS, CloudWatch, ECS.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from math import ceil
from typing import ClassVar, Hashable, Iterable, Iterator, Mapping, Protocol

from .pricing import (
    EC2,
    HOURS_PER_MONTH,
    INCLUDED_EPHEMERAL_GIB,
    MINIMUM_SECONDS,
    PRICES,
    UP_TO,
    Line,
    billed_seconds,
    ec2_line,
    fargate_lines,
    line,
)

D = Decimal
FARGATE, INSTANCES, ANYWHERE = "Fargate", "EC2 instances", "ECS Anywhere"
ADDRESSES, BALANCERS, GATEWAYS = "Public IPv4 addresses", "Load balancers", "NAT gateways"
VOLUMES, LOGS = "EBS volumes", "CloudWatch Logs"
PRODUCTS = (FARGATE, INSTANCES, ANYWHERE, ADDRESSES, BALANCERS, GATEWAYS, VOLUMES, LOGS)  # as a bill lists them

ANYWHERE_MINIMUM_SECONDS = 3600
CHIPS = {"X86_64": "", "ARM64": " ARM", "WINDOWS": " Windows"}


def size_text(cpu: int, memory: int) -> str:
    """A task's size in words: units and MiB as vCPU and GB."""
    return f"{cpu / 1024:g} vCPU, {memory / 1024:g} GB"


class Metered(Protocol):
    """One kind of thing that costs by time. `owner` is what it was there for."""

    product: ClassVar[str]
    owner: str

    @property
    def name(self) -> str:
        """In the singular; "" for what needs no words beside its product's."""

    def billed(self, seconds: float) -> int: ...

    def lines(self, seconds: float) -> list[Line]:
        """None where there is no price for it."""
        ...


@dataclass(frozen=True, slots=True)
class FargateTask:
    """Fargate Spot has no price for Windows."""

    product: ClassVar[str] = FARGATE
    owner: str
    cpu: int
    memory: int
    arch: str = "X86_64"
    spot: bool = False
    ephemeral: int = INCLUDED_EPHEMERAL_GIB

    @property
    def name(self) -> str:
        return f"{'Spot ' if self.spot else ''}task of {size_text(self.cpu, self.memory)}{CHIPS[self.arch]}"

    def billed(self, seconds: float) -> int:
        return billed_seconds(seconds, self.arch)

    def lines(self, seconds: float) -> list[Line]:
        if self.spot and self.arch == "WINDOWS":
            return []
        return fargate_lines(seconds, self.cpu, self.memory, self.arch, self.spot, self.ephemeral)


@dataclass(frozen=True, slots=True)
class Ec2Instance:
    product: ClassVar[str] = INSTANCES
    owner: str
    instance_type: str
    spot: bool = False

    @property
    def name(self) -> str:
        return f"{'Spot ' if self.spot else ''}{self.instance_type}"

    def billed(self, seconds: float) -> int:
        return max(ceil(seconds), MINIMUM_SECONDS)

    def lines(self, seconds: float) -> list[Line]:
        if self.instance_type not in EC2:
            return []
        whole = ec2_line(self.instance_type, seconds)
        if not self.spot:
            return [whole]
        share = 1 - UP_TO["EC2 Spot"]
        return [Line(whole.what, whole.quantity, whole.unit, whole.rate * share, whole.amount * share)]


@dataclass(frozen=True, slots=True)
class Hourly:
    """Anything at one of `PRICES` by the hour."""

    owner: str
    product: str
    price: str
    name: str = ""

    def billed(self, seconds: float) -> int:
        return max(ceil(seconds), ANYWHERE_MINIMUM_SECONDS if self.price == "ecs-anywhere" else 0)

    def lines(self, seconds: float) -> list[Line]:
        return [line(self.price, D(str(seconds)) / 3600)]


@dataclass(frozen=True, slots=True)
class Volume:
    product: ClassVar[str] = VOLUMES
    owner: str
    gib: int
    volume_type: str = "gp3"

    @property
    def name(self) -> str:
        return f"{self.volume_type} volume of {self.gib} GB"

    def billed(self, seconds: float) -> int:
        return ceil(seconds)

    def lines(self, seconds: float) -> list[Line]:
        if f"ebs.{self.volume_type}" not in PRICES:
            return []
        return [line(f"ebs.{self.volume_type}", D(str(seconds)) * self.gib / 3600 / HOURS_PER_MONTH)]


@dataclass(frozen=True, slots=True)
class Counted:
    """So much of one of `PRICES`, however long it took."""

    owner: str
    product: str
    price: str
    quantity: Decimal
    name: str = ""
    goes_on: bool = True

    def lines(self) -> list[Line]:
        return [line(self.price, self.quantity)]

    def hourly(self, hours: Decimal) -> Decimal:
        """Dollars an hour if a whole month goes on as these hours did on average."""
        if hours <= 0 or not self.goes_on:
            return D(0)
        return line(self.price, self.quantity / hours * HOURS_PER_MONTH).amount / HOURS_PER_MONTH


@dataclass(slots=True)
class Tally:
    """How many of a kind there were, how long in billed seconds together, and how many run now."""

    count: int = 0
    seconds: int = 0
    running: int = 0

    def add(self, seconds: int, running: bool = False) -> None:
        self.count += 1
        self.seconds += seconds
        self.running += running


@dataclass
class Ledger:
    """What has ended, added up by kind, and what runs: by a key of its own, (its kind, since when)."""

    ended: dict[Metered, Tally] = field(default_factory=dict)
    open: dict[Hashable, tuple[Metered, float]] = field(default_factory=dict)
    seen: set[Hashable] = field(default_factory=set)  # those of `open` that `see` began

    def ran(self, kind: Metered, start: float, end: float) -> None:
        """One thing that is over."""
        self.ended.setdefault(kind, Tally()).add(kind.billed(end - start))

    def begin(self, key: Hashable, kind: Metered, now: float) -> None:
        self.open.setdefault(key, (kind, now))

    def end(self, key: Hashable, now: float) -> None:
        """It is over, if it ever began."""
        if key in self.open:
            kind, since = self.open.pop(key)
            self.ran(kind, since, now)

    def see(self, found: Mapping[Hashable, Metered], now: float) -> None:
        """All that runs now, as far as it is looked at: what is new begins, what is missing or has become another kind ends."""
        for key in self.seen - found.keys():
            self.end(key, now)
        for key, kind in found.items():
            before, since = self.open.get(key, (kind, now))
            if before != kind and now > since:
                self.end(key, now)
            elif before != kind:
                del self.open[key]  # it was never anything else
            self.begin(key, kind, now)
        self.seen = set(found)

    def tallies(self, now: float, also: Iterable[tuple[Metered, float]] = ()) -> Iterator[tuple[Metered, Tally]]:
        """Every kind with all there was of it until `now`. `also` runs too: (kind, since when)."""
        whole = {kind: Tally(tally.count, tally.seconds) for kind, tally in self.ended.items()}
        for kind, since in (*self.open.values(), *also):
            whole.setdefault(kind, Tally()).add(kind.billed(now - since), running=True)
        yield from whole.items()
