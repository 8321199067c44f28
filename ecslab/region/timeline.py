"""What a service's deployments did, moment by moment.

The service controller records a sample whenever one of the numbers changes;
between two samples nothing did, so every second of the past is known.
"""
from __future__ import annotations

from bisect import bisect_right
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Mapping

from ..rules.rollout import Band

if TYPE_CHECKING:
    from .model import Service

MOST_SAMPLES = 20_000


@dataclass(frozen=True)
class Count:
    """The tasks of one deployment or revision."""

    running: int = 0
    pending: int = 0
    healthy: int = 0
    stopping: int = 0


@dataclass(frozen=True)
class Sample:
    """How the service stood from `at` on (region seconds). `traffic` is each deployment's share in percent, where one is set."""

    at: float
    desired: int
    lower: int
    upper: int
    tasks: Mapping[str, Count]  # by deployment id
    traffic: Mapping[str, float] = field(default_factory=dict)

    def same_as(self, other: "Sample | None") -> bool:
        return other is not None and (self.desired, self.lower, self.upper, self.tasks, self.traffic) == (
            other.desired, other.lower, other.upper, other.tasks, other.traffic
        )  # fmt: skip


@dataclass(frozen=True)
class Event:
    at: float
    message: str


@dataclass(frozen=True)
class Timeline:
    """`revisions` names each deployment's task definition, `web:2`. Samples and events are in order of time."""

    service: str
    now: float
    samples: tuple[Sample, ...]
    events: tuple[Event, ...]
    revisions: Mapping[str, str]

    def at(self, moment: float) -> Sample | None:
        """How things stood at that moment; None before the service existed."""
        index = bisect_right([sample.at for sample in self.samples], moment)
        return self.samples[index - 1] if index else None

    def __str__(self) -> str:
        if not self.samples:
            return f"{self.service}: nothing has happened yet."
        start = self.samples[0].at
        rows = [f"{'second':>6}  desired  band      tasks (running/healthy)"]
        for sample in self.samples:
            tasks = ", ".join(
                f"{self.revisions.get(name, name)} {count.running}/{count.healthy}"
                + (f" +{count.pending} starting" if count.pending else "")
                + (f" +{count.stopping} stopping" if count.stopping else "")
                + (f" {sample.traffic[name]:g} % of traffic" if name in sample.traffic else "")
                for name, count in sample.tasks.items()
            )
            rows.append(f"{sample.at - start:6.0f}  {sample.desired:>7}  {f'{sample.lower} to {sample.upper}':<8}  {tasks or 'none'}")
        return "\n".join(rows)


class Recorder:
    def __init__(self) -> None:
        self.samples: deque[Sample] = deque(maxlen=MOST_SAMPLES)
        self.revisions: dict[str, str] = {}

    def record(self, service: "Service", limits: Band, views, traffic: Mapping[str, float], now: float) -> None:
        """`views` are the TaskViews of this moment."""
        counts: dict[str, list[int]] = {d.id: [0, 0, 0, 0] for d in service.deployments}
        for deployment in service.deployments:
            definition = deployment.task_definition
            self.revisions.setdefault(deployment.id, f"{definition.family}:{definition.revision}")
        for view in views:
            row = counts.setdefault(view.deployment_id, [0, 0, 0, 0])
            if view.stopping:
                row[3] += 1
            else:
                row[0 if view.running else 1] += 1
                row[2] += view.healthy
        tasks = {name: Count(*row) for name, row in counts.items() if any(row)}
        sample = Sample(now, service.desired_count, limits.lower, limits.upper, tasks, dict(traffic))
        last = self.samples[-1] if self.samples else None
        if last is not None and last.at == now:
            self.samples.pop()
            last = self.samples[-1] if self.samples else None
        if not sample.same_as(last):
            self.samples.append(sample)

    def timeline(self, service: "Service", now: float) -> Timeline:
        events = tuple(Event(e["createdAt"], e["message"]) for e in reversed(service.events))
        return Timeline(service.name, now, tuple(self.samples), events, dict(self.revisions))
