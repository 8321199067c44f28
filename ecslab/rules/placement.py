"""Which instance a task goes to: fit, constraints, strategies, Availability Zones.

Theory. Placing a task on a container instance is a pipeline. Instances that lack
CPU, memory, a host port, a GPU or a network interface drop out; then those that
are not ACTIVE and connected; then those without a required attribute; then those
a constraint rules out. Constraints bind. What is left is ordered by the strategies,
the first one first and each later one breaking its ties, and the best instance wins.
Strategies are best effort. Scale-in reads the same order backwards.

Beside it: `cluster_query.py` (the language of constraints), `instance_order.py` (how
the order is kept), `capacity_providers.py` (which provider, before which instance).

Choices of ours, where AWS documents none: a RunTask without a strategy is placed at
random; the zones that already hold most tasks keep the remainder of a rebalancing.

Sources: Developer Guide, "Amazon ECS task placement", "Balancing an Amazon ECS service
across Availability Zones", "Amazon ECS cluster auto scaling", "API failure reasons";
API Reference, PlacementStrategy, PlacementConstraint.
"""
from __future__ import annotations

import random
import re
from dataclasses import dataclass, field, replace
from typing import Callable, Iterable, Mapping, NamedTuple, Sequence

from .capacity_providers import capacity_provider_strategy, split  # noqa: F401  (first which provider)
from .cluster_query import matches, parse  # noqa: F401  (matches: ListContainerInstances' filter)
from .errors import client, invalid
from .instance_order import Order

MAX_STRATEGIES = 5
MAX_CONSTRAINTS = 10

BUILT_IN_ATTRIBUTES = (
    "ecs.ami-id",
    "ecs.availability-zone",
    "ecs.instance-type",
    "ecs.os-type",
    "ecs.os-family",
    "ecs.cpu-architecture",
    "ecs.vpc-id",
    "ecs.subnet-id",
    "ecs.awsvpc-trunk-id",
    "ecs.outpost-arn",
)
RESERVED_TCP_PORTS = frozenset({22, 2375, 2376, 51678, 51679})


# What placement looks at ----------------------------------------------------


@dataclass(frozen=True, slots=True)
class TaskRequest:
    """One task to place; `constraints` are those of its task definition.

    Attributes and constraints may come as the API writes them, a plain host port means tcp.
    """

    cpu: int = 0
    memory: int = 0
    group: str = ""  # "service:<name>", "family:<family>" or the caller's own
    host_ports: tuple[tuple[int, str], ...] = ()  # (port, "tcp" | "udp"); dynamic ones are left out
    needs_eni: bool = False
    gpus: int = 0
    required_attributes: tuple[tuple[str, str | None], ...] = ()  # (name, value or None for any)
    constraints: tuple["Constraint", ...] = ()
    zones: frozenset[str] = frozenset()  # where its subnets are; empty: anywhere

    def __post_init__(self):
        ports = tuple(p if isinstance(p, tuple) else (p, "tcp") for p in self.host_ports)
        attributes = tuple(a if isinstance(a, tuple) else (a["name"], a.get("value")) for a in self.required_attributes)
        object.__setattr__(self, "host_ports", ports)
        object.__setattr__(self, "required_attributes", attributes)
        object.__setattr__(self, "constraints", _all(Constraint, self.constraints))

    @property
    def ports(self) -> dict[str, frozenset[int]]:
        return {p: frozenset(n for n, q in self.host_ports if q == p) for p in ("tcp", "udp")}


