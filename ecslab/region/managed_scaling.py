"""Managed scaling: Auto Scaling groups follow the tasks that want instances of their capacity provider.

Once a minute CapacityProviderReservation goes to CloudWatch. Above the target the group grows at
once; below it for 15 minutes it shrinks. Managed termination protection keeps instances that run
tasks out of that; managed draining moves their service tasks away first.

Choice of ours: a group does not shrink while one of its instances is still within its warmup.

Source: Developer Guide, "Amazon ECS cluster auto scaling", "Managed termination protection",
"Safely shut down Amazon ECS container instances"; API Reference, ManagedScaling.
"""
from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Iterator

from ..rules import placement
from ..rules.capacity_providers import DRAINING_TIMEOUT, SCALE_IN_DATAPOINTS, capacity_provider_reservation, scaled_group
from . import metrics, placing, scaling_groups
from .daemons import is_daemon

if TYPE_CHECKING:
    from . import Region
    from .capacity import CapacityProvider
    from .model import Cluster, ContainerInstance

NAMESPACE, METRIC = "AWS/ECS/ManagedScaling", "CapacityProviderReservation"
MINUTE = 60


class ManagedScaling:
    def __init__(self, region: "Region"):
        self._region = region
        self._next = 0.0  # when to measure again
        self._below: dict[tuple[str, str], int] = {}  # minutes below the target, by cluster and provider
        self._launched: dict[str, float] = {}  # EC2 instance -> when its group first had it
        self._leaving: dict[str, tuple] = {}  # EC2 instance -> (group, state, container instance, until when it may drain)
        region.monitoring.after.append(self.evaluate)

    def _scaled(self) -> Iterator[tuple["Cluster", "CapacityProvider", object]]:
        capacity = self._region.capacity
        for cluster in self._region.clusters.values():
            if cluster.status != "INACTIVE":
                for provider in capacity.of_cluster(cluster):
                    group = capacity.group(provider)
                    if provider.scales and group is not None:
                        yield cluster, provider, group

    def evaluate(self, now: float) -> None:
        """Measure every provider with managed scaling and act on it. Once a minute."""
        if now < self._next:
            return
        self._next = (now // MINUTE + 1) * MINUTE
        rows = []
        for cluster, provider, group in self._scaled():
            for state in group.active_instances():
                self._launched.setdefault(state.instance.id, now)
            running, needed = self.measure(cluster, provider, group)
            reservation = capacity_provider_reservation(needed, running)
            dimensions = {"ClusterName": cluster.name, "CapacityProviderName": provider.name}
            rows.append((METRIC, dimensions, metrics.Stat.same(reservation), "Percent"))
            self.protect(cluster, provider, group)
            self._follow(cluster, provider, group, running, needed, reservation, now)
        metrics.publish(self._region.name, NAMESPACE, rows, now)

    def measure(self, cluster: "Cluster", provider: "CapacityProvider", group) -> tuple[int, int]:
        """N and M: the group's instances, and how many the provider's tasks need."""
        states = group.active_instances()
        registered = _registered(cluster)
        joined = [registered[s.instance.id] for s in states if s.instance.id in registered]
        booting = len(states) - len(joined)
        idle = sum(not _works(i) for i in joined)
        waiting = self._room_for_waiting(cluster, provider, group)
        if waiting > booting:  # what is idle has no room for them
            return len(states), len(states) + waiting - booting
        return len(states), len(states) + waiting - booting - idle

    def _room_for_waiting(self, cluster: "Cluster", provider: "CapacityProvider", group) -> int:
        """How many new instances hold the tasks that wait, first fit."""
        tasks = [t for t in self._region.capacity.waiting(cluster) if t.capacity_provider == provider.name]
        if not tasks:
            return 0
        empty = placing.empty_view(self._region, group)
        zones = scaling_groups.zones(self._region, group)
        requests, alike = [], {}
        for task in tasks:
            key = (id(task.definition), id(task.wanted.config), task.group)
            if key not in alike:
                alike[key] = placing.request(self._region, task.definition, task.wanted.config, task.group)
            request = alike[key]
            if empty is not None and (not request.zones or request.zones & zones):
                constraints = (*request.constraints, *placement.placement_constraints(task.wanted.constraints))
                requests.append(replace(request, zones=frozenset(), constraints=constraints))
        return placement.instances_for(requests, empty) if requests else 0

    def _follow(self, cluster, provider, group, running: int, needed: int, reservation: float, now: float) -> None:
        scaling = provider.settings["managedScaling"]
        key = cluster.arn, provider.name
        below = self._below[key] = self._below.get(key, 0) + 1 if reservation < scaling["targetCapacity"] else 0
        size = scaled_group(running, needed, scaling["targetCapacity"], scaling["minimumScalingStepSize"], scaling["maximumScalingStepSize"])
        warm = all(now - self._launched[s.instance.id] >= scaling["instanceWarmupPeriod"] for s in group.active_instances())
        if size > running and reservation > scaling["targetCapacity"]:
            self._resize(group, min(size, group.max_size))
        elif size < running and below >= SCALE_IN_DATAPOINTS and warm:
            self._below[key] = 0
            self._resize(group, max(size, group.min_size))

    def _resize(self, group, size: int) -> None:
        if size == len(group.active_instances()):
            return
        group.set_desired_capacity(size)
        now = self._region.clock.now()
        for state in group.active_instances():
            self._launched.setdefault(state.instance.id, now)
        self._region.hosts.look()

    # Which instances may go -------------------------------------------------------------

    def protect(self, cluster: "Cluster", provider: "CapacityProvider", group) -> None:
        """ProtectedFromScaleIn for what runs tasks, and for what has yet to join."""
        if provider.switch("managedTerminationProtection"):
            registered = _registered(cluster)
            for state in group.active_instances():
                instance = registered.get(state.instance.id)
                state.protected_from_scale_in = instance is None or _works(instance)

    def before_scale_in(self, group) -> None:
        """The group is about to shrink: protection as of this moment."""
        for cluster, provider, managed in self._scaled():
            if managed is group:
                self.protect(cluster, provider, group)

    def drains(self, group, state) -> bool:
        """Take the instance out of service gracefully, where its provider drains. False: it can end at once."""
        region, instance = self._region, self._region.hosts.of(state.instance.id)
        if instance is None or not instance.held or instance.capacity_provider is None:
            return False
        if not region.capacity.providers[instance.capacity_provider].switch("managedDraining"):
            return False
        until = region.clock.now() + DRAINING_TIMEOUT
        state.lifecycle_state = "Terminating:Wait"
        instance.status = "DRAINING"
        instance.version += 1
        self._leaving[state.instance.id] = group, state, instance, until
        region.wake_at(until, lambda: region.capacity.touch(instance.cluster))
        region.touch_services(instance.cluster)
        return True

    def release(self, cluster: "Cluster") -> None:
        """Let those go that have drained, or had their time."""
        now = self._region.clock.now()
        here = {i: left for i, left in self._leaving.items() if left[2].cluster is cluster}
        done = [i for i, (_, _, instance, until) in here.items() if not instance.held or now >= until]
        for instance_id in done:
            group, state, _, _ = self._leaving.pop(instance_id)
            scaling_groups.terminate(group, state)
        if done:
            self._region.hosts.look()


def _registered(cluster: "Cluster") -> dict[str | None, "ContainerInstance"]:
    return {i.ec2_instance_id: i for i in cluster.instances.values()}


def _works(instance: "ContainerInstance") -> bool:
    """Has it any task but daemons?"""
    return any(not is_daemon(task.service) for task in instance.held.values())
