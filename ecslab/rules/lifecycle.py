"""What happens inside one task: its states, its containers' order, why it stops.

Theory. A task climbs PROVISIONING -> PENDING -> ACTIVATING -> RUNNING while its
`desiredStatus` is RUNNING, and walks down DEACTIVATING -> STOPPING ->
DEPROVISIONING -> STOPPED once that is STOPPED. It never climbs again: ECS does
not restart a stopped task. Within a task, containers start when their
dependencies allow, and stop in the reverse order. An essential container that
stops, for any reason, stops the task.

Everything that decides a transition lives here. `plan` looks at one task and
returns what to do next; it does nothing itself. `Container` is a value: what
happened to a container makes a new one.

Sources: Amazon ECS Developer Guide, "Amazon ECS task lifecycle", "Container
dependency"; API Reference, Task, Container, ContainerDependency,
ContainerRestartPolicy.
"""
from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Iterable, Mapping, Sequence

# Task states, in the order a task passes them -------------------------------

UP = ("PROVISIONING", "PENDING", "ACTIVATING", "RUNNING")
DOWN = ("DEACTIVATING", "STOPPING", "DEPROVISIONING", "STOPPED")
ORDER = {status: position for position, status in enumerate(UP + DOWN)}

# Where a task goes when it is asked to stop, by where it is.
FIRST_STEP_DOWN = {
    "PROVISIONING": "DEPROVISIONING",
    "PENDING": "DEPROVISIONING",
    "ACTIVATING": "STOPPING",
    "RUNNING": "DEACTIVATING",
}

# Why a task stopped ---------------------------------------------------------

TASK_FAILED_TO_START = "TaskFailedToStart"
ESSENTIAL_CONTAINER_EXITED = "EssentialContainerExited"
USER_INITIATED = "UserInitiated"
SERVICE_SCHEDULER_INITIATED = "ServiceSchedulerInitiated"
SPOT_INTERRUPTION = "SpotInterruption"
TERMINATION_NOTICE = "TerminationNotice"

ESSENTIAL_EXITED = "Essential container in task exited"
FAILED_CONTAINER_HEALTH_CHECKS = "Task failed container health checks"
OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"
STOPPED_BY_USER = "Task stopped by user"


def scaling_activity(deployment_id: str) -> str:
    return f"Scaling activity initiated by (deployment {deployment_id})"


def failed_target_health_checks(target_group_arn: str) -> str:
    return f"Task failed ELB health checks in (target-group {target_group_arn})"


# What an exit code says (shell and Docker convention) -----------------------

EXIT_CODES = {
    0: "clean exit",
    1: "application error",
    125: "Docker could not run the command",
    126: "the command is not executable",
    127: "command not found",
    137: "killed by SIGKILL: stopTimeout expired, or out of memory",
    139: "killed by SIGSEGV",
    143: "killed by SIGTERM, which nothing in the container handled",
}

DEFAULT_STOP_TIMEOUT = 30.0
DEFAULT_START_TIMEOUT = 180.0
DEFAULT_RESTART_ATTEMPT_PERIOD = 300.0


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    ignored_exit_codes: frozenset[int] = frozenset()
    attempt_period: float = DEFAULT_RESTART_ATTEMPT_PERIOD


@dataclass(frozen=True, slots=True)
class Container:
    """One container of a task. Times are seconds since the epoch.

    `status` is PENDING (not started yet), STARTING, RUNNING, STOPPING or
    STOPPED; the API shows STARTING as PENDING and STOPPING as RUNNING.
    """

    name: str
    essential: bool = True
    depends_on: tuple[tuple[str, str], ...] = ()  # (container, START|COMPLETE|SUCCESS|HEALTHY)
    has_health_check: bool = False
    start_timeout: float = DEFAULT_START_TIMEOUT
    stop_timeout: float = DEFAULT_STOP_TIMEOUT
    restart_policy: RestartPolicy | None = None

    status: str = "PENDING"
    health: str = "UNKNOWN"
    exit_code: int | None = None
    reason: str | None = None
    started_at: float | None = None  # the first start
    run_since: float | None = None  # the latest start or restart
    restart_count: int = 0

    @property
    def api_status(self) -> str:
        return {"STARTING": "PENDING", "STOPPING": "RUNNING"}.get(self.status, self.status)

    @property
    def was_started(self) -> bool:
        return self.started_at is not None


