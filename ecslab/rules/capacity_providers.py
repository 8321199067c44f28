"""Which capacity provider a task goes to, and how many instances one keeps.

Theory. The first `base` tasks go to one provider; every further task follows the
weights. Managed scaling holds CapacityProviderReservation, the instances needed over
the instances running, at its target by moving the Auto Scaling group's size.

Choice of ours, where AWS documents none: the weights' remainder goes to the provider
furthest behind its share, ties in list order.

Sources: Developer Guide, "Amazon ECS capacity providers", "Amazon ECS cluster auto
scaling"; API Reference, CapacityProviderStrategyItem, ManagedScaling.
"""
from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Iterable, Mapping, Sequence

from .errors import client, invalid

MAX_PROVIDERS = 20
MAX_BASE = 100_000
MAX_WEIGHT = 1_000


@dataclass(frozen=True, slots=True)
class ProviderShare:
    """One item of a capacity provider strategy. The API's default weight is 0."""

    capacity_provider: str
    base: int = 0
    weight: int = 0

    @classmethod
    def all(cls, items: Iterable) -> tuple["ProviderShare", ...]:
        """The items as shares, those that are still the API's dicts turned into them."""
        return tuple(
            i if isinstance(i, cls) else cls(i["capacityProvider"], i.get("base", 0), i.get("weight", 0)) for i in items
        )


def capacity_provider_strategy(
    items: Iterable[Mapping], associated: Iterable[str], fargate: Iterable[str] = ("FARGATE", "FARGATE_SPOT")
) -> tuple[ProviderShare, ...]:
    """`capacityProviderStrategy` of a request, checked against the cluster's providers."""
    shares = ProviderShare.all(items)
    associated, fargate = set(associated), set(fargate)
    names = [s.capacity_provider for s in shares]
    if len(shares) > MAX_PROVIDERS:
        raise invalid(f"A capacity provider strategy can contain at most {MAX_PROVIDERS} capacity providers.")
    if not associated.issuperset(names):
        raise invalid(
            "The specified capacity provider strategy cannot contain a capacity provider that is not associated with "
            "the cluster. Associate the capacity provider with the cluster and try again."
        )
    if fargate.intersection(names) and not fargate.issuperset(names):
        raise invalid(
            "A capacity provider strategy cannot contain a mix of capacity providers using Auto Scaling groups and "
            "Fargate providers. Specify one or the other and try again."
        )
    if any(not 0 <= s.base <= MAX_BASE or not 0 <= s.weight <= MAX_WEIGHT for s in shares):
        raise invalid(f"base must be between 0 and {MAX_BASE}, weight between 0 and {MAX_WEIGHT}.")
    if sum(s.base > 0 for s in shares) > 1:
        raise invalid(
            "The specified capacity provider strategy contains multiple capacity providers with a base value defined."
        )
    if not any(s.weight for s in shares):
        raise invalid(
            "There are no capacity providers in the capacity provider strategy with a weight value greater than zero."
        )
    return shares


def split(
    strategy: Sequence[ProviderShare | Mapping], n: int, existing: Mapping[str, int] | None = None
) -> dict[str, int]:
    """How many of `n` new tasks each provider gets, given how many it has: base first, then the largest deficit."""
    strategy = ProviderShare.all(strategy)
    had = {s.capacity_provider: (existing or {}).get(s.capacity_provider, 0) for s in strategy}
    new = dict.fromkeys(had, 0)
    for share in strategy:
        new[share.capacity_provider] = min(n - sum(new.values()), max(0, share.base - had[share.capacity_provider]))
    weighted = {s.capacity_provider: max(0, had[s.capacity_provider] - s.base) for s in strategy}
    total = sum(s.weight for s in strategy)
    for placed in range(sum(weighted.values()) + 1, sum(weighted.values()) + 1 + n - sum(new.values())):
        behind = max(
            (s for s in strategy if s.weight), key=lambda s: s.weight * placed - total * weighted[s.capacity_provider]
        ).capacity_provider
        weighted[behind] += 1
        new[behind] += 1
    return new


# Managed scaling ------------------------------------------------------------


def capacity_provider_reservation(needed: int, running: int) -> float:
    """The metric, M / N x 100. Nothing needed and nothing running is 100; needed but nothing running, 200."""
    if running == 0:
        return 200.0 if needed else 100.0
    return 100.0 * needed / running


def scaled_group(
    running: int, needed: int, target_capacity: int = 100, minimum_step: int = 1, maximum_step: int = 10_000
) -> int:
    """The Auto Scaling group's next size: M / N back to the target, in bounded steps; from zero it starts two."""
    wanted = ceil(Fraction(needed * 100, target_capacity))
    if wanted <= running:
        return wanted
    if running == 0:
        wanted = max(wanted, 2)
    return running + min(max(wanted - running, minimum_step), maximum_step)


