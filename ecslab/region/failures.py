"""Failures on demand: an instance, an Availability Zone, Spot capacity.

Each takes away what really runs: tasks on a lost host end without a signal, agents lose their
connection, and whoever wants those tasks starts others elsewhere. Spot capacity gives its two
minutes' notice first.

Choices of ours, where AWS documents none: the stoppedReason of a Fargate task whose zone is
lost, and what a rate means: how often an hour each task and instance is interrupted, on average.

Sources: Developer Guide, "Amazon ECS clusters for Fargate" (Fargate Spot termination notices),
"Amazon ECS stopped task error messages"; Amazon EC2 User Guide, "Spot Instance interruption notices".
"""
from __future__ import annotations

import math
from random import Random
from typing import TYPE_CHECKING

from ..rules import agent, lifecycle
from ..rules.errors import EcsError
from . import hosts, scaling_groups
from .model import ContainerInstance, Task

if TYPE_CHECKING:
    from . import Region

NOTICE = 120.0  # seconds between a Spot interruption's notice and its end
ROUND = 60.0  # how often interruptions by chance are drawn
SPOT_INTERRUPTED = "Your Spot Task was interrupted."
ZONE_LOST = "The infrastructure hosting the task was lost."  # (ours)
NO_CAPACITY = "Capacity is unavailable at this time. Please try again later or in a different availability zone"


def no_capacity() -> EcsError:
    return EcsError("ClientException", NO_CAPACITY)


class Failures:
    def __init__(self, region: "Region"):
        self._region = region
        self._random = Random(f"{region.seed} interruptions")
        self._rate = 0.0
        self._drawing = False
        self.zones: set[str] = set()  # Availability Zones that have failed

    # Instances and zones ----------------------------------------------------

    def lose_instance(self, instance: ContainerInstance) -> None:
        hosts.lose(self._region, instance, f"Host EC2 (instance {instance.ec2_instance_id}) stopped/terminated.")

    def of_groups(self, zone: str) -> list[str]:
        """The EC2 instances of Auto Scaling groups in the zone: their groups will replace them."""
        found = [i for c in self._region.clusters.values() for i in c.instances.values() if i.zone == zone]
        return [i.ec2_instance_id for i in found if self._region.vpc.in_scaling_group(i.ec2_instance_id)]

    def fail_zone(self, zone: str) -> None:
        """Every instance and task of the zone is lost, and nothing starts there until it is restored."""
        self.zones.add(zone)
        for cluster in self._region.clusters.values():
            for instance in [i for i in cluster.instances.values() if i.zone == zone]:
                self.lose_instance(instance)
        for task in self._region.tasks.present():
            if task.zone == zone and task.instance is None:
                self._region.tasks.lose(task, lifecycle.TERMINATION_NOTICE, ZONE_LOST)

    def restore_zone(self, zone: str) -> None:
        """The zone's instances come back, empty, and it takes tasks again."""
        region = self._region
        self.zones.discard(zone)
        for cluster in region.clusters.values():
            for instance in [i for i in cluster.instances.values() if i.zone == zone]:
                if instance.is_external or region.hosts.runs(instance.ec2_instance_id):
                    hosts.connect(region, instance)
            region.touch_services(cluster)
        scaling_groups.top_up(region.name)
        region.hosts.look()
        region.hosts.retry()

    # Spot -------------------------------------------------------------------

    def interrupt_task(self, task: Task) -> None:
        """The notice: the task stops now, and whatever of it still runs two minutes later is ended."""
        self._region.stop_task(task, lifecycle.SPOT_INTERRUPTION, SPOT_INTERRUPTED)
        self._region.wake_at(self._region.clock.now() + NOTICE, lambda: self._reclaim(task))

    def _reclaim(self, task: Task) -> None:
        if task.last_status != "STOPPED" and not task.lost:
            self._region.tasks.lose(task, lifecycle.SPOT_INTERRUPTION, SPOT_INTERRUPTED)

    def interrupt_instance(self, instance: ContainerInstance) -> None:
        """The notice: an agent told to do so drains its instance, which EC2 terminates two minutes later."""
        region = self._region
        user_data = region.hosts.user_data(instance.ec2_instance_id)
        instance.interrupted = True
        region.event_bridge.spot_warning(instance)
        if agent.read(user_data).spot_draining:
            instance.status = "DRAINING"
            instance.version += 1
            region.event_bridge.instance(instance)
            region.touch_services(instance.cluster)
        region.wake_at(region.clock.now() + NOTICE, lambda: self._terminate(instance))

    def _terminate(self, instance: ContainerInstance) -> None:
        region, ids = self._region, [instance.ec2_instance_id]
        region.later(lambda: region.client("ec2").terminate_instances(InstanceIds=ids), lambda _: None)

    def spot(self) -> list[Task | ContainerInstance]:
        """What runs on Spot capacity and has had no notice yet, the oldest first."""
        region = self._region
        tasks = [t for t in region.tasks.present() if t.capacity_provider == "FARGATE_SPOT" and t.desired_status == "RUNNING"]
        instances = [i for c in region.clusters.values() for i in c.instances.values() if not i.interrupted and region.hosts.is_spot(i.ec2_instance_id)]
        return [*tasks, *instances]

    def interrupt(self, one: Task | ContainerInstance) -> None:
        (self.interrupt_task if isinstance(one, Task) else self.interrupt_instance)(one)

    def interrupt_at_rate(self, per_hour: float) -> None:
        """From now on each Spot task and instance is interrupted so often on average; 0 ends it."""
        self._rate = per_hour
        if per_hour and not self._drawing:
            self._drawing = True
            self._region.wake_at(self._region.clock.now() + ROUND, self._draw)

    def _draw(self) -> None:
        self._drawing = self._rate > 0
        if not self._drawing:
            return
        chance = 1 - math.exp(-self._rate * ROUND / 3600)
        for one in self.spot():
            if self._random.random() < chance:
                self.interrupt(one)
        self._region.wake_at(self._region.clock.now() + ROUND, self._draw)
