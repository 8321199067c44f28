"""A target's health, from the results of its health checks.

A new target is `initial` until its first check: one that passes makes it
`healthy` at once. From then on it takes `UnhealthyThresholdCount` failures in a
row to turn `unhealthy`, and `HealthyThresholdCount` passes in a row to return.

Source: Elastic Load Balancing, User Guide for Application Load Balancers,
"Health checks for Application Load Balancer target groups"; API Reference
version 2015-12-01, TargetHealth.
"""
from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

REASONS = {
    "Elb.RegistrationInProgress": "Target registration is in progress",
    "Elb.InitialHealthChecking": "Initial health checks in progress",
    "Target.FailedHealthChecks": "Health checks failed",
    "Target.Timeout": "Request timed out",
    "Target.NotRegistered": "Target is not registered to the target group",
    "Target.NotInUse": "Target group is not configured to receive traffic from the load balancer",
    "Target.DeregistrationInProgress": "Target deregistration is in progress",
}
MISMATCH = "Target.ResponseCodeMismatch"


@dataclass(frozen=True)
class HealthCheck:
    """A target group's health check settings. `interval` and `timeout` are in seconds."""

    protocol: str = "HTTP"  # HTTP | HTTPS | TCP
    port: str = "traffic-port"
    path: str = "/"
    interval: float = 30
    timeout: float = 5
    healthy_threshold: int = 5
    unhealthy_threshold: int = 2
    matcher: str = "200"

    def passes(self, outcome: int | str) -> bool:
        """`outcome` is an HTTP status, "open" for a TCP connection, "refused" or "timeout"."""
        if self.protocol == "TCP":
            return outcome == "open" or isinstance(outcome, int)
        return isinstance(outcome, int) and any(low <= outcome <= high for low, high in _codes(self.matcher))


@lru_cache(maxsize=64)
def _codes(matcher: str) -> tuple[tuple[int, int], ...]:
    """"200", "200,202" or "200-299" as ranges."""
    ranges = [part.strip().partition("-") for part in matcher.split(",")]
    return tuple((int(low), int(high or low)) for low, _, high in ranges)


@dataclass(frozen=True)
class TargetHealth:
    """What DescribeTargetHealth tells of a target, and the counts behind it."""

    state: str = "initial"
    reason: str | None = "Elb.RegistrationInProgress"
    description: str | None = REASONS["Elb.RegistrationInProgress"]
    passes: int = 0
    failures: int = 0

    def after(self, outcome: int | str, check: HealthCheck) -> "TargetHealth":
        """The health after one more check."""
        if check.passes(outcome):
            passes = self.passes + 1
            if self.state in ("initial", "healthy") or passes >= check.healthy_threshold:
                return TargetHealth("healthy", None, None, passes, 0)
            return replace(self, passes=passes, failures=0)
        failures = self.failures + 1
        if self.state == "unhealthy" or failures >= check.unhealthy_threshold:
            return TargetHealth("unhealthy", *_why(outcome), 0, failures)
        if self.state == "initial":
            return of("initial", "Elb.InitialHealthChecking", failures=failures)
        return replace(self, passes=0, failures=failures)


def _why(outcome: int | str) -> tuple[str, str]:
    if isinstance(outcome, int):
        return MISMATCH, f"Health checks failed with these codes: [{outcome}]"
    reason = "Target.Timeout" if outcome == "timeout" else "Target.FailedHealthChecks"
    return reason, REASONS[reason]


def of(state: str, reason: str, **counts: int) -> TargetHealth:
    return TargetHealth(state, reason, REASONS[reason], **counts)
