"""What an audit is made of: the picture it looks at, a check, and what a check found.

A picture holds plain dictionaries as boto3 returns them; nothing here asks for any.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Iterable, Mapping

HIGH, MEDIUM, LOW = "high", "medium", "low"
WEIGHTS = {HIGH: 5, MEDIUM: 3, LOW: 1}
PASSED, FAILED, INAPPLICABLE = "passed", "failed", "does not apply"


@dataclass(frozen=True)
class Role:
    """An IAM role as it stands: its trust policy and every policy document that is attached or inline."""

    arn: str
    trust: Mapping
    policies: tuple[Mapping, ...] = ()

    @property
    def name(self) -> str:
        return self.arn.rpartition("/")[2]


@dataclass(frozen=True)
class Repository:
    """An ECR repository and the number of findings of the image's scan by severity; None where it was never scanned."""

    repository: Mapping
    findings: Mapping[str, int] | None = None


@dataclass(frozen=True)
class Picture:
    """A service and what stands around it.

    target_groups: DescribeTargetGroups, each with its attributes under `Attributes` as {key: value}.
    load_balancers: DescribeLoadBalancers of those groups. public_subnets: ids with a route to an internet gateway.
    roles: by "task" and "execution", where the definition names one that exists. repositories: by image.
    log_groups: by name. peaks: the highest CPU and memory utilization in percent, where CloudWatch has any.
    """

    service: Mapping
    cluster: Mapping
    definition: Mapping
    target_groups: tuple[Mapping, ...] = ()
    load_balancers: tuple[Mapping, ...] = ()
    scalable_target: Mapping | None = None
    policies: tuple[Mapping, ...] = ()
    scheduled_actions: tuple[Mapping, ...] = ()
    alarms: tuple[Mapping, ...] = ()
    subnets: tuple[Mapping, ...] = ()
    public_subnets: frozenset[str] = frozenset()
    security_groups: tuple[Mapping, ...] = ()
    flow_logs: tuple[Mapping, ...] = ()
    roles: Mapping[str, Role] = field(default_factory=dict)
    log_groups: Mapping[str, Mapping] = field(default_factory=dict)
    repositories: Mapping[str, Repository] = field(default_factory=dict)
    peaks: tuple[float, float] | None = None

    @property
    def containers(self) -> list[Mapping]:
        return list(self.definition["containerDefinitions"])

    @property
    def essential(self) -> list[Mapping]:
        return [c for c in self.containers if c.get("essential", True)]

    @property
    def strategy(self) -> list[Mapping]:
        """The capacity provider strategy; empty for a launch type."""
        return list(self.service.get("capacityProviderStrategy") or ())

    @property
    def on_fargate(self) -> bool:
        providers = [one["capacityProvider"] for one in self.strategy]
        return any(p.startswith("FARGATE") for p in providers) or not providers and self.service.get("launchType") == "FARGATE"

    @property
    def on_windows(self) -> bool:
        return (self.definition.get("runtimePlatform") or {}).get("operatingSystemFamily", "LINUX").startswith("WINDOWS")

    @property
    def is_replica(self) -> bool:
        return self.service.get("schedulingStrategy", "REPLICA") == "REPLICA"

    @property
    def controller(self) -> str:
        return (self.service.get("deploymentController") or {}).get("type", "ECS")

    @property
    def deployment(self) -> Mapping:
        return self.service.get("deploymentConfiguration") or {}

    @property
    def rolling(self) -> bool:
        return self.controller == "ECS" and self.deployment.get("strategy", "ROLLING") == "ROLLING"

    @property
    def awsvpc(self) -> Mapping:
        """Subnets, security groups and assignPublicIp; empty in the other network modes."""
        return (self.service.get("networkConfiguration") or {}).get("awsvpcConfiguration") or {}

    @property
    def balanced(self) -> bool:
        return bool(self.service.get("loadBalancers"))

    def index(self, container: Mapping) -> int:
        return next(n for n, one in enumerate(self.containers) if one["name"] == container["name"])


@dataclass(frozen=True)
class Judged:
    """What was found. `change` is empty when nothing has to change."""

    found: str
    change: str = ""


def fine(found: str) -> Judged:
    return Judged(found)


def wrong(found: str, change: str) -> Judged:
    assert change, "what is wrong comes with the change that mends it"
    return Judged(found, change)


Judge = Callable[[Picture], "Judged | None"]


@dataclass(frozen=True)
class Check:
    """`judge` returns None where the check does not apply. `card` is a heading of the ECS card, `page` an AWS page's title."""

    id: str
    severity: str
    title: str
    why: str
    card: str
    page: str
    judge: Judge

    def finding(self, picture: Picture) -> "Finding":
        judged = self.judge(picture)
        if judged is None:
            return Finding(self, INAPPLICABLE)
        return Finding(self, FAILED if judged.change else PASSED, judged.found, judged.change)


@dataclass(frozen=True)
class Finding:
    check: Check
    status: str
    found: str = ""
    change: str = ""

    def as_dict(self) -> dict[str, str]:
        check = {name: getattr(self.check, name) for name in ("id", "severity", "title", "why", "card", "page")}
        return {**check, "status": self.status, "found": self.found, "change": self.change}


def check(id: str, severity: str, title: str, why: str, card: str, page: str) -> Callable[[Judge], Check]:
    """Make a check of the function that judges."""
    return lambda judge: Check(id, severity, title, why, card, page, judge)


# Snippets -------------------------------------------------------------------------------


def update_service(picture: Picture, **fields: Any) -> str:
    given = ", ".join(f"{name}={value!r}" for name, value in fields.items())
    service = picture.service
    return f"ecs.update_service(cluster={picture.cluster['clusterName']!r}, service={service['serviceName']!r}, {given})"


def in_container(picture: Picture, container: Mapping, field: str, value: Any) -> str:
    """One assignment in the next revision of the task definition."""
    return f'definition["containerDefinitions"][{picture.index(container)}]["{field}"] = {value!r}'


def in_containers(picture: Picture, containers: Iterable[Mapping], field: str, value: Any) -> str:
    return "\n".join(in_container(picture, one, field, value) for one in containers)


def names(containers: Iterable[Mapping]) -> str:
    return ", ".join(one["name"] for one in containers)
