"""EC2 instances as container instances: they join by themselves, and leave when they end.

An instance whose user data names a cluster has an ECS agent: some seconds after the launch it
registers, by RunInstances and by an Auto Scaling group alike. One that is stopped loses its
tasks and its agent's connection until it is started again; one that is terminated leaves.
The region hears of each through `Region.watch`.

That a terminated instance leaves its cluster even when its agent was not connected is this
lab's choice, and so is the time an instance takes to boot.

Source: Developer Guide, "Launching an Amazon ECS Linux container instance", "Deregistering an
Amazon EC2 backed container instance", "Amazon ECS stopped task error messages".
"""
from __future__ import annotations

from typing import TYPE_CHECKING

from ..rules import agent, lifecycle
from . import placing
from .instance_types import instance_type
from .model import Cluster, ContainerInstance

if TYPE_CHECKING:
    from . import Region

BOOT = 30.0  # seconds from launch to an agent that registers
GONE = ("shutting-down", "terminated")
STOPPED = ("stopping", "stopped")


class Hosts:
    def __init__(self, region: "Region"):
        self._region = region
        self._states: dict[str, str] = {}  # by EC2 instance id, as last seen
        self._booting: set[str] = set()
        self._waiting: list[str] = []  # booted; their cluster does not exist, or their zone has failed
        region.watch("ec2", self.look)
        region.watch("autoscaling", self.look)

    def look(self) -> None:
        """See which EC2 instances came, stopped, started again or ended."""
        for ec2_instance in self._region.vpc.instances():
            before, state = self._states.get(ec2_instance.id), ec2_instance.state
            if state == before:
                continue
            self._states[ec2_instance.id] = state
            if state in GONE:
                self.leave(ec2_instance.id)
            elif state in STOPPED:
                self._disconnect(ec2_instance.id)
            elif agent.read(agent.decoded(ec2_instance.user_data)).cluster:
                self._booting.add(ec2_instance.id)
                self._region.wake_at(self._region.clock.now() + BOOT, lambda i=ec2_instance.id: self._booted(i))

    def _booted(self, instance_id: str) -> None:
        if instance_id in self._booting:
            self.join(instance_id)

    def retry(self) -> None:
        """Agents that found no cluster of their name, or no network, try again."""
        waiting, self._waiting = self._waiting, []
        for instance_id in waiting:
            self.join(instance_id)

    def join(self, instance_id: str) -> ContainerInstance | None:
        """The instance's agent connects: it registers, or comes back. None while it cannot."""
        region = self._region
        self._booting.discard(instance_id)
        ec2_instance = region.vpc.instance(instance_id)
        config = agent.read(agent.decoded(ec2_instance.user_data))
        cluster = region.clusters.get(config.cluster)
        kind = instance_type(ec2_instance.instance_type)
        if not self.runs(instance_id) or kind is None:
            return None
        if ec2_instance.placement.zone in region.failures.zones or cluster is None or cluster.status != "ACTIVE":
            self._waiting.append(instance_id)
            return None
        known = self.of(instance_id)
        if known is not None:
            connect(region, known)
            return known
        network = region.vpc.network_of(instance_id)
        instance = placing.register(
            region,
            cluster,
            instance_id,
            kind.name,
            region.vpc.zone(network.subnet_id),
            memory=kind.memory - config.reserved_memory,
            attributes={"ecs.vpc-id": network.vpc_id, "ecs.subnet-id": network.subnet_id, "ecs.ami-id": ec2_instance.image_id, **config.attributes},
            network=network,
            capacity_provider=region.capacity.provider_of(cluster, instance_id),
        )
        if instance.eni_limit > kind.interfaces:
            self._give_trunk(instance, network.subnet_id)
        return instance

    def _give_trunk(self, instance: ContainerInstance, subnet_id: str) -> None:
        """The interface that carries those of the instance's tasks, as awsvpcTrunking wants it."""
        vpc = self._region.vpc
        instance.trunk, _ = vpc.attach(subnet_id, [vpc.default_group(subnet_id)], False, f"ECS trunk of {instance.ec2_instance_id}")
        instance.attributes["ecs.awsvpc-trunk-id"] = instance.trunk.eni_id

    def of(self, instance_id: str) -> ContainerInstance | None:
        """The container instance that runs on this EC2 instance, if any."""
        clusters = self._region.clusters.values()
        return next((i for c in clusters for i in c.instances.values() if i.ec2_instance_id == instance_id), None)

    def runs(self, instance_id: str | None) -> bool:
        """Not stopped and not terminated, as far as EC2 knows of it at all."""
        return self._states.get(instance_id, "running") == "running"

    def is_spot(self, instance_id: str | None) -> bool:
        return self._states.get(instance_id) == "running" and self._region.vpc.instance(instance_id).lifecycle == "spot"

    def user_data(self, instance_id: str) -> str:
        return agent.decoded(self._region.vpc.instance(instance_id).user_data)

    def leave(self, instance_id: str) -> None:
        """The EC2 instance was terminated: its tasks are lost, and it is no container instance any more."""
        instance = self.of(instance_id)
        if instance is not None:
            lose(self._region, instance, f"Host EC2 (instance {instance_id}) terminated.")
            deregister(self._region, instance)

    def _disconnect(self, instance_id: str) -> None:
        instance = self.of(instance_id)
        if instance is not None:
            lose(self._region, instance, f"Host EC2 (instance {instance_id}) stopped/terminated.")


def connect(region: "Region", instance: ContainerInstance) -> None:
    """The agent answers again; tasks may be placed."""
    instance.agent_connected = True
    instance.version += 1
    region.event_bridge.instance(instance)
    region.touch_services(instance.cluster)


def lose(region: "Region", instance: ContainerInstance, reason: str) -> None:
    """The host is gone, and everything on it, without a signal to anything."""
    instance.agent_connected = False
    instance.version += 1
    region.event_bridge.instance(instance)
    for task in instance.tasks():
        region.tasks.lose(task, lifecycle.TERMINATION_NOTICE, reason)
    region.touch_services(instance.cluster)


def deregister(region: "Region", instance: ContainerInstance) -> None:
    """The cluster no longer has the instance."""
    instance.status = "INACTIVE"
    region.event_bridge.instance(instance)
    if instance.trunk is not None:
        region.vpc.detach(instance.trunk)
    instance.cluster.instances.pop(instance.id, None)
    region.meters.left(instance)
    region.touch_services(instance.cluster)


def external(region: "Region", cluster: Cluster, vcpus: int, memory: int) -> ContainerInstance:
    """A machine of one's own that joins through ECS Anywhere. It is in no Availability Zone."""
    return placing.register(
        region,
        cluster,
        f"mi-{region.ids.hex()[:17]}",
        zone="",
        cpu=1024 * vcpus,
        memory=memory,
        attributes={"ecs.capability.external": None},
    )