@dataclass(frozen=True, slots=True)
class InstanceView:
    """A container instance as placement sees it. CPU in units, memory in MiB, times in epoch seconds."""

    id: str
    arn: str = ""
    zone: str = ""
    ec2_instance_id: str = ""
    attributes: Mapping[str, str | None] = field(default_factory=dict)
    status: str = "ACTIVE"
    agent_connected: bool = True
    agent_version: str = "1.0.0"
    registered_at: float = 0.0
    registered_cpu: int = 0
    registered_memory: int = 0
    remaining_cpu: int = 0
    remaining_memory: int = 0
    used_tcp_ports: frozenset[int] = RESERVED_TCP_PORTS
    used_udp_ports: frozenset[int] = frozenset()
    eni_slots: int = 0
    gpus: int = 0
    tasks_by_group: Mapping[str, int] = field(default_factory=dict)
    running_tasks: int = 0

    def attribute(self, name: str) -> str | None:
        """The attribute's value, "" if it has none, None if the instance lacks the attribute."""
        if name in self.attributes:
            return self.attributes[name] or ""
        return self.zone if name == "ecs.availability-zone" and self.zone else None

    def with_task(self, task: TaskRequest) -> "InstanceView":
        return self._changed(task, 1)

    def without_task(self, task: TaskRequest) -> "InstanceView":
        return self._changed(task, -1)

    def _changed(self, task: TaskRequest, sign: int) -> "InstanceView":
        tcp, udp = self.used_tcp_ports, self.used_udp_ports
        if task.host_ports:
            ports = task.ports
            tcp = tcp | ports["tcp"] if sign > 0 else tcp - ports["tcp"]
            udp = udp | ports["udp"] if sign > 0 else udp - ports["udp"]
        return replace(
            self,
            remaining_cpu=self.remaining_cpu - sign * task.cpu,
            remaining_memory=self.remaining_memory - sign * task.memory,
            used_tcp_ports=tcp,
            used_udp_ports=udp,
            eni_slots=self.eni_slots - sign * task.needs_eni,
            gpus=self.gpus - sign * task.gpus,
            tasks_by_group={**self.tasks_by_group, task.group: self.tasks_by_group.get(task.group, 0) + sign},
            running_tasks=self.running_tasks + sign,
        )


@dataclass(frozen=True, slots=True)
class Strategy:
    type: str  # random | spread | binpack
    field: str = ""  # spread: instanceId or attribute:<name>; binpack: cpu or memory


@dataclass(frozen=True, slots=True)
class Constraint:
    type: str  # distinctInstance | memberOf
    expression: str = ""


def _all(kind: type, items: Iterable) -> tuple:
    """The items as `kind`, those that are still the API's dicts turned into it."""
    return tuple(i if isinstance(i, kind) else kind(**i) for i in items)


SPREAD_ZONES = Strategy("spread", "attribute:ecs.availability-zone")
SERVICE_DEFAULT = (SPREAD_ZONES, Strategy("spread", "instanceId"))
RUN_TASK_DEFAULT = (Strategy("random"),)


# What the API accepts -------------------------------------------------------


def placement_strategy(items: Iterable[Mapping]) -> tuple[Strategy, ...]:
    """`placementStrategy` of a request, checked."""
    strategies = _all(Strategy, items)
    if len(strategies) > MAX_STRATEGIES:
        raise invalid(f"Maximum number of strategies is {MAX_STRATEGIES}")
    for strategy in strategies:
        _check_strategy(strategy)
    return strategies


def _check_strategy(strategy: Strategy) -> None:
    type, field = strategy.type, strategy.field
    if type == "random":
        if field:
            raise invalid("random field should not be specified")
    elif type == "spread":
        if field not in ("instanceId", "host") and not re.fullmatch(r"attribute:.+", field):
            raise invalid(f"Invalid spread field: '{field}'. Use instanceId, host or attribute:<name>.")
    elif type == "binpack":
        if field.lower() not in ("cpu", "memory"):
            raise invalid(f"Invalid binpack field: '{field}'. Use cpu or memory.")
    else:
        raise invalid("placement strategy type should be one of [random,spread,binpack]")


def placement_constraints(items: Iterable[Mapping], in_task_definition: bool = False) -> tuple[Constraint, ...]:
    """`placementConstraints` of a request, checked."""
    constraints = _all(Constraint, items)
    if len(constraints) > MAX_CONSTRAINTS:
        raise invalid(f"Maximum number of constraints is {MAX_CONSTRAINTS}")
    for constraint in constraints:
        if constraint.type == "memberOf":
            parse(constraint.expression)
        elif constraint.type != "distinctInstance":
            raise invalid("placement constraint type should be one of [distinctInstance,memberOf]")
        elif in_task_definition:
            raise client("constraint.type 'distinctInstance' is not supported.")
        elif constraint.expression:
            raise invalid("distinctInstance expression should not be specified")
    return constraints


