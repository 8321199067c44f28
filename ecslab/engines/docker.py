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
import uuid
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping

from ..rules.container_order import start_order
from . import docker_cgroups, docker_leftovers, docker_networks, docker_safety, docker_settings, docker_stats, images
from .base import (
    ContainerFailed,
    Created,
    Exited,
    Health,
    Instance,
    Network,
    NetworkReady,
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
from .docker_daemon import available, connect, publishes_ports
from .docker_settings import Home

__all__ = ["DockerEngine", "available"]

WORKERS = 64
LONGEST_STEP = 300.0  # seconds any job waits for another
RECONNECT_AFTER = 0.2  # seconds, when Docker's event stream broke
KILLED = 137  # exit code of a container that SIGKILL ended
KEPT_LINES = 1000  # of each container, after it is removed
KEPT_TASKS = 500
PAUSE = "~internal~ecs~pause"  # what ECS calls the container that owns a task's network
HOSTLESS = Instance("local", None)


class _Failed(Exception):
    """Why a step of a task went wrong, in ECS's words; of one container, or of the whole task."""

    def __init__(self, reason: str, container: str | None = None):
        super().__init__(reason)
        self.container = container


class _Container:
    """One container of a task. `state` changes under the task's lock."""

    def __init__(self, definition: Mapping):
        self.definition = definition
        self.id = ""
        self.state = "CREATED"  # STARTING, RUNNING, STOPPED
        self.starting: Future | None = None
        self.exited_early: int | None = None  # exit code of one that was faster than the report of its start
        self.killer: threading.Timer | None = None
        self.killed = False  # by us, because it did not stop in time
        self.oom = False
        self.health = ""


class _Task:
    def __init__(self, spec: TaskSpec):
        self.spec = spec
        self.containers = {c["name"]: _Container(c) for c in spec.containers}
        self.pause = ""
        self.group: str | None = None
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
        self._shared: dict[Any, Future] = {}  # what is made once: networks, instances, images
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._docker = connect(connections=2 * WORKERS)
        self._stats = docker_stats.Listeners(self._docker)
        self._jobs = ThreadPoolExecutor(WORKERS, "ecslab-docker-job")
        self._calls = ThreadPoolExecutor(WORKERS, "ecslab-docker-call")
        self._events = self._subscribe()
        self._listener = threading.Thread(target=self._listen, name="ecslab-docker-events", daemon=True)
        self._listener.start()
        self._begin("sweep", docker_leftovers.sweep, self._docker)
        self._begin("images", images.ensure_app_images, self._docker)

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
        self._calls.submit(docker_leftovers.remove, self._docker.kill, item.id)

    def remove(self, task_id: str) -> None:
        task = self._tasks.get(task_id)
        if task is None:
            self._observe(Removed(task_id))
            return
        task.removed = True
        self._jobs.submit(self._attempt, task, self._remove)

    def free_cidr(self, candidates: list[str]) -> str:
        self._once("sweep", docker_leftovers.sweep, self._docker)
        return docker_networks.free_cidr(self._docker, candidates)

    def logs(self, task_id: str, container: str, tail: int = 100) -> list[str]:
        if task_id in self._kept_logs:
            return self._kept_logs[task_id].get(container, [])[-tail:]
        task = self._tasks.get(task_id)
        return self._read_logs(task.containers[container], tail) if task else []

    def usage(self, task_id: str) -> dict[str, Usage]:
        task = self._tasks.get(task_id)
        running = [(n, c) for n, c in task.containers.items() if c.state == "RUNNING"] if task else []
        found = {n: docker_cgroups.usage(c.id, task.group) or self._stats.usage(c.id) for n, c in running}
        return {name: Usage(counted[0] * self._speed, counted[1]) for name, counted in found.items() if counted}

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
        except _Failed as failure:
            if failure.container is None:
                self._say(task, TaskFailed, reason=str(failure))
            else:
                self._say(task, ContainerFailed, container=failure.container, reason=str(failure))
        except Exception as error:
            self._say(task, TaskFailed, reason=f"ResourceInitializationError: {_words(error)}")

    def _say(self, task: _Task, kind: type[Observation], **facts) -> None:
        if not self._closing.is_set() and (kind is Removed or not task.removed):
            self._observe(kind(task.spec.task_id, **facts))

    def _begin(self, key: Any, make: Callable, *arguments) -> Future:
        """Start making something that all tasks share, unless somebody did."""
        with self._lock:
            if key not in self._shared:
                self._shared[key] = self._calls.submit(make, *arguments)
            return self._shared[key]

    def _once(self, key: Any, make: Callable, *arguments) -> Any:
        """What `make` returns, made once. A failure is not kept: the next task tries again."""
        future = self._begin(key, make, *arguments)
        try:
            return future.result(LONGEST_STEP)
        except Exception:
            with self._lock:
                if self._shared.get(key) is future:
                    del self._shared[key]
            raise

    # Preparing a task -------------------------------------------------------

    def _prepare(self, task: _Task) -> None:
        refused = None if self._allow_unsafe else docker_safety.refused(task.spec, self._lab_folder)
        if refused:
            raise _Failed(refused[1], refused[0])
        home, ready = self._home(task)
        absent = self._absent_images(task)
        # What is here already is created while the pause container starts.
        creating = None if absent else self._calls.submit(self._create_containers, task, home)
        with _named("CannotStartContainerError"):
            ready.result(LONGEST_STEP)
        self._say(task, NetworkReady, published=self._published(task))
        self._say(task, PullStarted)
        for definition in absent:
            why = images.get(self._docker, definition["image"], lambda: task.removed or self._closing.is_set())
            if why is not None:
                raise _Failed(f"CannotPullContainerError: {why}", definition["name"])
        self._say(task, PullStopped)
        if creating is None:
            self._create_containers(task, home)
        else:
            creating.result(LONGEST_STEP)
        self._say(task, Created)

    def _home(self, task: _Task) -> tuple[Home, Future]:
        """Where the task's containers will live, and when that is there."""
        spec = task.spec
        task.group = self._group(spec)
        host = ""
        if spec.network_mode == "host" or "host" in (spec.pid_mode, spec.ipc_mode):
            host = "container:" + self._instance(spec.instance or HOSTLESS)
        if spec.network_mode == "awsvpc" or "task" in (spec.pid_mode, spec.ipc_mode):
            self._create_pause(task)
            ready = self._calls.submit(self._docker.start, task.pause)
        else:
            ready = Future()
            ready.set_result(None)
        pause = f"container:{task.pause}"
        namespaces = {"task": pause, "host": host}
        home = Home(
            network_mode={"awsvpc": pause, "host": host}.get(spec.network_mode, spec.network_mode),
            pid_mode=namespaces.get(spec.pid_mode),
            ipc_mode=namespaces.get(spec.ipc_mode, spec.ipc_mode),
            group=task.group,
        )
        return home, ready

    def _group(self, spec: TaskSpec) -> str | None:
        """A control group for the whole task, where it makes a difference and can be made."""
        if len(spec.containers) > 1 and (spec.cpu or spec.memory) and docker_cgroups.can_group():
            return docker_cgroups.make_group(self._region_id, spec.task_id, spec.cpu, spec.memory)
        return None

    def _create_pause(self, task: _Task) -> None:
        spec = task.spec
        labels = {**self._task_labels(spec), "com.amazonaws.ecs.container-name": PAUSE}
        name = _container_name(spec, "internalecspause")
        if spec.network_mode != "awsvpc":
            task.pause = self._create_holder(name, labels, "none", None, init=spec.pid_mode == "task")
            return
        controls = docker_settings.system_controls(spec.containers, of_network=True)
        ports = docker_settings.published_ports(spec.containers) if publishes_ports() else {}
        task.pause = self._create_holder(
            name,
            labels,
            self._vpc_network(spec.network),
            spec.network,
            hostname=_private_dns_name(spec.network.private_ip, spec.task_arn),
            sysctls=controls or None,
            port_bindings=ports or None,
            init=spec.pid_mode == "task",
        )
        self._owners[task.pause] = (task, PAUSE)

    def _create_holder(
        self, name: str, labels: Mapping, network_name: str, network: Network | None, hostname: str | None = None, **host
    ) -> str:
        """The id of a new container that does nothing but own namespaces for others."""
        self._once("images", images.ensure_app_images, self._docker)
        api = self._docker
        endpoint = None
        if network is not None:
            endpoint = api.create_networking_config({network_name: api.create_endpoint_config(ipv4_address=network.private_ip)})
        ports = host.get("port_bindings") or {}
        with _named("CannotCreateContainerError"):
            return api.create_container(
                images.PAUSE,
                name=name,
                labels=dict(labels),
                hostname=hostname,
                mac_address=network.mac if network else None,
                ports=[tuple(port.split("/")) for port in ports] or None,
                networking_config=endpoint,
                host_config=api.create_host_config(network_mode=network_name, ipc_mode="shareable", **host),
            )["Id"]

    def _vpc_network(self, network: Network) -> str:
        """The name of the Docker network that is this VPC."""
        name = f"ecslab-{self._region_id}-{network.vpc_id}"
        self._once("sweep", docker_leftovers.sweep, self._docker)
        key = ("network", network.vpc_id)
        self._once(key, docker_networks.create, self._docker, name, network.vpc_id, network.vpc_cidr, self._labels)
        return name

    def _instance(self, instance: Instance) -> str:
        """The id of the container that is the "host" of a container instance."""
        network = self._vpc_network(instance.network) if instance.network else "bridge"
        return self._once(("instance", instance.id), self._start_instance, instance, network)

    def _start_instance(self, instance: Instance, network: str) -> str:
        labels = {**self._labels, "ecslab.container-instance": instance.id}
        holder = self._create_holder(f"ecs-instance-{_unique()}", labels, network, instance.network, init=True)
        self._docker.start(holder)
        return holder

    def _published(self, task: _Task) -> dict[int, int]:
        if not publishes_ports() or task.spec.network_mode != "awsvpc":
            return {}
        ports = self._docker.inspect_container(task.pause)["NetworkSettings"]["Ports"] or {}
        return {int(port.split("/")[0]): int(where[0]["HostPort"]) for port, where in ports.items() if where}

    def _absent_images(self, task: _Task) -> list[Mapping]:
        """The containers whose image is not on this machine. One that is here is used as it is."""
        if any(c["image"].startswith("ecslab/") for c in task.spec.containers):
            self._once("images", images.ensure_app_images, self._docker)
        return [c for c in task.spec.containers if images.find(self._docker, c["image"]) is None]

    def _create_containers(self, task: _Task, home: Home) -> None:
        spec = task.spec
        sources = {volume["name"]: self._source(task, volume) for volume in spec.volumes}
        siblings: dict[str, str] = {}
        for name in start_order(spec.containers):
            if task.removed or self._closing.is_set():
                return
            item = task.containers[name]
            arguments, host = docker_settings.container_settings(
                spec, item.definition, home=home, siblings=siblings, sources=sources, speed=self._speed
            )
            labels = {
                **(item.definition.get("dockerLabels") or {}),
                **self._task_labels(spec),
                "com.amazonaws.ecs.container-name": name,
            }
            with _named("CannotCreateContainerError", name):
                item.id = siblings[name] = self._docker.create_container(
                    **arguments,
                    name=_container_name(spec, name),
                    labels=labels,
                    host_config=self._docker.create_host_config(**host),
                )["Id"]
            self._owners[item.id] = (task, name)

    def _source(self, task: _Task, volume: Mapping) -> str:
        """The folder or Docker volume behind a volume of the task; made if need be."""
        path = (volume.get("host") or {}).get("sourcePath")
        if path:
            folder = docker_safety.host_path(path, self._lab_folder)
            folder.mkdir(parents=True, exist_ok=True)
            return str(folder)
        settings = volume.get("dockerVolumeConfiguration") or {}
        shared = settings.get("scope") == "shared"
        name = "-".join(["ecslab", self._region_id, *([] if shared else [task.spec.task_id]), volume["name"]])
        if shared and not settings.get("autoprovision") and not self._has_volume(name):
            with _named("CannotInspectVolumeError"):
                return self._docker.inspect_volume(volume["name"])["Name"]
        with _named("CannotCreateVolumeError"):
            self._docker.create_volume(
                name,
                driver=settings.get("driver"),
                driver_opts=settings.get("driverOpts"),
                labels={**(settings.get("labels") or {}), **self._labels},
            )
        if not shared:
            task.volumes.append(name)
        return name

    def _has_volume(self, name: str) -> bool:
        return any(v["Name"] == name for v in self._docker.volumes(filters={"name": name})["Volumes"] or ())

    def _task_labels(self, spec: TaskSpec) -> dict[str, str]:
        return {
            **self._labels,
            "com.amazonaws.ecs.cluster": spec.cluster,
            "com.amazonaws.ecs.task-arn": spec.task_arn,
            "com.amazonaws.ecs.task-definition-family": spec.family,
            "com.amazonaws.ecs.task-definition-version": str(spec.revision),
        }

    # Starting, stopping, removing -------------------------------------------

    def _start(self, task: _Task, item: _Container) -> None:
        name = item.definition["name"]
        try:
            with _named("CannotStartContainerError", name):
                self._docker.start(item.id)
        except _Failed:
            item.state = "STOPPED"
            raise
        self._say(
            task,
            Started,
            container=name,
            runtime_id=item.id,
            image_digest=self._once(("digest", item.definition["image"]), self._digest, item.definition["image"]),
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
        docker_leftovers.remove(self._docker.kill, item.id, signal)

    def _lose_patience(self, item: _Container) -> None:
        if item.state == "RUNNING" and not self._closing.is_set():
            item.killed = True
            docker_leftovers.remove(self._docker.kill, item.id)

    def _remove(self, task: _Task) -> None:
        wait(list(task.jobs), LONGEST_STEP)
        made = {name: item for name, item in task.containers.items() if item.id}
        reads = {name: self._calls.submit(self._read_logs, item, KEPT_LINES) for name, item in made.items()}
        kept = {name: read.result(LONGEST_STEP) for name, read in reads.items()}
        ids = [item.id for item in made.values()] + [task.pause] * bool(task.pause)
        remove = docker_leftovers.remove
        wait([self._calls.submit(remove, self._docker.remove_container, i, force=True, v=True) for i in ids], LONGEST_STEP)
        for volume in task.volumes:
            remove(self._docker.remove_volume, volume, force=True)
        if task.group:
            docker_cgroups.remove_group(self._region_id, task.spec.task_id)
        self._forget(task, ids, kept)
        self._say(task, Removed)

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
        oom = code == KILLED and not item.killed and (item.oom or self._was_oom(item))
        self._say(task, Exited, container=item.definition["name"], exit_code=code, oom_killed=oom)

    def _was_oom(self, item: _Container) -> bool:
        import docker

        try:
            return bool(self._docker.inspect_container(item.id)["State"]["OOMKilled"])
        except docker.errors.APIError:
            return False

    def _lose_network(self, task: _Task) -> None:
        """Somebody ended the pause container: without a network, its containers end too."""
        for item in task.containers.values():
            if item.id:
                self._calls.submit(docker_leftovers.remove, self._docker.kill, item.id)


@contextmanager
def _named(error_name: str, container: str | None = None) -> Iterator[None]:
    """Give what Docker answers, or that it does not, the name that ECS has for it."""
    import docker
    import requests

    try:
        yield
    except docker.errors.APIError as error:
        raise _Failed(f"{error_name}: Error response from daemon: {_words(error)}", container) from error
    except requests.exceptions.Timeout as error:
        raise _Failed(f"DockerTimeoutError: {_words(error)}", container) from error


def _words(error: Exception) -> str:
    return str(getattr(error, "explanation", None) or error).strip() or type(error).__name__


def _container_name(spec: TaskSpec, name: str) -> str:
    """As the ECS agent names containers: the task definition, the container, something unique."""
    return f"ecs-{spec.family}-{spec.revision}-{name}-{_unique()}"


def _unique() -> str:
    return uuid.uuid4().hex[:18]


def _private_dns_name(address: str, arn: str) -> str:
    region = arn.split(":")[3]
    return f"ip-{address.replace('.', '-')}." + ("ec2.internal" if region == "us-east-1" else f"{region}.compute.internal")
