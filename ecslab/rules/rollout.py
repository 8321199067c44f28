"""What a service should do now: start tasks, stop tasks, finish or fail a deployment.

Theory. A service wants `desired_count` healthy tasks of its PRIMARY deployment.
Between what is and what should be stands a band: at least
ceil(desired x minimumHealthyPercent / 100) healthy tasks must stay, and at most
floor(desired x maximumPercent / 100) tasks may be on their way up or running.
`plan` looks at the whole service and returns every step that the band allows at
this moment; called again after each change it walks a rolling update, replaces
what died or turned UNHEALTHY, scales up and down, and trips the circuit breaker.

Two choices of ours, where AWS documents none: new tasks start before old ones
stop when the band allows both and there is room for them, and the delay after tasks that never ran doubles
from 10 seconds up to the documented ceiling of 27 minutes.

Sources: API Reference, DeploymentConfiguration, DeploymentCircuitBreaker,
Deployment; Developer Guide, "Amazon ECS service throttle logic", "How the Amazon
ECS deployment circuit breaker detects failures", "Amazon ECS service event messages".
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, Sequence

THROTTLE_FIRST = 10.0
THROTTLE_CEILING = 27 * 60.0
IMPAIRED_AFTER = 3  # start failures in a row before the service says so

BLOCKED = (
    "was unable to stop or start tasks during a deployment because of the service deployment configuration. "
    "Update the minimumHealthyPercent or maximumPercent value and try again."
)
IMPAIRED = "is unable to consistently start tasks successfully."
STEADY = "has reached a steady state."


# The band -------------------------------------------------------------------


@dataclass(frozen=True)
class Band:
    """How many healthy tasks must stay (`lower`), how many may exist (`upper`)."""

    desired: int
    lower: int
    upper: int

    @property
    def surge(self) -> int:
        return max(0, self.upper - self.desired)

    @property
    def droppable(self) -> int:
        return max(0, self.desired - self.lower)

    @property
    def blocked(self) -> bool:
        """A rolling update can neither start nor stop a task."""
        return self.desired > 0 and self.surge == 0 and self.droppable == 0


def band(desired: int, minimum_healthy_percent: int, maximum_percent: int) -> Band:
    lower = -(-desired * minimum_healthy_percent // 100)
    upper = desired * maximum_percent // 100
    return Band(desired, lower, upper)


# The circuit breaker --------------------------------------------------------


def failure_threshold(desired: int, type: str = "BOUNDED_PERCENT", value: int = 50) -> int:
    """How many failed tasks trip the breaker (thresholdConfiguration)."""
    if type == "COUNT":
        return value
    percent = -(-desired * value // 100)
    if type == "UNBOUNDED_PERCENT":
        return max(1, percent)
    return min(200, max(3, percent))


def start_delay(consecutive_failures: int) -> float:
    """Seconds to wait after that many start failures in a row (see the module's second choice)."""
    if consecutive_failures <= 0:
        return 0.0
    return min(THROTTLE_CEILING, THROTTLE_FIRST * 2 ** (consecutive_failures - 1))


# What a service looks like --------------------------------------------------


class TaskView(NamedTuple):
    """A task of the service whose desiredStatus is RUNNING, or one still on its way down."""

    id: str
    deployment_id: str
    created_at: float
    running: bool  # lastStatus RUNNING
    healthy: bool  # counts as healthy in the band
    unhealthy: bool = False  # its checks say UNHEALTHY: to be replaced
    stopping: bool = False  # desiredStatus STOPPED
    protected: bool = False  # scale-in protection
    zone: str = ""
    draining: bool = False  # its container instance is DRAINING: to be replaced elsewhere
    instance: str = ""  # the container instance it is on


@dataclass(frozen=True)
class DeploymentView:
    id: str
    status: str  # PRIMARY | ACTIVE
    rollout_state: str  # IN_PROGRESS | COMPLETED | FAILED
    start_failures: int = 0  # in a row, tasks that never reached RUNNING
    failures: int = 0  # what the circuit breaker counts
    last_failure_at: float = 0.0
    rollback_to: str | None = None  # the deployment to return to, if any
    unplaced: bool = False  # at the last try there was no room for some of its tasks


@dataclass(frozen=True)
class Breaker:
    enabled: bool = False
    rollback: bool = False
    threshold_type: str = "BOUNDED_PERCENT"
    threshold_value: int = 50


@dataclass(frozen=True)
class ServiceView:
    desired: int
    minimum_healthy_percent: int
    maximum_percent: int
    deployments: tuple[DeploymentView, ...]  # the PRIMARY first
    tasks: Sequence[TaskView]
    breaker: Breaker = field(default_factory=Breaker)


# What to do -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Start:
    deployment_id: str
    count: int


@dataclass(frozen=True, slots=True)
class Stop:
    task_id: str
    why: str  # "deployment" | "scale-in" | "unhealthy" | "draining"


@dataclass(frozen=True, slots=True)
class Complete:
    """The PRIMARY deployment is done; nothing of an older one is left."""

    deployment_id: str


@dataclass(frozen=True, slots=True)
class Fail:
    """The circuit breaker tripped."""

    deployment_id: str
    rollback_to: str | None


@dataclass(frozen=True, slots=True)
class Retire:
    """An older deployment has no task left: it leaves the list."""

    deployment_id: str


@dataclass(frozen=True, slots=True)
class Say:
    """A service event, without its "(service name) " start."""

    message: str


@dataclass(frozen=True, slots=True)
class WakeAt:
    at: float


Action = Start | Stop | Complete | Fail | Retire | Say | WakeAt


def plan(service: ServiceView, now: float) -> list[Action]:
    """Every step the service may take at `now`; the empty list when it must wait."""
    primary = service.deployments[0]
    if tripped(service, primary):
        return [Fail(primary.id, primary.rollback_to if service.breaker.rollback else None)]

    limits = band(service.desired, service.minimum_healthy_percent, service.maximum_percent)
    active = [t for t in service.tasks if not t.stopping]
    mine = [t for t in active if t.deployment_id == primary.id]
    old = [t for t in active if t.deployment_id != primary.id]
    healthy = sum(t.healthy for t in active)

    actions: list[Action] = []
    starts = room_for = _to_start(service, limits, mine, active)
    if starts:
        if primary.rollout_state == "FAILED":
            starts = 0
        elif ready_at(primary, now) > now:
            if primary.start_failures >= IMPAIRED_AFTER:
                actions.append(Say(IMPAIRED))
            actions.append(WakeAt(ready_at(primary, now)))
            starts = 0
        else:
            actions.append(Start(primary.id, starts))

    if old:
        start_first = bool(limits.surge and (room_for or mine) and not primary.unplaced) or primary.rollout_state == "FAILED"
        actions += _stop_old(limits, mine, old, healthy, starts, start_first)
        if limits.blocked and not actions:
            actions.append(Say(BLOCKED))
    else:
        actions += _stop_surplus(service, mine)
    actions += _stop_unhealthy(limits, mine, active, starts)
    actions += _stop_draining(limits, mine, healthy)
    actions += close(service, primary, mine, old, starts)
    return actions


def tripped(service: ServiceView, primary: DeploymentView) -> bool:
    """Has the circuit breaker of a deployment under way seen enough?"""
    breaker = service.breaker
    return primary.rollout_state == "IN_PROGRESS" and breaker.enabled and primary.failures >= failure_threshold(
        service.desired, breaker.threshold_type, breaker.threshold_value
    )


def ready_at(primary: DeploymentView, now: float) -> float:
    """When the next task may start: later than `now` only after start failures in a row."""
    return primary.last_failure_at + start_delay(primary.start_failures) if primary.start_failures else now


def _to_start(service: ServiceView, limits: Band, mine, active) -> int:
    """How many new tasks are missing, as far as the upper limit has room."""
    good = sum(not t.unhealthy and not t.draining for t in mine)
    room = limits.upper - len(active)
    return max(0, min(service.desired - good, room))


def _stop_old(limits: Band, mine, old, healthy: int, starts: int, start_first: bool) -> list[Action]:
    """Old tasks that may go now: those that are no use, then healthy ones down to the lower limit.

    With `start_first` no healthy one goes until something new is healthy.
    """
    free = [t for t in old if not t.protected]
    useless = [t for t in free if not t.running or (t.unhealthy and not starts)]
    useful = sorted((t for t in free if t.healthy), key=lambda t: t.created_at)
    budget = max(0, healthy - limits.lower)
    if start_first and not any(t.healthy for t in mine):
        budget = 0
    return [Stop(t.id, "deployment") for t in useless + useful[:budget]]


def _stop_surplus(service: ServiceView, mine) -> list[Action]:
    """Scale in: tasks beyond the desired count, the least useful first, keeping Availability Zones even."""
    good = [t for t in mine if not t.unhealthy and not t.draining]
    surplus = len(good) - service.desired
    if surplus <= 0:
        return []
    candidates = [t for t in good if not t.protected]
    chosen: list[Action] = []
    per_zone: dict[str, int] = {}
    for task in good:
        per_zone[task.zone] = per_zone.get(task.zone, 0) + 1
    # One pass per zone keeps this linear: the newest task of the fullest zone goes next.
    queues: dict[str, list] = {}
    for task in sorted(candidates, key=lambda t: (t.healthy, t.running, -t.created_at), reverse=True):
        queues.setdefault(task.zone, []).append(task)
    while len(chosen) < surplus and queues:
        zone = max(queues, key=lambda z: (not queues[z][-1].running, per_zone[z], z))
        chosen.append(Stop(queues[zone].pop().id, "scale-in"))
        per_zone[zone] -= 1
        if not queues[zone]:
            del queues[zone]
    return chosen


def _stop_unhealthy(limits: Band, mine, active, starts: int) -> list[Action]:
    """UNHEALTHY tasks go once replacements are healthy; one by one when there is no room to start those first."""
    unhealthy = sorted((t for t in mine if t.unhealthy), key=lambda t: t.created_at)
    if not unhealthy:
        return []
    good = [t for t in mine if not t.unhealthy and not t.draining]
    if len(good) >= limits.desired and all(t.healthy for t in good):
        return [Stop(t.id, "unhealthy") for t in unhealthy]
    no_room = not starts and len(active) >= limits.upper
    if no_room and len(good) < limits.desired:
        return [Stop(unhealthy[0].id, "unhealthy")]
    return []


def _stop_draining(limits: Band, mine, healthy: int) -> list[Action]:
    """Tasks on DRAINING instances: those not yet RUNNING at once, healthy ones down to the lower limit, oldest first."""
    draining = sorted((t for t in mine if t.draining and not t.protected and not t.unhealthy), key=lambda t: t.created_at)
    pending = [t for t in draining if not t.running]
    useful = [t for t in draining if t.healthy][: max(0, healthy - limits.lower)]
    return [Stop(t.id, "draining") for t in pending + useful]


def close(service: ServiceView, primary, mine, old, starts: int) -> list[Action]:
    """Retire deployments that have no task left; complete the PRIMARY when all is as it should be."""
    actions: list[Action] = []
    present = {t.deployment_id for t in service.tasks}
    actions += [Retire(d.id) for d in service.deployments[1:] if d.id not in present]
    others = [d for d in service.deployments[1:] if d.id in present]
    done = (
        not others
        and not old
        and not starts
        and len(mine) == service.desired
        and all(t.running and t.healthy for t in mine)
        and not any(t.stopping for t in service.tasks if t.deployment_id != primary.id)
    )
    if done and primary.rollout_state != "FAILED":
        actions.append(Complete(primary.id))
    return actions