# The pipeline ---------------------------------------------------------------


class Failure(NamedTuple):
    """One instance that could not take the task."""

    arn: str
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Placement:
    chosen: list[str]  # instance ids, one per placed task, in the order they were chosen
    failures: list[Failure]  # one per instance when not every task could be placed


def _ports_free(task: TaskRequest, instance: InstanceView) -> bool:
    if not task.host_ports:
        return True
    ports = task.ports
    return not (ports["tcp"] & instance.used_tcp_ports or ports["udp"] & instance.used_udp_ports)


def _missing_attribute(task: TaskRequest, instance: InstanceView) -> str:
    for name, value in task.required_attributes:
        held = instance.attribute(name)
        if held is None or (value is not None and held != value):
            return name
    return ""


_CHECKS: tuple[tuple[str, Callable[[TaskRequest, InstanceView], bool]], ...] = (
    ("RESOURCE:CPU", lambda task, i: task.cpu <= i.remaining_cpu),
    ("RESOURCE:MEMORY", lambda task, i: task.memory <= i.remaining_memory),
    ("RESOURCE:PORTS", _ports_free),
    ("RESOURCE:GPU", lambda task, i: task.gpus <= i.gpus),
    ("RESOURCE:ENI", lambda task, i: not task.needs_eni or i.eni_slots > 0),
    ("AGENT", lambda task, i: i.agent_connected),
    ("INACTIVE", lambda task, i: i.status == "ACTIVE"),
    ("LOCATION", lambda task, i: not task.zones or i.zone in task.zones),
    ("ATTRIBUTE", lambda task, i: not _missing_attribute(task, i)),
)
DISTINCT_UNSATISFIED = "DistinctInstance placement constraint unsatisfied."
MEMBER_OF_UNSATISFIED = "MemberOf placement constraint unsatisfied."


def unfit(task: TaskRequest, instance: InstanceView, constraints: Sequence[Constraint] = ()) -> str | None:
    """The failure reason that keeps the task off the instance, None when it fits."""
    for reason, passes in _CHECKS:
        if not passes(task, instance):
            return reason
    for constraint in (*task.constraints, *constraints):
        if constraint.type == "distinctInstance":
            if instance.tasks_by_group.get(task.group, 0) > 0:
                return DISTINCT_UNSATISFIED
        elif not parse(constraint.expression)(instance):
            return MEMBER_OF_UNSATISFIED
    return None


def place(
    task: TaskRequest,
    instances: Sequence[InstanceView],
    strategy: Sequence[Strategy | Mapping] = (),
    constraints: Sequence[Constraint | Mapping] = (),
    count: int = 1,
    rng: random.Random | None = None,
) -> Placement:
    """Instances for `count` copies of the task; the service's or RunTask's default when there is no strategy."""
    constraints = _all(Constraint, constraints)
    strategy = _all(Strategy, strategy) or (SERVICE_DEFAULT if task.group.startswith("service:") else RUN_TASK_DEFAULT)
    current = {i.id: i for i in instances}
    order = Order(strategy, task.group, instances, rng or random.Random(0))
    for instance in instances:
        if unfit(task, instance, constraints) is None:
            order.add(instance)

    chosen: list[str] = []
    while len(chosen) < count and order:
        instance = order.take().with_task(task)
        current[instance.id] = instance
        chosen.append(instance.id)
        order.count(instance, 1)
        if unfit(task, instance, constraints) is None:
            order.add(instance)
    if len(chosen) == count:
        return Placement(chosen, [])
    return Placement(chosen, [_failure(task, i, constraints) for i in current.values()])


def _failure(task: TaskRequest, instance: InstanceView, constraints: Sequence[Constraint]) -> Failure:
    reason = unfit(task, instance, constraints) or ""
    detail = _missing_attribute(task, instance) if reason == "ATTRIBUTE" else ""
    return Failure(instance.arn or instance.id, reason, detail)


