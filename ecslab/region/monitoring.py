"""Once a minute: what services and clusters used goes to CloudWatch, alarms are evaluated, scaling follows.

CPUUtilization and MemoryUtilization are used over reserved: over what the tasks
of a service reserve, and, for a cluster, over what its container instances have.
What containers used comes from the engine's counters. A service whose
`monitoring` asks for it is measured every 20 seconds.

Source: Developer Guide, "Amazon ECS CloudWatch metrics", "Amazon ECS service
utilization metrics", "Amazon ECS cluster reservation metrics"; CloudWatch User
Guide, "Amazon ECS Container Insights metrics".
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Iterable, Iterator

from ..rules import scaling
from . import metrics
from .alarms import Alarms
from .demand import Demand, Used
from .metrics import Stat

if TYPE_CHECKING:
    from . import Region
    from .model import Cluster, Service, Task

MINUTE = 60
HIGH_RESOLUTION = 20
MIB = 2**20
ECS, INSIGHTS = "AWS/ECS", "ECS/ContainerInsights"


class Monitoring:
    """The region's minute. `after` may name more to do at its end: capacity providers, for one."""

    def __init__(self, region: "Region"):
        self._region = region
        self.alarms = Alarms(region)
        self.after: list[Any] = []  # callables of the time, each called at every tick, in order
        self.demands: dict[str, Demand] = {}  # by service ARN
        self._counters: dict[str, tuple[float, float]] = {}  # task -> (when, CPU seconds until then)
        self._until = region.clock.now()
        region.wake_at(_next(region.clock.now(), MINUTE), self._tick)

    def _tick(self) -> None:
        now = self._region.clock.now()
        self._region.wake_at(_next(now, self._step()), self._tick)  # first of all: whatever fails below, the next look comes
        whole = _next(self._until, MINUTE) <= now
        if whole:
            self._until = now
            for arn, demand in list(self.demands.items()):
                try:
                    demand.pass_until(now)
                except Exception:  # the learner's own function: it is told once, and the region goes on
                    del self.demands[arn]
                    raise
            self._region.balancing.report(now)
        self.measure(now, whole)
        self.alarms.evaluate(now)
        self._region.auto_scaling.evaluate(now)
        for act in self.after:
            act(now)

    def _step(self) -> float:
        """Seconds from one look to the next."""
        fast = any(_is_fast(s) for c in self._region.clusters.values() for s in c.services.values())
        return min(HIGH_RESOLUTION if fast else MINUTE, self.alarms.period())

    def measure(self, now: float, whole: bool = True) -> None:
        """Publish what everything that runs has used since it was last looked at."""
        rows: list[metrics.Row] = []
        fast: list[metrics.Row] = []
        insights: list[metrics.Row] = []
        for cluster in self._region.clusters.values():
            used: dict[str, Used] = {}
            wanted = None if whole else {s.name for s in cluster.services.values() if _is_fast(s)}
            for demand in self.demands.values():
                used.update(demand.used if demand.service.cluster is cluster else {})
            for task in cluster.tasks.values():
                if task.id in used or (task.service and task.service.arn in self.demands):
                    continue
                if task.last_status == "RUNNING" and (wanted is None or task.service and task.service.name in wanted):
                    used[task.id] = self._used(task, now)
            for service in cluster.services.values():
                is_fast = _is_fast(service)
                if whole or is_fast:
                    (fast if is_fast else rows).extend(_of_service(service, used))
            if whole:
                rows += _of_cluster(cluster, used)
                insights += _insights(self._region, cluster, used)
        region = self._region
        metrics.publish(region.name, ECS, rows, now)
        metrics.publish(region.name, ECS, fast, now, HIGH_RESOLUTION)
        metrics.publish(region.name, INSIGHTS, insights, now)
        if whole and len(self._counters) > 100:
            here = {task for c in region.clusters.values() for task in c.tasks}
            self._counters = {task: seen for task, seen in self._counters.items() if task in here}

    def _used(self, task: "Task", now: float) -> Used:
        usage = self._region.engine.usage(task.id)
        cpu = sum(u.cpu_seconds for u in usage.values())
        memory = sum(u.memory_bytes for u in usage.values()) / MIB
        since, before = self._counters.get(task.id, (task.started_at or now, 0.0))
        self._counters[task.id] = (now, cpu)
        span = max(now - since, HIGH_RESOLUTION if task.service and _is_fast(task.service) else MINUTE)  # a task of ten seconds used its share of a minute
        return Used(max(0.0, cpu - before) / span * 1024, memory)