# What makes a provider ------------------------------------------------------

FARGATE_PROVIDERS = ("FARGATE", "FARGATE_SPOT")
RESERVED_PREFIXES = ("aws", "ecs", "fargate")
SCALE_IN_DATAPOINTS = 15  # minutes below the target before instances go (observed in the alarms AWS makes)
MOST_PROVISIONING = 500  # tasks of one cluster that wait for an instance
DRAINING_HOOK = "ecs-managed-draining-termination-hook"
DRAINING_TIMEOUT = 3600.0  # how long that hook holds an instance
_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")

MANAGED_SCALING = {  # field: (default, lowest, highest)
    "targetCapacity": (100, 1, 100),
    "minimumScalingStepSize": (1, 1, 10_000),
    "maximumScalingStepSize": (10_000, 1, 10_000),
    "instanceWarmupPeriod": (300, 0, 10_000),
}
SWITCH = ("ENABLED", "DISABLED")


def provider_name(name: str) -> str:
    """A name for a new provider. ClientException for one that ECS keeps for itself."""
    if not _NAME.fullmatch(name) or name.lower().startswith(RESERVED_PREFIXES):
        raise client(
            "The specified capacity provider name is invalid. Up to 255 characters are allowed, letters, numbers, underscores "
            "(_) and hyphens (-), and the name cannot begin with aws, ecs or fargate. Specify a valid name and try again."
        )
    return name


def short_name(identifier: str) -> str:
    """The name in a provider's name or ARN."""
    return identifier.rpartition("capacity-provider/")[2]


def is_fargate(strategy: Sequence[Mapping]) -> bool:
    return bool(strategy) and short_name(strategy[0]["capacityProvider"]) in FARGATE_PROVIDERS


def auto_scaling_group_provider(given: Mapping, before: Mapping | None = None, protects_new_instances: bool = False) -> dict:
    """`autoScalingGroupProvider` filled in: what is given, over what was, over the defaults."""
    before = before or {}
    scaling = {"status": "ENABLED" if given.get("managedScaling") is not None else "DISABLED"}
    scaling.update({name: default for name, (default, _, _) in MANAGED_SCALING.items()})
    scaling.update(before.get("managedScaling") or {})
    scaling.update({name: value for name, value in (given.get("managedScaling") or {}).items() if value is not None})
    _check_scaling(scaling)
    whole = {
        "autoScalingGroupArn": given.get("autoScalingGroupArn") or before.get("autoScalingGroupArn"),
        "managedScaling": scaling,
        "managedTerminationProtection": _switch(given, before, "managedTerminationProtection", "DISABLED"),
        "managedDraining": _switch(given, before, "managedDraining", "ENABLED"),
    }
    if whole["managedTerminationProtection"] == "ENABLED":
        if scaling["status"] != "ENABLED":
            raise client("To enable managed termination protection for a capacity provider, managed scaling must be enabled.")
        if not protects_new_instances:
            raise client(
                "To enable managed termination protection for a capacity provider, the Auto Scaling group must have "
                "instance protection from scale in enabled."
            )
    return whole


def _switch(given: Mapping, before: Mapping, name: str, default: str) -> str:
    value = given.get(name) or before.get(name) or default
    if value not in SWITCH:
        raise invalid(f"{name} should be one of [{','.join(SWITCH)}]")
    return value


def _check_scaling(scaling: Mapping) -> None:
    if scaling["status"] not in SWITCH:
        raise invalid(f"status should be one of [{','.join(SWITCH)}]")
    for name, (_, lowest, highest) in MANAGED_SCALING.items():
        if not lowest <= scaling[name] <= highest:
            raise client(_WRONG[name].format(lowest=lowest, highest=highest))
    if scaling["minimumScalingStepSize"] > scaling["maximumScalingStepSize"]:
        raise client(_STEP.format(lowest=1, highest=10_000))


_STEP = (
    "The minimum or maximum scaling step size value is invalid. Specify values between {lowest} and {highest}, "
    "the minimum not above the maximum, and try again."
)
_WRONG = {
    "targetCapacity": "The target capacity value is invalid. Specify a value between {lowest} and {highest} and try again.",
    "minimumScalingStepSize": _STEP,
    "maximumScalingStepSize": _STEP,
    "instanceWarmupPeriod": "The instance warmup period is invalid. Specify a value between {lowest} and {highest} and try again.",
}
