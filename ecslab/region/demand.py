"""A day of traffic in virtual time: requests as a rate, not one by one.

A `Load` sends every request; for twenty-four hours of a busy service that is
millions. A `Demand` says how many arrive in each second and how much CPU one of
them costs, and works out minute by minute what the running tasks can serve. Its
CPU use reaches CloudWatch like any other, so alarms and policies act on it. What
no task has CPU for fails.

Source for how use becomes a metric: Developer Guide, "Amazon ECS service utilization metrics".
"""
from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Callable, NamedTuple

from ..rules import pricing
from . import elbv2, launch, services

if TYPE_CHECKING:
    from . import Region
    from .model import Service

Rate = Callable[[datetime], float]
IDLE_MIB = 64.0  # of a task whose requests are only counted


class Used(NamedTuple):
    """What a task used since it was last looked at: CPU units on average, MiB now."""

    cpu: float
    memory: float


@dataclass(frozen=True, slots=True)
class Minute:
    """What happened until `at` (region seconds): requests, tasks that served them, CPU used of theirs in percent."""

    at: float
    requests: float
    failed: float
    running: int
    desired: int
    capacity: float  # requests that could have been served
    cpu: float


@dataclass(frozen=True)
class DemandReport:
    """The minutes of a demand, and what they come to."""

    service: str
    minutes: tuple[Minute, ...] = field(repr=False)
    hourly: Decimal | None = None  # dollars for an hour of one task on Fargate; None elsewhere

    @property
    def requests(self) -> int:
        return round(sum(m.requests for m in self.minutes))

    @property
    def failed(self) -> int:
        return round(sum(m.failed for m in self.minutes))

    @property
    def most_tasks(self) -> int:
        return max((m.running for m in self.minutes), default=0)

    @property
    def task_hours(self) -> float:
        return sum(m.running for m in self.minutes) / 60

    @property
    def cost(self) -> Decimal | None:
        """Dollars for the tasks, on Fargate."""
        return None if self.hourly is None else self.hourly * Decimal(str(round(self.task_hours, 4)))

    @property
    def changes(self) -> int:
        """How often the desired count moved."""
        return sum(a.desired != b.desired for a, b in zip(self.minutes, self.minutes[1:]))

    def __str__(self) -> str:
        share = 100 * self.failed / self.requests if self.requests else 0.0
        return (
            f"{self.requests:,} requests, {self.failed:,} failed ({share:.2f} %), at most {self.most_tasks} tasks, "
            f"{self.task_hours:,.1f} task-hours, desired count changed {self.changes} times"
        )

    __repr__ = __str__


class Demand:
    """Traffic for one service until `stop()`. Use `Region.start_demand`."""

    def __init__(self, region: "Region", service: "Service", rate: float | Rate, cpu_seconds: float):
        if cpu_seconds <= 0:
            raise ValueError(f"cpu_seconds must be more than 0, not {cpu_seconds}.")
        self._region, self.service, self._cpu_seconds = region, service, cpu_seconds
        self._rate: Rate = rate if callable(rate) else lambda _at: float(rate)
        self._minutes: list[Minute] = []
        self._since = region.clock.now()
        self.used: dict[str, Used] = {}  # by each task that served, in the minute that ended last

    def __enter__(self) -> "Demand":
        return self

    def __exit__(self, *_exception) -> None:
        self.stop()

    def pass_until(self, now: float) -> None:
        """Let the requests of the time since the last look arrive."""
        span = now - self._since
        if span <= 0:
            return
        rate = self._rate(datetime.fromtimestamp(self._since + span / 2, timezone.utc))
        if rate < 0:
            raise ValueError(f"There can not be {rate} requests a second.")
        serving = [t for t in self.service.tasks.values() if t.last_status == "RUNNING" and services.is_healthy(t, now)]
        cores = sum(t.cpu for t in serving) / 1024
        requests, capacity = rate * span, cores / self._cpu_seconds * span
        served = min(requests, capacity)
        share = served / capacity if capacity else 0.0
        alike = {cpu: Used(cpu * share, IDLE_MIB) for cpu in {t.cpu for t in serving}}
        self.used = {t.id: alike[t.cpu] for t in serving}
        self._minutes.append(
            Minute(now, requests, requests - served, len(serving), self.service.desired_count, capacity, 100 * share)
        )
        self._since = now
        self._count(round(served), round(requests - served), self._cpu_seconds / max(0.05, 1 - share))

    def _count(self, served: int, failed: int, seconds: float) -> None:
        """Behind a load balancer its metrics count these requests too."""
        deployment = self.service.lead
        for entry in (deployment.config.get("loadBalancers") or ()) if deployment else ():
            group = deployment.target_group(entry)
            for listener in self._region.balancing.listeners.values():
                if group in elbv2.groups_of(listener.rules):
                    self._region.balancing.traffic.passed(listener.balancer, group, served, failed, seconds)
                    return

    def report(self) -> DemandReport:
        return DemandReport(self.service.name, tuple(self._minutes), _hourly(self.service))

    def stop(self) -> DemandReport:
        """No more requests."""
        with self._region.lock:
            if self._region.monitoring.demands.get(self.service.arn) is self:
                del self._region.monitoring.demands[self.service.arn]
        return self.report()


def _hourly(service: "Service") -> Decimal | None:
    """What one task of the service costs an hour. None where it is not Fargate that runs it."""
    lead = service.lead
    if lead is None or launch.launch_type_of(lead.config) != "FARGATE":
        return None
    definition = lead.task_definition.definition
    arch = (definition.get("runtimePlatform") or {}).get("cpuArchitecture", "X86_64")
    return pricing.fargate_hourly(int(definition["cpu"]), int(definition["memory"]), arch)


def start(region: "Region", service: "Service", rate: float | Rate, cpu_seconds: float) -> Demand:
    if not region.is_simulated:
        raise RuntimeError("On Docker CPU is used by real containers: send real requests with region.load(url, ...). A demand needs engine='simulated'.")
    demand = region.monitoring.demands[service.arn] = Demand(region, service, rate, cpu_seconds)
    return demand


def weekday(low: float, high: float, peak: float = 14.0, burst: tuple[float, float, float] | None = None) -> Rate:
    """A day's requests a second: `low` at night, `high` at the hour `peak` (UTC).

    `burst`, (hour, minutes, factor), multiplies a part of the day: a sale, a newsletter.
    """

    def rate(at: datetime) -> float:
        hour = at.hour + at.minute / 60 + at.second / 3600
        swing = (1 + math.cos(2 * math.pi * (hour - peak) / 24)) / 2
        factor = burst[2] if burst and burst[0] <= hour < burst[0] + burst[1] / 60 else 1.0
        return (low + (high - low) * swing**2) * factor

    return rate
