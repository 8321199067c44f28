"""Where tasks go: constraints, strategies, capacity providers, Availability Zones.

Theory. Placing a task on a container instance is a pipeline. Instances that lack
CPU, memory, a host port, a GPU or a network interface drop out; then those that
are not ACTIVE and connected; then those without a required attribute; then those
a constraint rules out. Constraints bind. What is left is ordered by the strategies,
the first one first and each later one breaking its ties, and the best instance wins.
Strategies are best effort. Scale-in reads the same order backwards.

Capacity providers decide earlier: `base` tasks go to one provider, every further
task follows the weights.

Choices of ours, where AWS documents none: the weights' remainder goes to the
provider furthest behind its share, ties in list order; a RunTask without a strategy
is placed at random; the zones that already hold most tasks keep the remainder of a
rebalancing.

The language of constraints is told in `cluster_query.py`.

Sources: Developer Guide, "Amazon ECS task placement", "Amazon ECS capacity providers",
"Amazon ECS cluster auto scaling", "Balancing an Amazon ECS service across Availability
Zones", "API failure reasons"; API Reference, PlacementStrategy, PlacementConstraint,
CapacityProviderStrategyItem, ManagedScaling.
"""
from __future__ import annotations

import random
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from fractions import Fraction
from heapq import heappop, heappush, heapreplace
from itertools import count as counter
from math import ceil
from typing import Callable, Iterable, Mapping, NamedTuple, Sequence

from .cluster_query import matches, parse  # noqa: F401  (matches: ListContainerInstances' filter)
from .errors import client, invalid

MAX_STRATEGIES = 5
MAX_CONSTRAINTS = 10
MAX_PROVIDERS = 20
MAX_BASE = 100_000
MAX_WEIGHT = 1_000

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
    order = _Order(strategy, task.group, instances, rng or random.Random(0))
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
    order = _Order(strategy, task.group, instances, rng or random.Random(0), backwards=True)
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


# The order the strategies give ----------------------------------------------
#
# A tree with one level per strategy: a level's branches are its values (zones,
# instances, amounts left), and a branch's rank is (what this strategy says of the
# value, then the best rank below). Placing a task only makes the other instances'
# ranks equal or worse, so a heap whose top is checked before use stays right, and
# one placement costs a handful of heap steps instead of a pass over the cluster.


class _Order:
    def __init__(self, strategies, group: str, instances, rng: random.Random, backwards: bool = False):
        self.group, self.rng = group, rng
        self.random = any(s.type == "random" for s in strategies)
        self.levels: list[_Level] = []
        for strategy in strategies:
            if strategy.type == "random":
                break  # nothing is left to break a tie
            self.levels.append(_Level(strategy, -1 if backwards else 1))
        for instance in instances:
            self.count(instance, instance.tasks_by_group.get(group, 0))
        self._number = counter()
        self._root = _Branch(self, 0)

    def tie(self) -> float:
        return self.rng.random() if self.random else next(self._number)

    def count(self, instance: InstanceView, tasks: int) -> None:
        """The group has that many more tasks on the instance."""
        for level in self.levels:
            level.tasks[level.value(instance)] += tasks

    def add(self, instance: InstanceView) -> None:
        self._root.add(instance)

    def take(self) -> InstanceView:
        return self._root.take()

    def __bool__(self) -> bool:
        return self._root.size > 0


class _Level:
    """One spread or binpack strategy: which value an instance has, and what it ranks."""

    def __init__(self, strategy: Strategy, sign: int):
        self.strategy, self.sign = strategy, sign
        self.tasks: Counter = Counter()

    def value(self, instance: InstanceView):
        field = self.strategy.field
        if self.strategy.type == "binpack":
            return instance.remaining_cpu if field.lower() == "cpu" else instance.remaining_memory
        return instance.id if field in ("instanceId", "host") else instance.attribute(field.removeprefix("attribute:"))

    def rank(self, value) -> int:
        return self.sign * (value if self.strategy.type == "binpack" else self.tasks[value])


class _Branch:
    """The instances that share one value on every level above `depth`."""

    def __init__(self, order: _Order, depth: int):
        self.order, self.depth, self.size = order, depth, 0
        self.level = order.levels[depth] if depth < len(order.levels) else None
        self.pool: list[InstanceView] = []  # on the last level: instances nothing tells apart
        self.branches: dict = {}
        self.heap: list = []  # (rank, tie, value); a rank may be out of date
        self.listed: dict = {}  # value -> its rank in the heap

    def add(self, instance: InstanceView) -> None:
        self.size += 1
        if self.level is None:
            self.pool.append(instance)
            return
        value = self.level.value(instance)
        branch = self.branches.get(value)
        if branch is None:
            branch = self.branches[value] = _Branch(self.order, self.depth + 1)
        branch.add(instance)
        rank = self.rank_of(value)
        if value not in self.listed or rank < self.listed[value]:
            self.listed[value] = rank
            heappush(self.heap, (rank, self.order.tie(), value))

    def rank_of(self, value) -> tuple:
        return (self.level.rank(value), *self.branches[value].rank())

    def rank(self) -> tuple:
        return () if self.level is None else self.settle()[0]

    def settle(self) -> tuple:
        """The heap's top entry, once it is true."""
        while True:
            rank, _, value = self.heap[0]
            if self.listed.get(value) != rank:
                heappop(self.heap)
                continue
            now = self.rank_of(value)
            if now == rank:
                return self.heap[0]
            self.listed[value] = now
            heapreplace(self.heap, (now, self.order.tie(), value))

    def take(self) -> InstanceView:
        self.size -= 1
        if self.level is None:
            return self.pool.pop(self.order.rng.randrange(len(self.pool)) if self.order.random else 0)
        value = self.settle()[2]
        branch = self.branches[value]
        instance = branch.take()
        if not branch.size:
            del self.branches[value], self.listed[value]
        return instance


# What a service says when nothing fits --------------------------------------

_EVENT_TAILS = {
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
    tail = _EVENT_TAILS.get(closest.reason, f'encountered error "{closest.reason}".')
    return f"{start}The closest matching (container-instance {closest.arn.rsplit('/', 1)[-1]}) {tail}"


# Capacity providers ---------------------------------------------------------


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
