"""Container instances: registering them, and placing tasks on them.

Which instance a task may run on is decided by `rules.placement`; here the
region's resources are put into its terms. Source: Developer Guide, "How Amazon
ECS places tasks on container instances".
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Sequence

from ..engines.base import Instance
from ..rules import agent, placement
from ..rules import task_definition as definitions
from ..rules.errors import invalid
from . import instance_types, scaling_groups
from .model import Cluster, ContainerInstance

if TYPE_CHECKING:
    from . import Region

AGENT_VERSION = "1.97.0"
ECS_IMAGE = "ami-12c6146b"  # an image that moto has
DEFAULT_TYPE = "m5.large"


@dataclass(frozen=True)
class Placed:
    instances: list[ContainerInstance]
    failures: list[placement.Failure]


def register(
    region: "Region",
    cluster: Cluster,
    ec2_instance_id: str | None = None,
    instance_type: str | None = None,
    zone: str | None = None,
    cpu: int | None = None,
    memory: int | None = None,
    attributes: dict[str, str | None] | None = None,
    network=None,
    capacity_provider: str | None = None,
) -> ContainerInstance:
    """A new ACTIVE container instance of the cluster."""
    kind = instance_types.instance_type(instance_type or DEFAULT_TYPE)
    if kind is None:
        raise invalid(f"The instance type {instance_type} does not exist.")
    external = (ec2_instance_id or "").startswith("mi-")
    zone = f"{region.name}a" if zone is None else zone
    instance_id = region.ids.hex()
    own = {"ecs.ami-id": ECS_IMAGE, "ecs.availability-zone": zone, "ecs.instance-type": kind.name}
    instance = ContainerInstance(
        arn=region.ids.arn("container-instance", cluster.name, instance_id),
        id=instance_id,
        cluster=cluster,
        ec2_instance_id=ec2_instance_id,
        zone=zone,
        cpu=cpu or kind.cpu,
        memory=memory or kind.memory,
        registered_at=region.clock.now(),
        engine=Instance(instance_id, network),
        eni_limit=1 + kind.awsvpc_tasks(trunking=region.account_setting("awsvpcTrunking") == "enabled"),
        gpus=0 if external else kind.gpus,
        capacity_provider=capacity_provider,
        attributes={
            **({} if external else own),
            **_agent_attributes(kind),
            **(attributes or {}),
        },
    )
    cluster.instances[instance_id] = instance
    region.tags[instance.arn] = []
    region.touch_services(cluster)
    if network is None:
        region.meters.joined(instance)
    region.event_bridge.instance(instance)
    return instance


def _agent_attributes(kind: instance_types.InstanceType) -> dict[str, str | None]:
    said = {"ecs.cpu-architecture": kind.architecture, "ecs.os-family": "LINUX", "ecs.os-type": "linux"}
    return {**said, **{name: None for name in definitions.AGENT_CAPABILITIES}}


def empty_view(region: "Region", group) -> placement.InstanceView | None:
    """An instance that moto's Auto Scaling group would launch, as placement will see it; None for an unknown type."""
    kind = instance_types.instance_type(group.instance_type)
    if kind is None:
        return None
    config = agent.read(agent.decoded(group.user_data))
    memory = kind.memory - config.reserved_memory
    return placement.InstanceView(
        id="new",
        zone=min(scaling_groups.zones(region, group)),
        attributes={"ecs.instance-type": kind.name, **_agent_attributes(kind), **config.attributes},
        registered_cpu=kind.cpu,
        registered_memory=memory,
        remaining_cpu=kind.cpu,
        remaining_memory=memory,
        eni_slots=kind.awsvpc_tasks(trunking=region.account_setting("awsvpcTrunking") == "enabled"),
        gpus=kind.gpus,
    )


def remaining(instance: ContainerInstance) -> tuple[int, int]:
    """(CPU units, MiB) not reserved by any task."""
    tasks = instance.tasks()
    return instance.cpu - sum(t.cpu for t in tasks), instance.memory - sum(t.memory for t in tasks)


def free_gpus(instance: ContainerInstance) -> int:
    return instance.gpus - sum(definitions.gpus(t.definition) for t in instance.tasks()) if instance.gpus else 0


def ports_in_use(instance: ContainerInstance, protocol: str = "tcp") -> frozenset[int]:
    return frozenset(port for t in instance.tasks() for port, used in host_ports(t.definition) if used == protocol)


