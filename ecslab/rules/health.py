"""Health: of a container, of a task, and what "healthy" means to a rollout.

Theory. A container's check runs every `interval`; `retries` failures in a row
make it UNHEALTHY, one success makes it HEALTHY, and failures inside
`startPeriod` do not count until the first success. A task's health is that of
its essential containers which have a check. A rollout counts a task as healthy
when its checks say so, or, where nothing checks it, after 40 seconds RUNNING.

Sources: API Reference, HealthCheck, Task.healthStatus, DeploymentConfiguration;
Developer Guide, "Determine Amazon ECS task health using container health checks".
"""
from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Iterable

from .lifecycle import Container

UNCHECKED_HEALTHY_AFTER = 40.0  # seconds RUNNING with nothing that checks the task

DEFAULT_INTERVAL = 30
DEFAULT_TIMEOUT = 5
DEFAULT_RETRIES = 3
DEFAULT_START_PERIOD = 0


@dataclass(frozen=True, slots=True)
class Probe:
    """The state of one container's health check."""

    retries: int = DEFAULT_RETRIES
    start_period: float = DEFAULT_START_PERIOD
    status: str = "UNKNOWN"
    failures: int = 0

    def after(self, passed: bool, seconds_since_start: float) -> "Probe":
        """The state after one more result, `seconds_since_start` after the container started."""
        if passed:
            return replace(self, status="HEALTHY", failures=0)
        if self.status == "UNKNOWN" and seconds_since_start < self.start_period:
            return self
        failures = self.failures + 1
        return replace(self, status="UNHEALTHY" if failures >= self.retries else self.status, failures=failures)


def seconds_to_unhealthy(interval: float, retries: int, start_period: float = 0) -> float:
    """How long a container that never passes its check takes to be UNHEALTHY (without the last timeout)."""
    return start_period + retries * interval


def task_health(containers: Iterable[Container]) -> str:
    """`healthStatus` of a task: UNKNOWN when no essential container has a check."""
    checked = [c.health for c in containers if c.essential and c.has_health_check]
    if not checked:
        return "UNKNOWN"
    for status in ("UNHEALTHY", "UNKNOWN"):
        if status in checked:
            return status
    return "HEALTHY"


def is_checked(containers: Iterable[Container]) -> bool:
    return any(c.essential and c.has_health_check for c in containers)
