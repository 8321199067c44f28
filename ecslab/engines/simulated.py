"""The engine without containers: the same observations, in virtual time.

What a container does is read from its image and arguments. The lab app declares
its behaviour (`ecslab.app`); any other image is taken to run until it is
stopped, and to exit 0 then. An `ecslab/...` image that does not exist fails to
pull, as it would on Docker. Nothing here reads a clock or draws a random
number: the region moves the time with `advance`.
"""
from __future__ import annotations

import hashlib
import heapq
import itertools
from dataclasses import dataclass, field, replace
from functools import partial
from math import inf
from typing import Any, Callable, Mapping, Sequence

from ..app import IMAGES, Behaviour, Reply, parse, reply
from ..rules import health
from . import simulated_files, simulated_shell
from .base import (
    ContainerFailed,
    Created,
    Executed,
    Exited,
    Health,
    Heard,
    NetworkReady,
    NotExecuted,
    Observation,
    Observe,
    PullStarted,
    PullStopped,
    Removed,
    Started,
    TaskSpec,
    Usage,
)
from .simulated_stats import statistics

# How long each step takes, in seconds. Chosen to make every state visible.
NETWORK = 2.0
PULL = 3.0
CREATE = 1.0
START = 1.0
STOP = 1.0
REMOVE = 1.0

IDLE_MEMORY = 4 * 2**20
REQUEST_CPU = 0.01  # CPU seconds that a request costs
FIRST_DYNAMIC_PORT = 49153

Get = Callable[[str, str, str], simulated_shell.Fetched]  # task, container, URL


@dataclass
class _Cpu:
    """The CPU seconds of a container: what requests cost, and what burns for a while, within its limit."""

    cores: float = inf
    since: float = 0.0
    used: float = 0.0
    owed: float = 0.0  # for requests since then
    burns: list[float] = field(default_factory=list)  # when each ends

    def at(self, now: float) -> float:
        """CPU seconds used until now."""
        while self.since < now:
            self.burns = [end for end in self.burns if end > self.since]
            until = min([*self.burns, now])
            span = until - self.since
            spent = min(self.cores * span, len(self.burns) * span + self.owed)
            self.owed = max(0.0, self.owed + len(self.burns) * span - spent) if not self.burns else 0.0
            self.used += spent
            self.since = until
        return self.used


@dataclass
class _Container:
    definition: Mapping
    behaviour: Behaviour | None
    runtime_id: str
    started_at: float | None = None
    run: int = 0  # which start this is; events of an earlier run are void
    running: bool = False
    ready_at: float = 0.0
    held: float = 0.0  # bytes that requests made it keep
    cpu: "_Cpu" = field(default_factory=lambda: _Cpu())
    probe: health.Probe = field(default_factory=health.Probe)
    lines: list[str] = field(default_factory=list)
    heard: Heard | None = None  # who else wants them

    def print(self, line: str) -> None:
        self.lines.append(line)
        if self.heard:
            self.heard([line], False)


@dataclass
class _Task:
    spec: TaskSpec
    containers: dict[str, _Container]
    removed: bool = False