def host_ports(definition: dict) -> tuple[tuple[int, str], ...]:
    """(port, protocol) of the host ports a task needs for itself; dynamic ones do not count."""
    if definition.get("networkMode") not in ("bridge", "host", None):
        return ()
    mappings = [m for c in definition["containerDefinitions"] for m in c.get("portMappings", ()) if m.get("hostPort")]
    return tuple((m["hostPort"], m.get("protocol", "tcp")) for m in mappings)


def hosts(cluster: Cluster, launch_type: str) -> list[ContainerInstance]:
    """The cluster's instances for tasks of that launch type: EC2 instances, or EXTERNAL ones."""
    return [i for i in cluster.instances.values() if i.is_external == (launch_type == "EXTERNAL")]


def place(
    region: "Region",
    cluster: Cluster,
    definition: dict,
    config: dict,
    group: str,
    count: int,
    constraints: Sequence[dict] = (),
    strategy: Sequence[dict] = (),
    provider: str | None = None,
) -> Placed | None:
    """Instances for `count` tasks and why the rest found none; None when the cluster has no instance (of that provider)."""
    candidates = [i for i in hosts(cluster, config.get("launchType") or "EC2") if provider in (None, i.capacity_provider)]
    if not candidates:
        return None
    result = placement.place(
        request(region, definition, config, group),
        [_view(i) for i in candidates],
        strategy=strategy,
        constraints=constraints,
        count=count,
        rng=region.random,
    )
    return Placed([cluster.instances[i] for i in result.chosen], result.failures)


def refusal(region: "Region", instance: ContainerInstance, definition: dict, config: dict) -> str | None:
    """Why this instance cannot take the task, or None (StartTask and daemons name their instances)."""
    return placement.unfit(request(region, definition, config, ""), _view(instance))


def matching(instances: Sequence[ContainerInstance], expression: str) -> list[ContainerInstance]:
    """The instances a cluster query language expression selects."""
    query = placement.parse(expression)
    return [i for i in instances if placement.matches(query, _view(i))]


def meeting(cluster: Cluster, launch_type: str, constraints: Sequence[dict]) -> list[ContainerInstance]:
    """The ACTIVE instances that every memberOf constraint selects, in the order they joined."""
    found = [i for i in hosts(cluster, launch_type) if i.status == "ACTIVE"]
    for constraint in constraints:
        if constraint["type"] == "memberOf":
            found = matching(found, constraint["expression"])
    return found


def request(region: "Region", definition: dict, config: dict, group: str) -> placement.TaskRequest:
    subnets = ((config.get("networkConfiguration") or {}).get("awsvpcConfiguration") or {}).get("subnets", ())
    cpu, memory = definitions.reserved(definition)
    return placement.TaskRequest(
        cpu=cpu,
        memory=memory,
        host_ports=host_ports(definition),
        needs_eni=definition.get("networkMode") == "awsvpc",
        gpus=definitions.gpus(definition),
        required_attributes=tuple(definition.get("requiresAttributes", ())),
        constraints=tuple(definition.get("placementConstraints", ())),
        group=group,
        zones=frozenset(region.vpc.zone(s) for s in subnets),
    )


def _view(instance: ContainerInstance) -> placement.InstanceView:
    cpu, memory = remaining(instance)
    tasks = instance.tasks()
    groups: dict[str, int] = {}
    for task in tasks:
        groups[task.group] = groups.get(task.group, 0) + 1
    return placement.InstanceView(
        id=instance.id,
        arn=instance.arn,
        zone=instance.zone,
        ec2_instance_id=instance.ec2_instance_id or "",
        attributes=instance.attributes,
        status=instance.status,
        agent_connected=instance.agent_connected,
        agent_version=AGENT_VERSION,
        registered_at=instance.registered_at,
        registered_cpu=instance.cpu,
        registered_memory=instance.memory,
        remaining_cpu=cpu,
        remaining_memory=memory,
        used_tcp_ports=instance.ports | ports_in_use(instance),
        used_udp_ports=ports_in_use(instance, "udp"),
        eni_slots=instance.eni_limit - 1 - sum(t.network_mode == "awsvpc" for t in tasks),
        gpus=free_gpus(instance),
        tasks_by_group=groups,
        running_tasks=sum(t.last_status == "RUNNING" for t in tasks),
    )
