"""Capacity providers of the region, which cluster has which, and tasks that wait for an instance of one.

A task of a provider with managed scaling that finds no room waits in PROVISIONING for the
Auto Scaling group to grow (`managed_scaling.py`). Everything pure is in
`rules.capacity_providers`.

Choices of this lab, where AWS documents no number: attachments take 5 seconds; a task that
has waited 30 minutes fails to start.

Source: Developer Guide, "Amazon ECS capacity providers", "Amazon ECS cluster auto scaling",
"API failures messages"; API Reference, PutClusterCapacityProviders.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Iterator, Sequence

from ..rules import lifecycle, placement
from ..rules.capacity_providers import (
    DRAINING_HOOK,
    FARGATE_PROVIDERS,
    MAX_PROVIDERS,
    MOST_PROVISIONING,
    capacity_provider_strategy,
    short_name,
    split,
)
from ..rules.errors import EcsError, client, invalid
from . import launch, placing, scaling_groups

if TYPE_CHECKING:
    from . import Region
    from .model import Cluster, Task

ATTACHING = 5.0
LONGEST_WAIT = 1800.0
NOT_FOUND = "The specified capacity provider was not found. Specify a valid name or ARN and try again."
EMPTY = "No Container Instances were found in your {}."


@dataclass
class CapacityProvider:
    arn: str
    name: str
    type: str
    settings: dict | None = None  # autoScalingGroupProvider
    status: str = "ACTIVE"
    update_status: str | None = None
    update_status_reason: str | None = None

    @property
    def scales(self) -> bool:
        """Has it managed scaling?"""
        return self.settings is not None and self.settings["managedScaling"]["status"] == "ENABLED"

    def switch(self, name: str) -> bool:
        return self.settings is not None and self.settings[name] == "ENABLED"


@dataclass(frozen=True)
class Wanted:
    """What a task that waits in PROVISIONING wants of the instance it gets."""

    config: dict
    constraints: Sequence[dict] = ()
    strategy: Sequence[dict] = ()


@dataclass
class Places:
    """Where the next tasks go, as arguments of `launch.new_task`, and why the others go nowhere."""

    found: list[dict] = field(default_factory=list)
    failures: list[placement.Failure] = field(default_factory=list)
    empty: str | None = None  # what has no instances at all


class Capacity:
    def __init__(self, region: "Region"):
        self._region = region
        self._touched: dict[str, "Cluster"] = {}
        self._waiting: dict[str, dict[str, "Task"]] = {}  # by cluster, then task id
        self.providers: dict[str, CapacityProvider] = {
            name: CapacityProvider(region.ids.arn("capacity-provider", name), name, name) for name in FARGATE_PROVIDERS
        }

    # Providers and clusters -----------------------------------------------------------

    def group(self, provider: CapacityProvider):
        """moto's Auto Scaling group of the provider; None when it is gone, or the provider is Fargate's."""
        return provider.settings and scaling_groups.find(self._region.name, provider.settings["autoScalingGroupArn"])

    def of_cluster(self, cluster: "Cluster") -> list[CapacityProvider]:
        return [self.providers[name] for name in cluster.capacity_providers]

    def clusters_of(self, provider: CapacityProvider) -> list["Cluster"]:
        return [c for c in self._region.clusters.values() if c.status != "INACTIVE" and provider.name in c.capacity_providers]

    def provider_of(self, cluster: "Cluster", instance_id: str | None) -> str | None:
        """The cluster's provider whose group the EC2 instance belongs to."""
        group = self._region.vpc.scaling_group(instance_id)
        found = (p.name for p in self.of_cluster(cluster) if group is not None and self.group(p) is group)
        return next(found, None)

    def is_used(self, cluster: "Cluster", name: str) -> bool:
        """By a service's strategy, or by a task that has not stopped."""
        services = (s for s in cluster.services.values() if s.status != "INACTIVE")
        strategies = [d.config.get("capacityProviderStrategy") or () for s in services for d in s.deployments]
        return any(item["capacityProvider"] == name for strategy in strategies for item in strategy) or any(
            task.capacity_provider == name and task.last_status != "STOPPED" for task in cluster.tasks.values()
        )

    def associate(self, cluster: "Cluster", names: Sequence[str], strategy: Sequence[dict]) -> None:
        """Give the cluster these providers and this default strategy; what managed scaling needs is attached."""
        before = set(cluster.capacity_providers)
        cluster.capacity_providers = list(names)
        cluster.default_capacity_provider_strategy = [dict(item) for item in strategy]
        for name in before - set(names):
            self.detach(cluster, self.providers[name])
        for name in names:
            if name not in before and self.providers[name].settings:
                self.attach(cluster, self.providers[name])
        for instance in cluster.instances.values():
            instance.capacity_provider = self.provider_of(cluster, instance.ec2_instance_id)
        if {n for n in before ^ set(names) if self.providers[n].settings}:
            cluster.attachments_status = "UPDATE_IN_PROGRESS"
            self._region.wake_at(self._region.clock.now() + ATTACHING, lambda: self._attached(cluster))
        self._region.touch_services(cluster)

    def _attached(self, cluster: "Cluster") -> None:
        cluster.attachments_status = "UPDATE_COMPLETE"
        cluster.attachments = [{**a, "status": "CREATED"} for a in cluster.attachments]

    def attach(self, cluster: "Cluster", provider: CapacityProvider) -> None:
        """The scaling policy, the termination hook and the tag that ECS gives the Auto Scaling group."""
        group, ids = self.group(provider), self._region.ids
        if provider.scales:
            policy = f"ECSManagedAutoScalingPolicy-{ids.uuid()}"
            scaling_groups.manage(group, policy, cluster.name, provider.name, provider.settings["managedScaling"])
            cluster.attachments.append(_attachment(ids.uuid(), "as_policy", provider.name, "scalingPolicyName", policy))
        if provider.switch("managedDraining"):
            scaling_groups.hook(group)
            cluster.attachments.append(_attachment(ids.uuid(), "managed_draining", provider.name, "autoScalingLifecycleHookName", DRAINING_HOOK))

    def detach(self, cluster: "Cluster", provider: CapacityProvider) -> None:
        mine = [a for a in cluster.attachments if a["details"][0]["value"] == provider.name]
        cluster.attachments = [a for a in cluster.attachments if a not in mine]
        group = self.group(provider)
        if group is not None:
            scaling_groups.unmanage(group, [a["details"][1]["value"] for a in mine])

    # Where tasks go ---------------------------------------------------------------------

    def places(
        self,
        cluster: "Cluster",
        definition: dict,
        config: dict,
        group: str,
        count: int,
        constraints: Sequence[dict] = (),
        strategy: Sequence[dict] = (),
        existing: dict[str, int] | None = None,
    ) -> Places:
        """Places for `count` tasks, by launch type or strategy. `existing`: how many each provider has already."""
        shares = config.get("capacityProviderStrategy")
        places = Places()
        for name, tasks in split(shares, count, existing).items() if shares else [(None, count)]:
            if launch.launch_type_of(config) == "FARGATE":
                places.found += [{"provider": name}] * tasks
            elif tasks:
                placed = placing.place(self._region, cluster, definition, config, group, tasks, constraints, strategy, provider=name)
                self._add(places, cluster, name, tasks, placed, Wanted(config, tuple(constraints), tuple(strategy)))
        return places

    def _add(self, places: Places, cluster: "Cluster", name: str | None, tasks: int, placed, wanted: Wanted) -> None:
        instances = placed.instances if placed else []
        places.found += [{"provider": name, "instance": instance} for instance in instances]
        missing = tasks - len(instances)
        if name is not None and self.providers[name].scales:
            waiting = len(list(self.waiting(cluster))) + sum("wanted" in place for place in places.found)
            room = min(missing, max(0, MOST_PROVISIONING - waiting))
            places.found += [{"provider": name, "wanted": wanted}] * room
            missing -= room
        if missing and placed is None:
            places.empty = "capacity provider" if name else "cluster"
        elif missing:
            places.failures += placed.failures

    # Tasks that wait --------------------------------------------------------------------

    def touch(self, cluster: "Cluster") -> None:
        """There may be room now, or an instance may have become empty."""
        self._touched[cluster.arn] = cluster

    def wait(self, task: "Task") -> None:
        self._waiting.setdefault(task.cluster.arn, {})[task.id] = task
        self._region.wake_at(task.created_at + LONGEST_WAIT, lambda: self._give_up(task))

    def waiting(self, cluster: "Cluster") -> Iterator["Task"]:
        """The cluster's tasks that wait for an instance, the oldest first."""
        return (t for t in self._waiting.get(cluster.arn, {}).values() if t.wanted is not None and t.desired_status == "RUNNING")

    def step(self, now: float) -> bool:
        """Place what waits where something changed. True when a task was placed."""
        touched, self._touched = self._touched, {}
        placed = False
        for cluster in touched.values():
            alike: dict[tuple, list["Task"]] = {}
            for task in self.waiting(cluster):
                key = (task.capacity_provider, task.group, id(task.wanted.config), id(task.definition), repr(task.wanted.constraints))
                alike.setdefault(key, []).append(task)
            for tasks in alike.values():
                placed = self._settle(cluster, tasks) or placed
            self._waiting[cluster.arn] = {t.id: t for t in self.waiting(cluster)}
            self._region.managed_scaling.release(cluster)
        return placed

    def _settle(self, cluster: "Cluster", tasks: list["Task"]) -> bool:
        placed = self._look(cluster, tasks[0], len(tasks))
        for task, instance in zip(tasks, placed.instances if placed else ()):
            try:
                launch.settle(self._region, task, instance)
            except EcsError as error:
                self._region.stop_task(task, lifecycle.TASK_FAILED_TO_START, error.message)
        return bool(placed and placed.instances)

    def _look(self, cluster: "Cluster", task: "Task", count: int):
        wanted = task.wanted
        return placing.place(
            self._region, cluster, task.definition, wanted.config, task.group, count, wanted.constraints, wanted.strategy, provider=task.capacity_provider
        )  # fmt: skip

    def _give_up(self, task: "Task") -> None:
        if task.wanted is None or task.desired_status != "RUNNING":
            return
        placed = self._look(task.cluster, task, 1)
        why = placed.failures[0].reason if placed and placed.failures else "EMPTY CAPACITY PROVIDER"
        self._region.stop_task(task, lifecycle.TASK_FAILED_TO_START, f"TaskFailedToStart: {why}")


