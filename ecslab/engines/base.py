"""What an engine is: the place where a task's containers run.

The region decides, an engine carries out and reports. Every method returns at
once; what came of it arrives later as an `Observation` through the `observe`
callable the engine was built with. Two engines exist, `docker.py` and
`simulated.py`, with the same observable behaviour; one parity suite runs every
scenario on both.

All durations are in the region's seconds. An engine on the wall clock divides
them by the region's `speed`.

The life of a task, as the region drives it:

    prepare(spec)          -> NetworkReady | TaskFailed
                              then, by itself: PullStarted, PullStopped,
                              Created | ContainerFailed (container names the culprit)
    start(task, container) -> Started | ContainerFailed, then Health..., Exited
    start(task, container) again after Exited restarts the same container
    stop(task, container, timeout) -> Exited: SIGTERM (or the image's STOPSIGNAL), SIGKILL after timeout
    remove(task)           -> Removed: containers, network and task-scoped volumes are gone
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Protocol, Sequence


@dataclass(frozen=True)
class Network:
    """The elastic network interface of one `awsvpc` task, or of a container instance."""

    vpc_id: str
    vpc_cidr: str
    subnet_id: str
    eni_id: str
    private_ip: str
    mac: str


@dataclass(frozen=True)
class Instance:
    """A container instance, the "host" of `bridge`, `host` and `none` tasks."""

    id: str  # container instance id (the last part of its ARN)
    network: Network | None


@dataclass(frozen=True)
class TaskSpec:
    """One task, ready to run: overrides applied, network chosen.

    `containers` and `volumes` keep the shapes of RegisterTaskDefinition
    (`ContainerDefinition`, `Volume`); `cpu` is in CPU units, `memory` in MiB.
    """

    task_id: str
    task_arn: str
    cluster: str
    family: str
    revision: int
    network_mode: str  # awsvpc | bridge | host | none
    containers: tuple[Mapping, ...]
    volumes: tuple[Mapping, ...] = ()
    cpu: int | None = None
    memory: int | None = None
    network: Network | None = None  # awsvpc only
    instance: Instance | None = None  # EC2 and EXTERNAL only
    pid_mode: str | None = None
    ipc_mode: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)  # added by the region to every container
    endpoints: tuple[tuple[str, int, object], ...] = ()  # names and ports that lead to other services, and what the region calls each
    inside: object | None = None  # what the region calls the task's own place at 169.254.170.2
    to_inside: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # container -> the variables that lead there
    firewall: str = ""  # an nftables rule set for the task's network, where the engine can enforce one


@dataclass(frozen=True)
class Observation:
    """Something that happened to a task. `at` is in the region's seconds, filled in by the region when None."""

    task_id: str
    at: float | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class NetworkReady(Observation):
    """The task's network exists. `published` maps container ports to 127.0.0.1 ports, where published."""

    published: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class TaskFailed(Observation):
    """The task cannot start at all; `reason` is the whole stoppedReason."""

    reason: str = ""


@dataclass(frozen=True)
class PullStarted(Observation):
    pass


@dataclass(frozen=True)
class PullStopped(Observation):
    pass


@dataclass(frozen=True)
class Created(Observation):
    """Every container of the task has been created and may be started."""


@dataclass(frozen=True)
class ContainerFailed(Observation):
    """A container could not be pulled, created or started; `reason` is `<ErrorName>: <message>`."""

    container: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Started(Observation):
    """`network_bindings` has the shape of Container.networkBindings (bridge and host only)."""

    container: str = ""
    runtime_id: str = ""
    runtime_name: str = ""  # as the agent of an instance names containers
    image_digest: str | None = None
    network_bindings: tuple[Mapping, ...] = ()


@dataclass(frozen=True)
class Health(Observation):
    container: str = ""
    status: str = "UNKNOWN"  # HEALTHY | UNHEALTHY | UNKNOWN


@dataclass(frozen=True)
class Exited(Observation):
    """`oom_killed` is true when the kernel killed the container for its memory."""

    container: str = ""
    exit_code: int = 0
    oom_killed: bool = False


@dataclass(frozen=True)
class Removed(Observation):
    pass


@dataclass(frozen=True)
class Usage:
    """One container's counters: `cpu_seconds` of region time used since it started, `memory_bytes` now."""

    cpu_seconds: float
    memory_bytes: int


@dataclass(frozen=True)
class Executed:
    """What came of a command in a container: everything it printed, and its exit code."""

    exit_code: int
    output: str

    def __str__(self) -> str:
        return self.output


class NotExecuted(Exception):
    """Why a command could not be run in a container."""


class Engine(Protocol):
    name: str  # "docker" or "simulated"

    def prepare(self, spec: TaskSpec) -> None: ...
    def start(self, task_id: str, container: str) -> None: ...
    def stop(self, task_id: str, container: str, timeout: float) -> None: ...
    def remove(self, task_id: str) -> None: ...

    def kill(self, task_id: str, container: str) -> None:
        """End a container at once, as a crash would: exit code 137."""

    def free_cidr(self, candidates: list[str]) -> str:
        """The first of these address ranges that is free for a VPC on this machine."""

    def logs(self, task_id: str, container: str, tail: int = 100) -> list[str]:
        """The last lines the container printed, oldest first. Kept after it stopped, until the region closes."""

    def follow(self, task_id: str, container: str, heard: "Heard") -> None:
        """From the container's next start on, hand over every line it prints, in order; all of them before `Removed`.

        `heard(lines, ended)` is called from any thread; `ended` is true with the last lines of a run.
        """

    def execute(self, task_id: str, container: str, command: Sequence[str]) -> Executed:
        """Run a command as root in a running container, and wait for its end. Raises NotExecuted."""

    def image(self, source: str) -> tuple[str, int]:
        """What an image of this machine is called for good, whatever its tag is given to later, and its bytes. ValueError when it is not here."""

    def usage(self, task_id: str) -> dict[str, Usage]: ...

    def stats(self, task_id: str) -> dict[str, dict[str, Any]]:
        """What Docker tells of each running container (ContainerStats), `networks` being the task's; CPU time is of the region.

        The one call here that may take seconds, the first time it is made for a task.
        """

    def enforces(self) -> tuple[bool, str]:
        """Does traffic between tasks obey security groups, and why or why not?"""

    def protect(self, task_id: str, firewall: str) -> None:
        """Give a task that is here another rule set."""

    def next_due(self) -> float | None:
        """Region time of the next thing that will happen here; None on the wall clock."""

    def advance(self, now: float) -> None:
        """Simulated only: let everything due up to `now` happen."""

    def close(self) -> None:
        """Remove everything this engine made. Safe to call twice."""


Observe = Callable[[Observation], None]
Heard = Callable[[list[str], bool], None]