class SimulatedEngine:
    name = "simulated"

    def __init__(self, observe: Observe, now: float = 0.0, get: Get | None = None):
        """`get` is asked for what a command in a container fetches over the network."""
        self._observe = observe
        self._get = get
        self._now = now
        self._tasks: dict[str, _Task] = {}
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._sequence = itertools.count()
        self._ports: dict[str, set[int]] = {}  # instance -> host ports in use

    # The protocol ----------------------------------------------------------

    def prepare(self, spec: TaskSpec) -> None:
        containers = {c["name"]: _Container(c, _behaviour(c), _runtime_id(spec, c)) for c in spec.containers}
        task = self._tasks[spec.task_id] = _Task(spec, containers)
        self._after(NETWORK if spec.network_mode == "awsvpc" else 0.0, lambda: self._network_ready(task))

    def start(self, task_id: str, container: str) -> None:
        task = self._tasks[task_id]
        self._after(START, lambda: self._started(task, container))

    def stop(self, task_id: str, container: str, timeout: float) -> None:
        task = self._tasks[task_id]
        item = task.containers[container]
        ignores = item.behaviour is not None and item.behaviour.ignore_sigterm
        run = item.run
        if ignores:
            self._after(timeout, lambda: self._exit(task, container, run, 137))
        else:
            self._after(min(STOP, timeout), lambda: self._exit(task, container, run, 0))

    def remove(self, task_id: str) -> None:
        task = self._tasks.get(task_id)
        self._after(REMOVE if task else 0.0, lambda: self._removed(task_id, task))

    def kill(self, task_id: str, container: str) -> None:
        task = self._tasks[task_id]
        run = task.containers[container].run
        self._after(0.0, lambda: self._exit(task, container, run, 137))

    def free_cidr(self, candidates: list[str]) -> str:
        return candidates[0]

    def logs(self, task_id: str, container: str, tail: int = 100) -> list[str]:
        task = self._tasks.get(task_id)
        return list(task.containers[container].lines[-tail:]) if task else []

    def follow(self, task_id: str, container: str, heard: Heard) -> None:
        self._tasks[task_id].containers[container].heard = heard

    def image(self, source: str) -> tuple[str, int]:
        if not _exists(source):
            raise ValueError(f"There is no image {source!r}. The lab's are {' and '.join(IMAGES)}.")
        return source, 0

    def execute(self, task_id: str, container: str, command: Sequence[str]) -> Executed:
        task = self._tasks.get(task_id)
        item = task.containers[container] if task else None
        if item is None or not item.running:
            raise NotExecuted(f"Container {container} has stopped.")
        get = partial(self._get, task_id, container) if self._get else None
        view = simulated_shell.View(task.spec, item.definition, item.behaviour, get, partial(self._terminate, task, container))
        return simulated_shell.run(list(command), view)

    def _terminate(self, task: _Task, container: str) -> None:
        """SIGTERM for process 1, from inside."""
        item = task.containers[container]
        run = item.run
        if item.behaviour is None or not item.behaviour.ignore_sigterm:
            self._after(0.0, lambda: self._exit(task, container, run, 0))

    def usage(self, task_id: str) -> dict[str, Usage]:
        task = self._tasks.get(task_id)
        if task is None:
            return {}
        return {n: Usage(c.cpu.at(self._now), self._memory(c)) for n, c in task.containers.items() if c.running}

    def stats(self, task_id: str) -> dict[str, dict[str, Any]]:
        containers = self._tasks[task_id].containers if task_id in self._tasks else {}
        return {n: statistics(c.cpu.at(self._now), self._memory(c), self._now) for n, c in containers.items() if c.running}

    def answer(self, task_id: str, port: int, path: str, on_localhost_of: str | None = None) -> Reply | None:
        """What a container port of the task answers to a GET now; None when nothing listens there.

        on_localhost_of: the container that asks on its own localhost, which on the bridge it shares with none.
        """
        task = self._tasks.get(task_id)
        for name, item in (task.containers if task and not task.removed else {}).items():
            if not item.running or self._now < item.ready_at:
                continue
            if on_localhost_of not in (None, name) and task.spec.network_mode in ("bridge", "none"):
                continue
            if item.behaviour is None:
                if any(m["containerPort"] == port for m in item.definition.get("portMappings", ())):
                    return Reply(200, f"{item.definition['image']} (simulated)")
            elif item.behaviour.port == port:
                version = item.definition["image"].rpartition(":")[2]
                running_for = self._now - item.started_at
                answer = reply(item.behaviour, path, version=version, task=task_id, running_for=running_for)
                item.print(f"GET {path} {answer.status}")
                self._act(task, name, answer)
                return answer
        return None

    def _act(self, task: _Task, name: str, answer: Reply) -> None:
        """What a request makes the app do."""
        word, number = answer.then or ("", 0)
        item = task.containers[name]
        item.cpu.at(self._now)
        item.cpu.owed += REQUEST_CPU
        if word == "burn":
            item.cpu.burns.append(self._now + number)
        if word == "exit":
            run = item.run
            self._after(0.0, lambda: self._exit(task, name, run, int(number)))
        elif word == "leak":
            item.held += number * 2**20
            limit = _memory_limit(task.spec, item.definition)
            if limit is not None and IDLE_MEMORY + item.held > limit:
                run = item.run
                self._after(0.0, lambda: self._exit(task, name, run, 137, oom=True))

    def enforces(self) -> tuple[bool, str]:
        return True, "every simulated request asks the rules"

    def protect(self, task_id: str, firewall: str) -> None:
        """Nothing is filtered here: whoever asks `can_reach` first needs no filter."""

    def next_due(self) -> float | None:
        return self._events[0][0] if self._events else None

    def advance(self, now: float) -> None:
        while self._events and self._events[0][0] <= now:
            at, _, happen = heapq.heappop(self._events)
            self._now = at
            happen()
        self._now = max(self._now, now)

    def close(self) -> None:
        self._events.clear()
        self._tasks.clear()

    # What happens ----------------------------------------------------------

    def _after(self, seconds: float, happen: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self._now + seconds, next(self._sequence), happen))

    def _say(self, task: _Task, kind: type[Observation], **facts) -> None:
        self._observe(kind(task.spec.task_id, at=self._now, **facts))

    def _network_ready(self, task: _Task) -> None:
        if task.removed:
            return
        self._say(task, NetworkReady)
        self._after(0.5, lambda: None if task.removed else self._pull(task))

    def _pull(self, task: _Task) -> None:
        self._say(task, PullStarted)
        missing = next((c for c in task.spec.containers if not _exists(c["image"])), None)
        if missing is not None:
            self._after(PULL, lambda: self._pull_failed(task, missing))
        else:
            self._after(PULL, lambda: self._pulled(task))

    def _pull_failed(self, task: _Task, container: Mapping) -> None:
        if not task.removed:
            reason = (
                "CannotPullContainerError: pull image manifest has been retried 1 time(s): "
                f"failed to resolve ref {container['image']}: not found"
            )
            self._say(task, ContainerFailed, container=container["name"], reason=reason)

    def _pulled(self, task: _Task) -> None:
        if not task.removed:
            self._say(task, PullStopped)
            self._after(CREATE, lambda: None if task.removed else self._say(task, Created))

    def _started(self, task: _Task, name: str) -> None:
        if task.removed:
            return
        item = task.containers[name]
        item.run += 1
        item.running = True
        item.held = 0.0
        item.started_at = self._now
        item.cpu = _Cpu(_cores(task.spec, item.definition), self._now)
        item.probe = _probe(item.definition)
        behaviour = item.behaviour or Behaviour()
        item.ready_at = self._now + behaviour.start_delay
        if behaviour.write:
            why = simulated_files.refused(task.spec, item.definition, behaviour.write)
            item.print(f"ecslab app: cannot write {behaviour.write}: {why}" if why else f"ecslab app: wrote {behaviour.write}")
            behaviour = replace(behaviour, exit_after=0.0, exit_code=1) if why else behaviour
        if behaviour.complaint:
            item.print(behaviour.complaint)
        elif item.behaviour is not None and behaviour.exit_after != 0.0:
            item.print(_greeting(item, behaviour))
        self._say(
            task,
            Started,
            container=name,
            runtime_id=item.runtime_id,
            runtime_name=f"ecs-{task.spec.family}-{task.spec.revision}-{name}-{hashlib.sha256(item.runtime_id.encode()).hexdigest()[:18]}",
            image_digest="sha256:" + hashlib.sha256(item.definition["image"].encode()).hexdigest(),
            network_bindings=self._bind(task, item),
        )
        run = item.run
        if behaviour.exit_after is not None:
            self._after(behaviour.exit_after, lambda: self._exit(task, name, run, behaviour.exit_code))
        limit = _memory_limit(task.spec, item.definition)
        if behaviour.leak > 0 and limit is not None:
            seconds = max(0.0, (limit - IDLE_MEMORY) / (behaviour.leak * 2**20))
            self._after(seconds, lambda: self._exit(task, name, run, 137, oom=True))
        check = item.definition.get("healthCheck")
        if check and list(check["command"]) != ["NONE"]:
            interval = check.get("interval", health.DEFAULT_INTERVAL)
            self._after(interval, lambda: self._probe(task, name, run, interval))

    def _probe(self, task: _Task, name: str, run: int, interval: float) -> None:
        item = task.containers[name]
        if task.removed or not item.running or item.run != run:
            return
        before = item.probe
        item.probe = before.after(self._passes(item), self._now - item.started_at)
        if item.probe.status != before.status:
            self._say(task, Health, container=name, status=item.probe.status)
        self._after(interval, lambda: self._probe(task, name, run, interval))

    def _passes(self, item: _Container) -> bool:
        words = " ".join(item.definition["healthCheck"]["command"]).split()
        if words[-1] == "false" or words[-2:-1] == ["exit"]:
            return words[-1] == "0"
        behaviour = item.behaviour or Behaviour()
        if self._now < item.ready_at:
            return False
        return behaviour.unhealthy_after is None or self._now - item.started_at < behaviour.unhealthy_after

    def _exit(self, task: _Task, name: str, run: int, code: int, oom: bool = False) -> None:
        item = task.containers[name]
        if task.removed or not item.running or item.run != run:
            return
        item.running = False
        if item.heard:
            item.heard([], True)
        self._release(task, name)
        self._say(task, Exited, container=name, exit_code=code, oom_killed=oom)

    def _removed(self, task_id: str, task: _Task | None) -> None:
        if task is not None:
            task.removed = True
            for name in task.containers:
                self._release(task, name)
        self._observe(Removed(task_id, at=self._now))

    # Ports and memory ------------------------------------------------------

    def _bind(self, task: _Task, item: _Container) -> tuple[Mapping, ...]:
        mode = task.spec.network_mode
        if mode not in ("bridge", "host"):
            return ()
        used = self._ports.setdefault(task.spec.instance.id if task.spec.instance else "", set())
        bindings = []
        for mapping in item.definition.get("portMappings", ()):
            port = mapping["containerPort"] if mode == "host" else mapping.get("hostPort") or 0
            if not port:
                port = next(p for p in itertools.count(FIRST_DYNAMIC_PORT) if p not in used)
            used.add(port)
            bindings.append(
                {
                    "bindIP": "0.0.0.0",
                    "containerPort": mapping["containerPort"],
                    "hostPort": port,
                    "protocol": mapping.get("protocol", "tcp"),
                }
            )
        item_ports = self._ports.setdefault(f"{task.spec.task_id}/{item.definition['name']}", set())
        item_ports.update(b["hostPort"] for b in bindings)
        return tuple(bindings)

    def _release(self, task: _Task, name: str) -> None:
        mine = self._ports.pop(f"{task.spec.task_id}/{name}", set())
        self._ports.get(task.spec.instance.id if task.spec.instance else "", set()).difference_update(mine)

    def _memory(self, item: _Container) -> int:
        leak = item.behaviour.leak if item.behaviour else 0.0
        return int(IDLE_MEMORY + item.held + leak * 2**20 * (self._now - (item.started_at or self._now)))


