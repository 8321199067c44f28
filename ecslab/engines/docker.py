"""The engine that really runs: every task as Docker containers.

Theory. One pause container per `awsvpc` task owns the task's network namespace,
with the address of its network interface; the task's containers join it and
share `localhost`. In `host` mode the "host" is the container instance: one pause
container per instance owns that namespace, so ports conflict there as they do on
EC2 and nothing listens on this machine's own interfaces. In `bridge` mode host
ports are published on 127.0.0.1.

No caller ever waits. Every call becomes a job; a job may wait for jobs of its
own task that were submitted before it, and for calls to Docker, which run in a
pool of their own and wait for nobody. Exits and health come from Docker's event
stream. Names of errors are those of the ECS agent.

Sources: Developer Guide, "Amazon ECS task networking options for EC2",
"Amazon ECS task lifecycle", "Stopped task error messages".
"""
from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence

from ..rules.container_order import start_order
from . import docker_cgroups, docker_exec, docker_filter, docker_home, docker_last_words, docker_leftovers, docker_logs, docker_networks, docker_resolver, docker_safety
from . import docker_settings, docker_stats, docker_volumes, images
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
    TaskFailed,
    TaskSpec,
    Usage,
)
from .docker_daemon import available, connect
from .docker_home import PAUSE
from .docker_settings import Home
from .docker_steps import LONGEST_STEP, Once, StepFailed, named, quietly, words

__all__ = ["DockerEngine", "available"]

WORKERS = 64
RECONNECT_AFTER = 0.2  # seconds, when Docker's event stream broke
KILLED = 137  # exit code of a container that SIGKILL ended
OOM_LOOKS, OOM_PAUSE = 4, 0.1  # on a busy machine Docker tells of the exit a moment before it tells why
KEPT_LINES = 1000  # of each container, after it is removed
KEPT_TASKS = 500


class _Container:
    """One container of a task. `state` changes under the task's lock."""

    def __init__(self, definition: Mapping):
        self.definition = definition
        self.id = ""
        self.name = ""
        self.state = "CREATED"  # STARTING, RUNNING, STOPPED
        self.starting: Future | None = None
        self.exited_early: int | None = None  # exit code of one that was faster than the report of its start
        self.killer: threading.Timer | None = None
        self.killed = False  # by us, because it did not stop in time
        self.oom = False
        self.health = ""
        self.heard: Heard | None = None  # who wants what it prints
        self.lines = 0  # of them handed over
        self.follower: threading.Thread | None = None


class _Task:
    def __init__(self, spec: TaskSpec):
        self.spec = spec
        self.containers = {c["name"]: _Container(c) for c in spec.containers}
        self.home = Home()
        self.firewall = spec.firewall  # the newest rule set
        self.filter = threading.Lock()  # held while one is loaded
        self.opened = False  # the pause container runs
        self.volumes: list[str] = []  # that end with the task
        self.jobs: list[Future] = []
        self.removed = False
        self.lock = threading.Lock()