def refused(places: Places) -> EcsError:
    """RunTask's answer when there was nothing at all to run on."""
    return invalid(EMPTY.format(places.empty))


def checked(region: "Region", request: dict, cluster: "Cluster | None" = None) -> tuple[list[str], list[dict]]:
    """The providers and the default strategy of a request, by their short names. EcsError otherwise."""
    names = [short_name(p) for p in request.get("capacityProviders") or ()]
    if len(names) > MAX_PROVIDERS:
        raise invalid(f"A cluster can have at most {MAX_PROVIDERS} capacity providers.")
    for name in names:
        provider = found_provider(region, name)
        if provider.status != "ACTIVE":
            raise client("The specified capacity provider is not in an ACTIVE state. Specify a capacity provider in an ACTIVE state and try again.")
        if provider.scales and any(c is not cluster for c in region.capacity.clusters_of(provider)):
            raise invalid("A capacity provider with managed scaling can be associated with one cluster only. Specify another capacity provider and try again.")
    strategy = [{**item, "capacityProvider": short_name(item["capacityProvider"])} for item in request.get("defaultCapacityProviderStrategy") or ()]
    if strategy:
        capacity_provider_strategy(strategy, names)
    return list(dict.fromkeys(names)), strategy


def found_provider(region: "Region", identifier: str) -> CapacityProvider:
    """The provider of this name or ARN. ClientException when there is none."""
    provider = region.capacity.providers.get(short_name(identifier))
    if provider is None or provider.status == "INACTIVE":
        raise client(NOT_FOUND)
    return provider


def _attachment(identifier: str, kind: str, provider: str, name: str, value: str) -> dict:
    details = [{"name": "capacityProviderName", "value": provider}, {"name": name, "value": value}]
    return {"id": identifier, "type": kind, "status": "PRECREATED", "details": details}