def _behaviour(definition: Mapping) -> Behaviour | None:
    """The declared behaviour of a lab app container; None for anything else."""
    if definition["image"] not in IMAGES or definition.get("entryPoint"):
        return None
    try:
        return parse(definition.get("command") or ())
    except ValueError as error:
        return Behaviour(exit_after=0.0, exit_code=2, complaint=f"ecslab app: {error}")


def _greeting(item: _Container, behaviour: Behaviour) -> str:
    version = f"{item.definition['image'].rpartition(':')[2]} {behaviour.version_text}".strip()
    return f"ecslab app {version} listening on port {behaviour.port}"


def _exists(image: str) -> bool:
    """An image of the lab, or one that is taken to be in a public registry. No private registry has any here, as on Docker."""
    return image in IMAGES or not (image.startswith("ecslab/") or ".dkr.ecr." in image.partition("/")[0])


def _runtime_id(spec: TaskSpec, definition: Mapping) -> str:
    number = int(hashlib.sha256(f"{spec.task_id}/{definition['name']}".encode()).hexdigest(), 16) % 10**10
    return f"{spec.task_id}-{number:010d}"


def _probe(definition: Mapping) -> health.Probe:
    check = definition.get("healthCheck") or {}
    return health.Probe(
        retries=check.get("retries", health.DEFAULT_RETRIES),
        start_period=check.get("startPeriod") or health.DEFAULT_START_PERIOD,
    )


def _cores(spec: TaskSpec, definition: Mapping) -> float:
    """The CPUs the container may use at most: its task's; on an instance without a task size, as many as there are."""
    return spec.cpu / 1024 if spec.cpu else inf


def _memory_limit(spec: TaskSpec, definition: Mapping) -> float | None:
    """The smaller of the container's hard limit and the task's, in bytes."""
    limits = [m for m in (definition.get("memory"), spec.memory) if m]
    return min(limits) * 2**20 if limits else None