class DockerEngine:
    name = "docker"

    def __init__(
        self,
        observe: Observe,
        *,
        region_id: str,
        speed: float = 1.0,
        lab_folder: Path | None = None,
        allow_unsafe: bool = False,
        records: docker_resolver.Records | None = None,
        open_endpoint: Callable[[object, str], int] | None = None,
        last_words: docker_last_words.LastWords | None = None,
    ):
        self._observe = observe
        self._region_id = region_id
        self._speed = speed
        self._lab_folder = (lab_folder or Path.cwd()).resolve()
        self._allow_unsafe = allow_unsafe
        self._labels = docker_leftovers.labels(region_id)
        self._tasks: dict[str, _Task] = {}
        self._kept_logs: OrderedDict[str, dict[str, list[str]]] = OrderedDict()
        self._owners: dict[str, tuple[_Task, str]] = {}  # Docker id -> task, container name
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._docker = connect(connections=2 * WORKERS)
        self._stats = docker_stats.Listeners(self._docker)
        self._jobs = ThreadPoolExecutor(WORKERS, "ecslab-docker-job")
        self._calls = ThreadPoolExecutor(WORKERS, "ecslab-docker-call")
        self._once = Once(self._calls)
        self._resolver = docker_resolver.Resolver(records) if records else None
        self._sweep = partial(docker_leftovers.sweep, self._docker, last_words)
        self._homes = docker_home.Homes(self._docker, self._once, region_id, self._labels, self._resolver, open_endpoint, sweep=self._sweep)
        self._events = self._subscribe()
        self._listener = threading.Thread(target=self._listen, name="ecslab-docker-events", daemon=True)
        self._listener.start()
        self._once.begin("sweep", self._sweep)
        self._once.begin("images", images.ensure_app_images, self._docker)

    # The protocol -----------------------------------------------------------

    def prepare(self, spec: TaskSpec) -> None:
        task = self._tasks[spec.task_id] = _Task(spec)
        self._job(task, self._prepare)

    def start(self, task_id: str, container: str) -> None:
        task = self._tasks[task_id]
        item = task.containers[container]
        with task.lock:
            item.state, item.exited_early, item.killed, item.oom, item.health = "STARTING", None, False, False, ""
        item.starting = self._job(task, self._start, item)

    def stop(self, task_id: str, container: str, timeout: float) -> None:
        task = self._tasks[task_id]
        self._job(task, self._stop, task.containers[container], timeout / self._speed)

    def kill(self, task_id: str, container: str) -> None:
        item = self._tasks[task_id].containers[container]
        self._calls.submit(quietly, self._docker.kill, item.id)

    def remove(self, task_id: str) -> None:
        task = self._tasks.get(task_id)
        if task is None:
            self._observe(Removed(task_id))
            return
        task.removed = True
        self._jobs.submit(self._attempt, task, self._remove)

    def free_cidr(self, candidates: list[str]) -> str:
        self._once.result("sweep", self._sweep)
        return docker_networks.free_cidr(self._docker, candidates)

    def logs(self, task_id: str, container: str, tail: int = 100) -> list[str]:
        if task_id in self._kept_logs:
            return self._kept_logs[task_id].get(container, [])[-tail:]
        task = self._tasks.get(task_id)
        return self._read_logs(task.containers[container], tail) if task else []

    def follow(self, task_id: str, container: str, heard: Heard) -> None:
        self._tasks[task_id].containers[container].heard = heard

    def execute(self, task_id: str, container: str, command: Sequence[str]) -> Executed:
        task = self._tasks.get(task_id)
        if task is None or not task.containers[container].id:
            raise NotExecuted(f"Container {container} has stopped.")
        return docker_exec.run(self._docker, task.containers[container].id, command)

    def image(self, source: str) -> tuple[str, int]:
        if source.startswith("ecslab/"):
            self._once.result("images", images.ensure_app_images, self._docker)
        found = images.find(self._docker, source)
        if found is None:
            raise ValueError(f"Docker has no image {source!r} here. `docker images` lists those it has.")
        return found["Id"], found["Size"]

    def usage(self, task_id: str) -> dict[str, Usage]:
        task = self._tasks.get(task_id)
        running = [(n, c) for n, c in task.containers.items() if c.state == "RUNNING"] if task else []
        found = {n: docker_cgroups.usage(c.id, task.home.group) or self._stats.usage(c.id) for n, c in running}
        return {name: Usage(counted[0] * self._speed, counted[1]) for name, counted in found.items() if counted}

    def stats(self, task_id: str) -> dict[str, dict[str, Any]]:
        task = self._tasks.get(task_id)
        running = {n: c.id for n, c in task.containers.items() if c.state == "RUNNING"} if task else {}
        return self._stats.whole(running, task.home.pause, self._speed) if running else {}

    def enforces(self) -> tuple[bool, str]:
        try:
            self._once.result("images", images.ensure_app_images, self._docker)
        except images.ImagesUnavailable as error:
            return False, str(error)
        return self._once.result("filter", docker_filter.enforces, self._docker)

    def protect(self, task_id: str, firewall: str) -> None:
        task = self._tasks.get(task_id)
        if task is None:
            return
        task.firewall = firewall
        if task.opened:
            self._calls.submit(quietly, self._filter, task)

    def _filter(self, task: _Task) -> None:
        """Load the newest rule set, whatever came meanwhile. A pause container begins with the one of its spec."""
        if self._once.result("tools", images.has_tools, self._docker):
            with task.filter:
                docker_filter.load(self._docker, task.home.pause, task.firewall)

    def next_due(self) -> float | None:
        return None

    def advance(self, now: float) -> None:
        """Time moves by itself on Docker."""

    def close(self) -> None:
        with self._lock:
            if self._closing.is_set():
                return
            self._closing.set()
        for task in list(self._tasks.values()):
            for item in task.containers.values():
                if item.killer:
                    item.killer.cancel()
        for pool in (self._jobs, self._calls):
            pool.shutdown(wait=True, cancel_futures=True)  # what runs now is bounded by Docker's own time limit
        if self._resolver is not None:
            self._resolver.close()
        docker_leftovers.clear(self._docker, self._region_id)
        self._events.close()
        self._listener.join(timeout=5)
        self._docker.close()

    # Jobs -------------------------------------------------------------------

    def _job(self, task: _Task, work: Callable, *arguments) -> Future:
        future = self._jobs.submit(self._attempt, task, work, *arguments)
        task.jobs.append(future)
        return future

    def _attempt(self, task: _Task, work: Callable, *arguments) -> None:
        """Do one step; whatever goes wrong becomes an observation, so that no task waits for ever."""
        try:
            work(task, *arguments)
        except StepFailed as failure:
            if failure.container is None:
                self._say(task, TaskFailed, reason=str(failure))
            else:
                self._say(task, ContainerFailed, container=failure.container, reason=str(failure))
        except Exception as error:
            self._say(task, TaskFailed, reason=f"ResourceInitializationError: {words(error)}")

    def _say(self, task: _Task, kind: type[Observation], **facts) -> None:
        if not self._closing.is_set() and (kind is Removed or not task.removed):
            self._observe(kind(task.spec.task_id, **facts))

    # Preparing a task -------------------------------------------------------

    def _prepare(self, task: _Task) -> None:
        refused = None if self._allow_unsafe else docker_safety.refused(task.spec, self._lab_folder)
        if refused:
            raise StepFailed(refused[1], refused[0])
        task.home = self._homes.find(task.spec)
        if task.home.pause:
            self._owners[task.home.pause] = (task, PAUSE)
        absent = self._absent_images(task)
        # What is here already is created while the pause container starts.
        early = [] if absent else [self._calls.submit(self._create_containers, task)]
        try:
            published = self._homes.open(task.home)
            task.opened = task.home.pause is not None
            if task.firewall != task.spec.firewall:  # a change that came while there was nothing to load it into
                self._filter(task)
            self._say(task, NetworkReady, published=published)
            self._say(task, PullStarted)
            self._pull(task, absent)
            self._say(task, PullStopped)
            if absent:
                self._create_containers(task)
        finally:
            wait(early, LONGEST_STEP)  # whatever went wrong: nothing is made behind the back of `remove`
        for created in early:
            created.result()
        self._say(task, Created)

    def _pull(self, task: _Task, absent: list[Mapping]) -> None:
        for definition in absent:
            why = images.get(self._docker, definition["image"], lambda: task.removed or self._closing.is_set())
            if why is not None:
                raise StepFailed(f"CannotPullContainerError: {why}", definition["name"])

    def _absent_images(self, task: _Task) -> list[Mapping]:
        """The containers whose image is not on this machine. One that is here is used as it is."""
        if any(c["image"].startswith("ecslab/") for c in task.spec.containers):
            self._once.result("images", images.ensure_app_images, self._docker)
        return [c for c in task.spec.containers if images.find(self._docker, c["image"]) is None]

    def _create_containers(self, task: _Task) -> None:
        spec = task.spec
        sources = {volume["name"]: self._source(task, volume) for volume in spec.volumes}
        siblings: dict[str, str] = {}
        for name in start_order(spec.containers):
            if task.removed or self._closing.is_set():
                return
            item = task.containers[name]
            arguments, host = docker_settings.container_settings(
                spec, item.definition, home=task.home, siblings=siblings, sources=sources, speed=self._speed
            )
            labels = {
                **(item.definition.get("dockerLabels") or {}),
                **docker_home.labels(spec, self._labels),
                "com.amazonaws.ecs.container-name": name,
            }
            with named("CannotCreateContainerError", name):
                item.name = docker_home.container_name(spec, name)
                item.id = siblings[name] = self._docker.create_container(
                    **arguments,
                    name=item.name,
                    labels=labels,
                    host_config=self._docker.create_host_config(**host),
                )["Id"]
            self._owners[item.id] = (task, name)

    def _source(self, task: _Task, volume: Mapping) -> str:
        """The folder or Docker volume behind a volume of the task; made if need be."""
        folder = docker_volumes.folder(volume, self._lab_folder)
        if folder is not None:
            return str(folder)
        try:
            name, ends_with_task = docker_volumes.name(volume, self._region_id, task.spec.task_id)
            with named("CannotCreateVolumeError"):
                found = docker_volumes.ensure(self._docker, volume, name, self._labels, self._allow_unsafe)
        except docker_volumes.NotBuilt as error:
            raise StepFailed(f"CannotCreateVolumeError: {error}") from error
        if ends_with_task:
            task.volumes.append(found)
        return found

    # Starting, stopping, removing -------------------------------------------

    def _start(self, task: _Task, item: _Container) -> None:
        name = item.definition["name"]
        try:
            with named("CannotStartContainerError", name):
                self._docker.start(item.id)
        except StepFailed:
            item.state = "STOPPED"
            raise
        if item.heard:
            item.follower = docker_logs.follow(item)
        self._say(
            task,
            Started,
            container=name,
            runtime_id=item.id,
            runtime_name=item.name,
            image_digest=self._once.result(("digest", item.definition["image"]), self._digest, item.definition["image"]),
            network_bindings=self._network_bindings(task, item),
        )
        with task.lock:
            code = item.exited_early
            item.state = "RUNNING" if code is None else "STOPPED"
        if code is not None:
            self._report_exit(task, item, code)

    def _digest(self, image: str) -> str | None:
        found = images.find(self._docker, image) or {}
        repository_digests = found.get("RepoDigests") or [""]
        return repository_digests[0].partition("@")[2] or found.get("Id")

    def _network_bindings(self, task: _Task, item: _Container) -> tuple[Mapping, ...]:
        """ECS says 0.0.0.0, every address of the container instance. That is what is told, though here it is only 127.0.0.1."""
        mode, mappings = task.spec.network_mode, item.definition.get("portMappings") or ()
        if mode == "host":
            pairs = [(m["containerPort"], m["containerPort"], m.get("protocol", "tcp")) for m in mappings]
        elif mode == "bridge" and mappings:
            ports = self._docker.inspect_container(item.id)["NetworkSettings"]["Ports"] or {}
            split = [(port.split("/"), where[0]["HostPort"]) for port, where in ports.items() if where]
            pairs = sorted((int(port), int(host), protocol) for (port, protocol), host in split)
        else:
            return ()
        return tuple({"bindIP": "0.0.0.0", "containerPort": c, "hostPort": h, "protocol": p} for c, h, p in pairs)

    def _stop(self, task: _Task, item: _Container, seconds: float) -> None:
        if item.starting is None:
            return
        wait([item.starting], LONGEST_STEP)
        if item.state != "RUNNING":
            return
        item.killer = threading.Timer(seconds, self._lose_patience, (item,))
        item.killer.daemon = True
        item.killer.start()
        signal = self._docker.inspect_container(item.id)["Config"].get("StopSignal") or "SIGTERM"
        quietly(self._docker.kill, item.id, signal)

    def _lose_patience(self, item: _Container) -> None:
        if item.state == "RUNNING" and not self._closing.is_set():
            item.killed = True
            quietly(self._docker.kill, item.id)

    def _remove(self, task: _Task) -> None:
        wait(list(task.jobs), LONGEST_STEP)
        try:
            self._take_away(task)
        finally:
            self._say(task, Removed)  # what could not be taken away now goes when the region closes

    def _take_away(self, task: _Task) -> None:
        made = {name: item for name, item in task.containers.items() if item.id}
        reads = {name: self._calls.submit(self._read_logs, item, KEPT_LINES) for name, item in made.items()}
        kept = {name: read.result(LONGEST_STEP) for name, read in reads.items()}
        for item in made.values():
            if item.follower:
                item.follower.join(LONGEST_STEP)  # what was printed is handed over before the container goes
        ids = [*(item.id for item in made.values()), *filter(None, [task.home.pause])]
        wait([self._calls.submit(quietly, self._docker.remove_container, i, force=True, v=True) for i in ids], LONGEST_STEP)
        for volume in task.volumes:
            quietly(self._docker.remove_volume, volume, force=True)
        if task.home.group:
            docker_cgroups.remove_group(self._region_id, task.spec.task_id)
        self._forget(task, ids, kept)

    def _forget(self, task: _Task, ids: list[str], kept: dict[str, list[str]]) -> None:
        """Only what the containers printed is kept."""
        with self._lock:
            self._kept_logs[task.spec.task_id] = kept
            while len(self._kept_logs) > KEPT_TASKS:
                self._kept_logs.popitem(last=False)
            for container_id in ids:
                self._owners.pop(container_id, None)
            self._tasks.pop(task.spec.task_id, None)

    def _read_logs(self, item: _Container, tail: int) -> list[str]:
        import docker

        if not item.id:
            return []
        try:
            return self._docker.logs(item.id, tail=tail).decode(errors="replace").splitlines()
        except docker.errors.APIError:
            return []

    # What Docker says -------------------------------------------------------

    def _subscribe(self, since: int | None = None) -> Any:
        """Docker's events about this region; from a moment (in nanoseconds) on, or from now."""
        moment = f"{since // 10**9}.{since % 10**9:09d}" if since else None
        filters = {
            "type": "container",
            "label": f"{docker_leftovers.REGION}={self._region_id}",
            "event": ["die", "oom", "health_status"],
        }
        return connect(timeout=None).events(since=moment, decode=True, filters=filters)

    def _listen(self) -> None:
        last = None
        while not self._closing.is_set():
            try:
                for event in self._events:
                    last = event["timeNano"] + 1
                    self._heard(event)
            except Exception:
                pass  # the stream broke; what follows asks again
            if self._closing.wait(RECONNECT_AFTER):
                return
            try:
                self._events = self._subscribe(since=last)
            except Exception:
                continue  # the engine is away; it may come back

    def _heard(self, event: Mapping) -> None:
        task, name = self._owners.get(event["Actor"]["ID"], (None, ""))
        if task is None:
            return
        what, _, detail = event["Action"].partition(": ")
        if name == PAUSE:
            if what == "die" and not task.removed:
                self._lose_network(task)
            return
        item = task.containers[name]
        if what == "oom":
            item.oom = True
        elif what == "health_status":
            self._heard_health(task, item, detail.upper())
        elif what == "die":
            self._heard_exit(task, item, int(event["Actor"]["Attributes"].get("exitCode", 255)))

    def _heard_health(self, task: _Task, item: _Container, status: str) -> None:
        if item.state in ("STARTING", "RUNNING") and status in ("HEALTHY", "UNHEALTHY") and status != item.health:
            item.health = status
            self._say(task, Health, container=item.definition["name"], status=status)

    def _heard_exit(self, task: _Task, item: _Container, code: int) -> None:
        with task.lock:
            if item.state == "STARTING":
                item.exited_early = code
            if item.state != "RUNNING":
                return
            item.state = "STOPPED"
        if code == KILLED:  # why it was killed takes a question to Docker, which would hold up the stream
            self._job(task, self._report_exit, item, code)
        else:
            self._report_exit(task, item, code)

    def _report_exit(self, task: _Task, item: _Container, code: int) -> None:
        if item.killer:
            item.killer.cancel()
        oom = code == KILLED and not item.killed and self._was_oom(item)
        self._say(task, Exited, container=item.definition["name"], exit_code=code, oom_killed=oom)

    def _was_oom(self, item: _Container) -> bool:
        import docker

        for _ in range(OOM_LOOKS):
            try:
                if item.oom or self._docker.inspect_container(item.id)["State"]["OOMKilled"]:
                    return True
            except docker.errors.APIError:
                return False
            if self._closing.wait(OOM_PAUSE):
                break
        return False

    def _lose_network(self, task: _Task) -> None:
        """Somebody ended the pause container: without a network, its containers end too."""
        for item in task.containers.values():
            if item.id:
                self._calls.submit(quietly, self._docker.kill, item.id)