def containers_of(definition: Mapping) -> tuple[Container, ...]:
    """The containers of a registered task definition, none of them started."""
    return tuple(_container(definition, item) for item in definition["containerDefinitions"])


def _container(definition: Mapping, item: Mapping) -> Container:
    depends_on = [(d["containerName"], d["condition"]) for d in item.get("dependsOn", ())]
    named = {name for name, _ in depends_on}
    implied = [link.split(":")[0] for link in item.get("links", ())]
    implied += [source["sourceContainer"] for source in item.get("volumesFrom", ())]
    depends_on += [(name, "START") for name in dict.fromkeys(implied) if name not in named]
    policy = item.get("restartPolicy") or {}
    return Container(
        name=item["name"],
        essential=item.get("essential", True),
        depends_on=tuple(depends_on),
        has_health_check=has_health_check(item),
        start_timeout=item.get("startTimeout") or DEFAULT_START_TIMEOUT,
        stop_timeout=DEFAULT_STOP_TIMEOUT if item.get("stopTimeout") is None else item["stopTimeout"],
        restart_policy=RestartPolicy(
            frozenset(policy.get("ignoredExitCodes", ())),
            policy.get("restartAttemptPeriod", DEFAULT_RESTART_ATTEMPT_PERIOD),
        )
        if policy.get("enabled")
        else None,
    )


def has_health_check(container_definition: Mapping) -> bool:
    command = (container_definition.get("healthCheck") or {}).get("command") or ["NONE"]
    return list(command) != ["NONE"]


# What happened to a container, as a new value -------------------------------


def started(container: Container, now: float) -> Container:
    return replace(
        container,
        status="RUNNING",
        started_at=container.started_at if container.was_started else now,
        run_since=now,
        exit_code=None,
        reason=None,
        health="UNKNOWN",
    )


def exited(container: Container, exit_code: int, oom_killed: bool = False) -> Container:
    return replace(container, status="STOPPED", exit_code=exit_code, reason=OUT_OF_MEMORY if oom_killed else None)


def failed(container: Container, reason: str) -> Container:
    """It could not be pulled, created or started: no exit code, but a reason."""
    return replace(container, status="STOPPED", reason=reason)


def restarted(container: Container) -> Container:
    return replace(container, status="STARTING", restart_count=container.restart_count + 1)


# What to do next ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Advance:
    """Show the task in the next state."""

    status: str


@dataclass(frozen=True, slots=True)
class StartContainer:
    name: str
    restart: bool = False


@dataclass(frozen=True, slots=True)
class StopContainer:
    name: str
    timeout: float


@dataclass(frozen=True, slots=True)
class StopTask:
    stop_code: str
    reason: str


