"""How well does a service follow the good practices? Every check over one picture of it, and a score.

The checks are in `audit_definition`, `audit_service` and `audit_security`, each with why it matters, the heading of the ECS
card it belongs to, the AWS page that says so, and the one change that mends what it found. Of the card's practices two are
no checks: to use Fargate for simplicity, and Reserved Instances, are choices that the state of a region does not judge.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from . import audit_definition, audit_security, audit_service
from .audit_check import FAILED, HIGH, INAPPLICABLE, LOW, MEDIUM, PASSED, WEIGHTS, Check, Finding, Picture

CHECKS: tuple[Check, ...] = tuple(
    sorted((*audit_service.CHECKS, *audit_definition.CHECKS, *audit_security.CHECKS), key=lambda one: -WEIGHTS[one.severity])
)
HOW = (
    f"The score is the share passed of the checks that apply, where a high one counts {WEIGHTS[HIGH]}, "
    f"a medium one {WEIGHTS[MEDIUM]} and a low one {WEIGHTS[LOW]}."
)


@dataclass(frozen=True)
class Report:
    """Every check's finding, the gravest first."""

    service: str
    cluster: str
    findings: tuple[Finding, ...]

    @property
    def failed(self) -> tuple[Finding, ...]:
        return self._with(FAILED)

    @property
    def passed(self) -> tuple[Finding, ...]:
        return self._with(PASSED)

    @property
    def inapplicable(self) -> tuple[Finding, ...]:
        return self._with(INAPPLICABLE)

    @property
    def score(self) -> int:
        """From 0 to 100, rounded down, so that only a service that passes everything has 100."""
        passed, failed = _weight(self.passed), _weight(self.failed)
        return 100 * passed // (passed + failed)

    def __getitem__(self, check_id: str) -> Finding:
        return next(one for one in self.findings if one.check.id == check_id)

    def as_dict(self) -> dict[str, Any]:
        told = [one.as_dict() for one in self.findings]
        return {"service": self.service, "cluster": self.cluster, "score": self.score, "how": HOW, "findings": told}

    def _with(self, status: str) -> tuple[Finding, ...]:
        return tuple(one for one in self.findings if one.status == status)


def _weight(findings: tuple[Finding, ...]) -> int:
    return sum(WEIGHTS[one.check.severity] for one in findings)


def audit(picture: Picture) -> Report:
    service, cluster = picture.service["serviceName"], picture.cluster["clusterName"]
    return Report(service, cluster, tuple(one.finding(picture) for one in CHECKS))
