"""The meters of a region: what ran and for how long, read from its tasks and from moto.

A task is billed when it stops, for it is forgotten an hour later; one that still runs is read
when the bill is asked for. Instances, volumes, addresses, NAT gateways and load balancers are
looked at after every request to EC2, Auto Scaling or Elastic Load Balancing, so their time is
the region's; instances that EC2 does not know begin when they register and end when they leave.
Every request to a load balancer counts as one new connection: the lab does not know which share
one. Logs are the bytes of moto's log groups, together, for what is free is free only once.

Source: AWS Fargate Pricing (from image pull to termination); AWS pricing pages of EC2, VPC,
Elastic Load Balancing, CloudWatch.
"""
from __future__ import annotations

import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Hashable, Iterator

from ..rules import agent, metering
from ..rules.fargate import is_windows
from ..rules.metering import Counted, Ec2Instance, FargateTask, Hourly, Ledger, Metered, Volume
from ..rules.pricing import INCLUDED_EPHEMERAL_GIB
from .identifiers import ACCOUNT
from .model import ContainerInstance, Task

if TYPE_CHECKING:
    from . import Region
    from .bill import Bill

CONNECTIONS_PER_LCU_HOUR = 25 * 3600
GB = 10**9
NOBODY = "no cluster"


class Meters:
    def __init__(self, region: "Region"):
        self._region = region
        self._since = region.clock.now()
        self._ledger = Ledger()
        self._owners: dict[str, str] = {}  # by EC2 instance
        self._logged: dict[str, int] = {}  # bytes, by log group; of a deleted group what was last seen
        for service in ("ec2", "autoscaling", "elb"):
            region.watch(service, self.look)
        region.watch("logs", self._look_at_logs)

    # What ends ----------------------------------------------------------------

    def stopped(self, task: Task) -> None:
        """The task has STOPPED."""
        for kind, since in _of_task(task):
            self._ledger.ran(kind, since, task.stopped_at)

    def joined(self, instance: ContainerInstance) -> None:
        """A container instance that EC2 does not know registered: a machine of one's own, or one told of by the API."""
        owner, name = f"cluster {instance.cluster.name}", instance.attributes.get("ecs.instance-type")
        kind = Hourly(owner, metering.ANYWHERE, "ecs-anywhere", "external instance") if instance.is_external else Ec2Instance(owner, name)
        self._ledger.begin(instance.id, kind, instance.registered_at)

    def left(self, instance: ContainerInstance) -> None:
        self._ledger.end(instance.id, self._region.clock.now())

    def look(self) -> None:
        """See what there is outside of tasks."""
        self._ledger.see(dict(self._standing()), self._region.clock.now())

    # The bill -----------------------------------------------------------------

    def bill(self, by: str) -> "Bill":
        from .bill import made

        region, now = self._region, self._region.clock.now()
        self.look()
        self._look_at_logs()
        running = [pair for task in region.tasks.present() for pair in _of_task(task)]
        return made(list(self._ledger.tallies(now, running)), list(self._counted()), self._since, now, by)

    def _counted(self) -> Iterator[Counted]:
        standing = self._balancers_here()
        for arn, requests in self._region.balancing.traffic.requests.items():
            if "/app/" not in arn:
                continue
            name, units = arn.split("/")[-2], Decimal(str(requests)) / CONNECTIONS_PER_LCU_HOUR
            yield Counted(f"load balancer {name}", metering.BALANCERS, "alb.lcu", units, "load balancer units", arn in standing)
        logged = sum(self._logged.values())
        if logged:
            yield Counted("log groups", metering.LOGS, "logs.ingested", Decimal(logged) / GB, "ingested")

    # Reading ------------------------------------------------------------------

    def _standing(self) -> Iterator[tuple[Hashable, Metered]]:
        """Everything that costs by time and is no task: (its key, its kind)."""
        yield from self._ec2()
        yield from self._balancers()

    def _ec2(self) -> Iterator[tuple[Hashable, Metered]]:
        vpc = self._region.vpc
        for one in vpc.instances():
            if one.state in ("pending", "running"):
                yield one.id, Ec2Instance(self._owner(one.id), one.instance_type, one.lifecycle == "spot")
        for volume in vpc.volumes():
            owner = self._owner(volume.attachment.instance.id) if volume.attachment else NOBODY
            yield volume.id, Volume(owner, int(volume.size), volume.volume_type)
        for gateway in vpc.nat_gateways():
            yield gateway.id, Hourly(f"NAT gateway {gateway.id}", metering.GATEWAYS, "nat")
        gateways = {a["allocationId"]: g.id for g in vpc.nat_gateways() for a in g.address_set if "allocationId" in a}
        for address in vpc.elastic_addresses():
            gateway = gateways.get(address.allocation_id)
            owner = f"NAT gateway {gateway}" if gateway else "elastic addresses"
            yield address.allocation_id or address.public_ip, Hourly(owner, metering.ADDRESSES, "public-ipv4")

    def _owner(self, instance_id: str) -> str:
        """The cluster its agent was told to join."""
        if instance_id not in self._owners:
            cluster = agent.read(self._region.hosts.user_data(instance_id)).cluster
            self._owners[instance_id] = f"cluster {cluster}" if cluster else NOBODY
        return self._owners[instance_id]

    def _balancers(self) -> Iterator[tuple[Hashable, Metered]]:
        for balancer in self._balancers_here().values():
            owner = f"load balancer {balancer.name}"
            if balancer.type in ("application", "network"):
                yield balancer.arn, Hourly(owner, metering.BALANCERS, "nlb" if balancer.type == "network" else "alb")
            if balancer.scheme != "internal":
                for subnet in balancer.subnets:
                    yield (balancer.arn, subnet), Hourly(owner, metering.ADDRESSES, "public-ipv4")

    def _balancers_here(self) -> dict:
        return dict(self._moto("elbv2").load_balancers) if "moto.elbv2.models" in sys.modules else {}

    def _look_at_logs(self) -> None:
        groups = self._moto("logs").groups if "moto.logs.models" in sys.modules else {}
        for name, group in list(groups.items()):
            size = sum(stream.stored_bytes for stream in group.streams.values())
            self._logged[name] = max(size, self._logged.get(name, 0))

    def _moto(self, service: str):
        """moto's backend of a service somebody has used; importing the others would only cost time."""
        models = sys.modules[f"moto.{service}.models"]
        return getattr(models, f"{service}_backends")[ACCOUNT][self._region.name]


def _of_task(task: Task) -> Iterator[tuple[Metered, float]]:
    """What of the task costs, and since when."""
    owner = f"{task.group} in {task.cluster.name}"
    if task.launch_type == "FARGATE" and task.pull_started_at is not None:
        yield FargateTask(
            owner, task.cpu, task.memory, _architecture(task), task.capacity_provider == "FARGATE_SPOT", _storage(task)
        ), task.pull_started_at
    if task.public_ip:
        yield Hourly(owner, metering.ADDRESSES, "public-ipv4"), task.created_at


def _architecture(task: Task) -> str:
    if is_windows(task.definition):
        return "WINDOWS"
    return (task.definition.get("runtimePlatform") or {}).get("cpuArchitecture") or "X86_64"


def _storage(task: Task) -> int:
    return (task.definition.get("ephemeralStorage") or {}).get("sizeInGiB") or INCLUDED_EPHEMERAL_GIB