@dataclass(frozen=True, slots=True)
class WakeAt:
    """Nothing to do now; look again then."""

    at: float


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the engine has come with a task."""

    network_ready: bool = False
    pulling: bool = False
    created: bool = False
    removed: bool = False
    may_stop: bool = True  # False while a load balancer still drains the task
    may_run: bool = True  # False while something outside the task holds ACTIVATING


Action = Advance | StartContainer | StopContainer | StopTask | WakeAt


def plan(
    last_status: str, desired_status: str, containers: Sequence[Container], progress: Progress, now: float
) -> list[Action]:
    """The next actions for one task; an empty list means: wait for something to happen."""
    if desired_status == "RUNNING":
        return _climb(last_status, containers, progress, now)
    return _descend(last_status, containers, progress)


def _climb(last_status: str, containers: Sequence[Container], progress: Progress, now: float) -> list[Action]:
    stop = _reason_to_stop(containers, now)
    if stop:
        return [stop]
    if last_status == "PROVISIONING":
        return [Advance("PENDING")] if progress.network_ready else []
    if last_status == "PENDING":
        return [Advance("ACTIVATING")] if progress.pulling or progress.created else []
    actions: list[Action] = []
    if progress.created:
        by_name = {c.name: c for c in containers}
        for container in containers:
            actions += _next_for(container, by_name, now)
    if last_status == "ACTIVATING" and progress.may_run and all(c.status in ("RUNNING", "STOPPED") for c in containers):
        actions.append(Advance("RUNNING"))
    return actions


def _next_for(container: Container, by_name: Mapping[str, Container], now: float) -> list[Action]:
    if container.status == "PENDING":
        waiting = [d for d in container.depends_on if not satisfied(d[1], by_name[d[0]])]
        if not waiting:
            return [StartContainer(container.name)]
        deadlines = [_deadline(by_name[name]) for name, _ in waiting]
        return [WakeAt(at) for at in deadlines if at is not None and at > now]
    if container.status == "STOPPED" and may_restart(container, now):
        return [StartContainer(container.name, restart=True)]
    return []


def _deadline(dependency: Container) -> float | None:
    """When a container that others wait for has had its startTimeout."""
    return None if dependency.started_at is None else dependency.started_at + dependency.start_timeout


def satisfied(condition: str, dependency: Container) -> bool:
    """Has `dependency` reached `condition` (ContainerDependency)?"""
    return {
        "START": dependency.was_started,
        "COMPLETE": dependency.status == "STOPPED" and dependency.exit_code is not None,
        "SUCCESS": dependency.status == "STOPPED" and dependency.exit_code == 0,
        "HEALTHY": dependency.status == "RUNNING" and dependency.health == "HEALTHY",
    }[condition]


def hopeless(condition: str, dependency: Container) -> bool:
    """Can `dependency` never reach `condition` any more?"""
    stopped = dependency.status == "STOPPED"
    return {
        "START": stopped and not dependency.was_started,
        "COMPLETE": stopped and dependency.exit_code is None,
        "SUCCESS": stopped and dependency.exit_code != 0,
        "HEALTHY": stopped or dependency.health == "UNHEALTHY",
    }[condition]


def may_restart(container: Container, now: float) -> bool:
    """Does its restartPolicy let this stopped container run again, in the same task?"""
    policy = container.restart_policy
    if policy is None or container.exit_code is None or container.run_since is None:
        return False
    return container.exit_code not in policy.ignored_exit_codes and now - container.run_since >= policy.attempt_period


def _reason_to_stop(containers: Sequence[Container], now: float) -> StopTask | None:
    by_name = {c.name: c for c in containers}
    for container in containers:
        if container.status == "STOPPED" and not container.was_started:
            return StopTask(TASK_FAILED_TO_START, container.reason or ESSENTIAL_EXITED)
        if container.status == "STOPPED" and container.essential and not may_restart(container, now):
            return StopTask(ESSENTIAL_CONTAINER_EXITED, ESSENTIAL_EXITED)
        if container.status == "PENDING":
            for name, condition in container.depends_on:
                dependency = by_name[name]
                if satisfied(condition, dependency):
                    continue
                if hopeless(condition, dependency):
                    return StopTask(TASK_FAILED_TO_START, _ordering(name, container.name, "did not exit successfully", condition))
                deadline = _deadline(dependency)
                if deadline is not None and now >= deadline:
                    return StopTask(TASK_FAILED_TO_START, _ordering(name, container.name, "has timed out", condition))
    return None


def _ordering(dependency: str, target: str, what: str, condition: str) -> str:
    start = f"dependency graph: container ordering dependency [{dependency}] for target [{target}]"
    if what == "has timed out":
        return f"{start} has timed out."
    if condition == "SUCCESS":
        return f"{start} cannot be resolved as dependency did not exit successfully."
    return f"{start} cannot be resolved: {dependency} can no longer reach {condition}."


def _descend(last_status: str, containers: Sequence[Container], progress: Progress) -> list[Action]:
    if last_status in FIRST_STEP_DOWN:
        return [Advance(FIRST_STEP_DOWN[last_status])]
    if last_status == "DEACTIVATING":
        return [Advance("STOPPING")] if progress.may_stop else []
    if last_status == "STOPPING":
        live = [c for c in containers if c.status in ("STARTING", "RUNNING", "STOPPING")]
        if not live:
            return [Advance("DEPROVISIONING")]
        return [StopContainer(c.name, c.stop_timeout) for c in stoppable(containers)]
    if last_status == "DEPROVISIONING":
        return [Advance("STOPPED")] if progress.removed else []
    return []


def stoppable(containers: Iterable[Container]) -> list[Container]:
    """Running containers nobody running depends on: dependants stop first."""
    containers = tuple(containers)
    needed = {
        name for c in containers if c.status in ("STARTING", "RUNNING", "STOPPING") for name, _ in c.depends_on
    }
    return [c for c in containers if c.status == "RUNNING" and c.name not in needed]