def _next(now: float, step: float) -> float:
    return (now // step + 1) * step


def _is_fast(service: "Service") -> bool:
    configurations = (service.settings.get("monitoring") or {}).get("metricConfigurations") or ()
    return any(c.get("resolutionSeconds") == HIGH_RESOLUTION for c in configurations)


def _of_service(service: "Service", used: dict[str, Used]) -> Iterator[metrics.Row]:
    """CPUUtilization and MemoryUtilization; nothing where no task runs. As many samples as there are tasks."""
    dimensions = {"ClusterName": service.cluster.name, "ServiceName": service.name}
    sizes: dict[tuple[int, int, Used], int] = {}  # tasks of one size that used the same
    for task in service.tasks.values():
        amount = used.get(task.id)
        if amount is not None:
            size = task.cpu, task.memory, amount
            sizes[size] = sizes.get(size, 0) + 1
    if sizes:
        yield from _utilization("CPUUtilization", dimensions, [(u.cpu, cpu, n) for (cpu, _, u), n in sizes.items()])
        yield from _utilization("MemoryUtilization", dimensions, [(u.memory, memory, n) for (_, memory, u), n in sizes.items()])


def _utilization(name: str, dimensions: dict, groups: list[tuple[float, int, int]]) -> Iterator[metrics.Row]:
    """(used, reserved, how many tasks): the average is all that is used over all that is reserved."""
    whole = scaling.utilization((used * n for used, _, n in groups), (reserved * n for _, reserved, n in groups))
    if whole is None:
        return
    each = [100 * used / reserved for used, reserved, _ in groups if reserved]
    count = sum(n for _, reserved, n in groups if reserved)
    yield name, dimensions, Stat(count, whole * count, min(each), max(each)), "Percent"


def _of_cluster(cluster: "Cluster", used: dict[str, Used]) -> Iterator[metrics.Row]:
    """Utilization and reservation of the cluster's own container instances."""
    instances = [i for i in cluster.instances.values() if i.status in ("ACTIVE", "DRAINING")]
    if not instances:
        return
    here = [t for t in cluster.tasks.values() if t.instance is not None and t.last_status not in ("STOPPED", "DEPROVISIONING")]
    dimensions = {"ClusterName": cluster.name}
    for what, name in (("cpu", "CPU"), ("memory", "Memory")):
        registered = sum(getattr(i, what) for i in instances)
        shares = {
            "Utilization": sum(getattr(used[t.id], what) for t in here if t.id in used),
            "Reservation": sum(getattr(t, what) for t in here),
        }
        for kind, amount in shares.items():
            yield f"{name}{kind}", dimensions, Stat.same(100 * amount / registered), "Percent"


# Container Insights -------------------------------------------------------------------


def _insights(region: "Region", cluster: "Cluster", used: dict[str, Used]) -> Iterator[metrics.Row]:
    """What Container Insights adds, where the cluster's setting asks for it."""
    level = cluster.setting("containerInsights")
    if level not in ("enabled", "enhanced"):
        return
    running = [t for t in cluster.tasks.values() if t.id in used]
    services = [s for s in cluster.services.values() if s.status != "INACTIVE"]
    here = {"ClusterName": cluster.name}
    yield from _amounts(here, running, used)
    yield from _counts(here, TaskCount=len(running), ServiceCount=len(services))
    yield from _counts(here, ContainerInstanceCount=len({t.instance.id for t in running if t.instance}))
    for family in sorted({t.task_definition.family for t in running}):
        tasks = [t for t in running if t.task_definition.family == family]
        yield from _amounts({**here, "TaskDefinitionFamily": family}, tasks, used)
    for service in services:
        dimensions = {**here, "ServiceName": service.name}
        tasks = [t for t in service.tasks.values() if t.id in used]
        yield from _amounts(dimensions, tasks, used)
        ran, pending = service.counts()
        yield from _counts(dimensions, DesiredTaskCount=service.desired_count, RunningTaskCount=ran, PendingTaskCount=pending)
        yield from _counts(dimensions, DeploymentCount=len(service.deployments), TaskSetCount=len(service.task_sets))
    if level == "enhanced":
        for task in running:
            dimensions = {**here, "TaskId": task.id, "TaskDefinitionFamily": task.task_definition.family}
            yield "TaskCpuUtilization", dimensions, Stat.same(100 * used[task.id].cpu / task.cpu if task.cpu else 0.0), "Percent"
            yield "TaskMemoryUtilization", dimensions, Stat.same(100 * used[task.id].memory / task.memory if task.memory else 0.0), "Percent"


def _amounts(dimensions: dict, tasks: Iterable["Task"], used: dict[str, Used]) -> Iterator[metrics.Row]:
    tasks = list(tasks)
    if tasks:
        yield "CpuUtilized", dimensions, Stat.same(sum(used[t.id].cpu for t in tasks)), "None"
        yield "CpuReserved", dimensions, Stat.same(sum(t.cpu for t in tasks)), "None"
        yield "MemoryUtilized", dimensions, Stat.same(sum(used[t.id].memory for t in tasks)), "Megabytes"
        yield "MemoryReserved", dimensions, Stat.same(sum(t.memory for t in tasks)), "Megabytes"


def _counts(dimensions: dict, **counts: int) -> Iterator[metrics.Row]:
    for name, count in counts.items():
        yield name, dimensions, Stat.same(count), "Count"