def choose_to_stop(
    task: TaskRequest,
    instances: Sequence[InstanceView],
    tasks_on: Mapping[str, Sequence[str]],
    strategy: Sequence[Strategy | Mapping] = (),
    count: int = 1,
    rng: random.Random | None = None,
) -> list[str]:
    """Scale in: ids of tasks to stop. `tasks_on` holds the service's tasks per instance id, first to go first."""
    left = {id: list(reversed(tasks)) for id, tasks in tasks_on.items()}
    strategy = _all(Strategy, strategy) or SERVICE_DEFAULT
    order = Order(strategy, task.group, instances, rng or random.Random(0), backwards=True)
    for instance in instances:
        if left.get(instance.id):
            order.add(instance)
    stopped: list[str] = []
    while len(stopped) < count and order:
        instance = order.take().without_task(task)
        stopped.append(left[instance.id].pop())
        order.count(instance, -1)
        if left[instance.id]:
            order.add(instance)
    return stopped


# What a service says when nothing fits --------------------------------------

EVENT_TAILS = {
    "RESOURCE:CPU": "has insufficient CPU units available.",
    "RESOURCE:MEMORY": "has insufficient memory available.",
    "RESOURCE:PORTS": "is already using a port required by your task.",
    "ATTRIBUTE": "is missing an attribute required by your task.",
}
_STAGES = (*(reason for reason, _ in _CHECKS), DISTINCT_UNSATISFIED, MEMBER_OF_UNSATISFIED)


def placement_event(failures: Sequence[Failure]) -> str:
    """The service event, without its "(service name) " start. The closest match is the one that got furthest."""
    start = "was unable to place a task because no container instance met all of its requirements. "
    if not failures:
        return start + "Reason: No Container Instances were found in your cluster."
    closest = max(failures, key=lambda f: _STAGES.index(f.reason))
    tail = EVENT_TAILS.get(closest.reason, f'encountered error "{closest.reason}".')
    return f"{start}The closest matching (container-instance {closest.arn.rsplit('/', 1)[-1]}) {tail}"


# How many instances tasks need (managed scaling's M) ------------------------


def instances_for(tasks: Sequence[TaskRequest], empty: InstanceView) -> int:
    """How many instances like `empty` hold the tasks, first fit in the given order, without those too big for one."""
    opened: list[InstanceView] = []
    for task in tasks:
        if unfit(task, empty):
            continue
        where = next((n for n, instance in enumerate(opened) if not unfit(task, instance)), len(opened))
        opened[where : where + 1] = [(opened[where] if where < len(opened) else empty).with_task(task)]
    return len(opened)


def instances_needed(running: int, idle: int, provisioning: Sequence[TaskRequest], empty: InstanceView) -> int:
    """M: what runs, plus what the tasks in PROVISIONING need, minus instances with no task but daemons."""
    return running + instances_for(provisioning, empty) - idle


# Availability Zone rebalancing ----------------------------------------------


def zone_targets(desired: int, running: Mapping[str, int]) -> dict[str, int]:
    """Tasks each configured zone should have: an even share, the remainder where most tasks already are."""
    share, remainder = divmod(desired, len(running))
    fullest = sorted(running, key=lambda zone: (-running[zone], zone))
    return {zone: share + (fullest.index(zone) < remainder) for zone in running}


def rebalancing_moves(desired: int, running: Mapping[str, int]) -> list[tuple[str, str]]:
    """(start in this zone, then stop in that one), until every zone has its share. Empty: balanced."""
    targets = zone_targets(desired, running)
    start = [z for z in sorted(running) for _ in range(targets[z] - running[z])]
    stop = [z for z in sorted(running) for _ in range(running[z] - targets[z])]
    return list(zip(start, stop))


def rebalancing_eligible(
    scheduling_strategy: str = "REPLICA",
    strategy: Sequence[Strategy] = (),
    constraints: Sequence[Constraint] = (),
    maximum_percent: int = 200,
    launch_type: str = "FARGATE",
    classic_load_balancer: bool = False,
) -> bool:
    """Whether a service may turn `availabilityZoneRebalancing` on."""
    zone_first = not strategy or strategy[0] == SPREAD_ZONES
    zone_pinned = any("attribute:ecs.availability-zone" in c.expression for c in constraints)
    return (
        scheduling_strategy == "REPLICA"
        and launch_type != "EXTERNAL"
        and maximum_percent > 100
        and not classic_load_balancer
        and zone_first
        and not zone_pinned
    )
