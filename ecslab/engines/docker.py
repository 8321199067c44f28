"""The engine that really runs: every task as Docker containers.

One pause container per `awsvpc` task owns the task's network namespace, with
the address of its network interface; the task's containers join it and share
`localhost`. In `host` mode the "host" is the container instance: one pause
container per instance owns that namespace, so ports conflict as they do on EC2
and nothing listens on this machine's own interfaces. Published ports are bound
to 127.0.0.1.

Work runs in a pool of threads, one queue per task, so that a caller never waits
and the steps of one task stay in order. Docker's event stream, not polling,
reports exits and health. Everything made here carries labels and is swept when
its owner is gone.
"""
from __future__ import annotations

import ipaddress
import os
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Callable, Mapping

from ..rules.task_definition import start_order
from . import images
from .base import (
    ContainerFailed,
    Created,
    Exited,
    Health,
    Instance,
    Network,
    NetworkReady,
    Observe,
    PullStarted,
    PullStopped,
    Removed,
    Started,
    TaskFailed,
    TaskSpec,
    Usage,
)
from .docker_settings import container_settings, refused

WORKERS = 32
REACHED_WITHIN = 2  # seconds to wait for an engine to answer
KEPT_LINES = 10_000
OWNER, PROCESS = "ecslab.region", "ecslab.process"
MINIMUM_CHECK_SECONDS = 0.2  # Docker runs a health check at most this often for us


def available() -> tuple[bool, str]:
    """(does a Docker engine answer?, its version or why not)."""
    try:
        import docker

        api = docker.APIClient(**_connection(), timeout=REACHED_WITHIN)
        version = api.version()
        return True, f"Docker {version['Version']}"
    except Exception as error:  # whatever is wrong with an engine, the labs run simulated
        return False, _plain(error)


def _plain(error: Exception) -> str:
    text = str(error)
    if "FileNotFoundError" in text or "No such file" in text:
        return "no Docker engine is running here"
    if "PermissionError" in text or "Permission denied" in text:
        return "a Docker engine is here, but this user may not use it"
    return text.splitlines()[0] if text else type(error).__name__


def _connection() -> dict:
    from docker.utils import kwargs_from_env

    return kwargs_from_env()


def _process_id() -> str:
    """This process, so that another with the same number later is not mistaken for it."""
    try:
        started = Path(f"/proc/{os.getpid()}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        started = "0"
    return f"{os.getpid()}-{started}"


def _is_alive(process: str) -> bool:
    pid, _, started = process.partition("-")
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        return True
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19] == started
    except OSError:
        return True


class _Task:
    """What exists on Docker for one task."""

    def __init__(self, spec: TaskSpec):
        self.spec = spec
        self.pause: str | None = None
        self.ids: dict[str, str] = {}  # container name -> Docker id
        self.running: set[str] = set()
        self.health: dict[str, str] = {}
        self.oom: set[str] = set()
        self.volumes: list[str] = []
        self.lines: dict[str, list[str]] = {}
        self.removed = False
        self.preparing: Future | None = None
        self.lock = threading.Lock()
        self.announced: set[str] = set()  # containers whose start has been reported
        self.early: dict[str, int] = {}  # exit codes of those that exited before that


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
        import docker

        self._observe = observe
        self._region_id = region_id
        self._speed = speed
        self._lab_folder = (lab_folder or Path.cwd()).resolve()
        self._allow_unsafe = allow_unsafe
        self._docker = docker
        self._api = docker.APIClient(**_connection(), num_pools=2 * WORKERS + 4, timeout=120)
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="ecslab-docker")
        self._starters = ThreadPoolExecutor(WORKERS, thread_name_prefix="ecslab-docker-start")  # what a step waits for
        self._tasks: dict[str, _Task] = {}
        self._by_container: dict[str, tuple[_Task, str]] = {}
        self._networks: dict[str, str] = {}  # VPC -> Docker network
        self._instances: dict[str, str] = {}  # container instance -> pause container
        self._digests: dict[str, str] = {}
        self._lock = threading.Lock()
        self._closed = False
        self._events = None
        self._images = self._pool.submit(images.ensure_app_images, self._api)
        self._sweeping = self._pool.submit(sweep, self._api)
        self._listener = threading.Thread(target=self._listen, daemon=True, name="ecslab-docker-events")
        self._listener.start()

    # The protocol -----------------------------------------------------------

    def prepare(self, spec: TaskSpec) -> None:
        task = self._tasks[spec.task_id] = _Task(spec)
        task.preparing = self._pool.submit(self._guarded, task, self._prepare, task)

    def start(self, task_id: str, container: str) -> None:
        task = self._tasks[task_id]
        self._pool.submit(self._guarded, task, self._start, task, container)

    def stop(self, task_id: str, container: str, timeout: float) -> None:
        task = self._tasks[task_id]
        self._pool.submit(self._guarded, task, self._stop, task, container, timeout)

    def remove(self, task_id: str) -> None:
        task = self._tasks.get(task_id)
        if task is None:
            self._observe(Removed(task_id))
        else:
            self._pool.submit(self._remove, task)

    def kill(self, task_id: str, container: str) -> None:
        self._api.kill(self._tasks[task_id].ids[container])

    def logs(self, task_id: str, container: str, tail: int = 100) -> list[str]:
        task = self._tasks.get(task_id)
        if task is None:
            return []
        if container in task.lines:
            return task.lines[container][-tail:]
        if container not in task.ids:
            return []
        return self._read_logs(task.ids[container], tail)

    def usage(self, task_id: str) -> dict[str, Usage]:
        task = self._tasks.get(task_id)
        if task is None:
            return {}
        found = {name: _cgroup_usage(task.ids[name]) for name in task.running if name in task.ids}
        return {name: Usage(cpu * self._speed, memory) for name, (cpu, memory) in found.items()}

    def next_due(self) -> float | None:
        return None

    def advance(self, now: float) -> None:
        """Time moves by itself on Docker."""

    def close(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
        for pool in (self._pool, self._starters):
            pool.shutdown(wait=True, cancel_futures=True)
        _clear(self._api, f"{OWNER}={self._region_id}")
        if self._events is not None:
            self._events.close()
        self._listener.join(timeout=2)
        self._api.close()

    def free_cidr(self, candidates: list[str]) -> str:
        """The first of these address ranges that no Docker network here uses."""
        used = [
            ipaddress.ip_network(config["Subnet"])
            for network in self._api.networks()
            for config in (network["IPAM"].get("Config") or ())
            if config.get("Subnet")
        ]
        for candidate in candidates:
            wanted = ipaddress.ip_network(candidate)
            if not any(wanted.version == u.version and wanted.overlaps(u) for u in used):
                return candidate
        return candidates[0]

    # Making a task ----------------------------------------------------------

    def _guarded(self, task: _Task, work: Callable, *arguments) -> None:
        """Run a step; what nobody foresaw fails the task instead of passing silently."""
        if self._closed or task.removed:
            return
        try:
            work(*arguments)
        except Exception as error:
            self._observe(TaskFailed(task.spec.task_id, reason=f"ResourceInitializationError: {_words(error)}"))

    def _prepare(self, task: _Task) -> None:
        spec = task.spec
        unsafe = refused(spec, self._lab_folder, self._allow_unsafe)
        if unsafe:
            name, reason = unsafe
            self._observe(ContainerFailed(spec.task_id, container=name, reason=reason))
            return
        ready = self._begin_network(task)
        if ready is None:
            return
        absent = self._absent_images(task)
        if absent:  # a pull takes its time, so say first how far the task is
            self._network_is_ready(task, ready)
            if not self._pull(task, absent):
                return
        created = self._create_all(task)
        if not absent:
            self._network_is_ready(task, ready)
        if created:
            self._observe(PullStopped(spec.task_id))
            self._observe(Created(spec.task_id))

    def _begin_network(self, task: _Task) -> Future | None:
        """Start what owns the task's network, without waiting for it. None when there can be no network."""
        mode = task.spec.network_mode
        if mode == "awsvpc":
            return self._starters.submit(self._api.start, task.pause) if self._make_network(task) else None
        return self._starters.submit(self._instance_pause, task.spec.instance) if mode == "host" else _done()

    def _network_is_ready(self, task: _Task, ready: Future) -> None:
        ready.result(timeout=60)
        self._observe(NetworkReady(task.spec.task_id, published=self._published(task)))
        self._observe(PullStarted(task.spec.task_id))

    def _make_network(self, task: _Task) -> bool:
        """The pause container that owns the task's network, created but not started."""
        spec = task.spec
        self._images.result(timeout=300)
        try:
            network = self._vpc_network(spec.network)
        except self._docker.errors.APIError as error:
            self._observe(TaskFailed(spec.task_id, reason=_network_trouble(spec.network, error)))
            return False
        api = self._api
        ports = {} if sys.platform == "linux" else {f"{port}/tcp": ("127.0.0.1", None) for port in _ports(spec)}
        created = api.create_container(
            images.PAUSE,
            labels={**self._labels(spec), "com.amazonaws.ecs.container-name": "~internal~ecs~pause"},
            ports=[tuple(port.split("/")) for port in ports] or None,
            host_config=api.create_host_config(port_bindings=ports or None, network_mode=network, cap_drop=["ALL"], cap_add=["KILL"]),
            networking_config=api.create_networking_config(
                {network: api.create_endpoint_config(ipv4_address=spec.network.private_ip, aliases=None)}
            ),
        )
        task.pause = created["Id"]
        return True

    def _vpc_network(self, network: Network) -> str:
        with self._lock:
            if network.vpc_id not in self._networks:
                self._sweeping.result(timeout=60)
                gateway = str(next(ipaddress.ip_network(network.vpc_cidr).hosts()))
                pool = self._docker.types.IPAMPool(subnet=network.vpc_cidr, gateway=gateway)
                made = self._api.create_network(
                    f"ecslab-{self._region_id}-{network.vpc_id}",
                    driver="bridge",
                    ipam=self._docker.types.IPAMConfig(pool_configs=[pool]),
                    labels=self._own_labels(),
                )
                self._networks[network.vpc_id] = made["Id"]
            return self._networks[network.vpc_id]

    def _instance_pause(self, instance: Instance) -> str:
        """The pause container that is the "host" of a container instance."""
        self._images.result(timeout=300)
        with self._lock:
            found = self._instances.get(instance.id)
        if found:
            return found
        network = self._vpc_network(instance.network) if instance.network else "bridge"
        with self._lock:
            if instance.id in self._instances:
                return self._instances[instance.id]
            api = self._api
            endpoint = None
            if instance.network:
                endpoint = api.create_networking_config(
                    {network: api.create_endpoint_config(ipv4_address=instance.network.private_ip)}
                )
            created = api.create_container(
                images.PAUSE,
                labels={**self._own_labels(), "ecslab.instance": instance.id},
                host_config=api.create_host_config(network_mode=network),
                networking_config=endpoint,
            )
            api.start(created["Id"])
            self._instances[instance.id] = created["Id"]
            return created["Id"]

    def _absent_images(self, task: _Task) -> list[Mapping]:
        """The containers whose image is not on this machine. Cached images are used as they are."""
        if any(c["image"].startswith("ecslab/") for c in task.spec.containers):
            self._images.result(timeout=300)
        return [c for c in task.spec.containers if not self._api.images(name=c["image"])]

    def _pull(self, task: _Task, absent: list[Mapping]) -> bool:
        for definition in absent:
            try:
                self._pull_image(definition["image"])
            except (self._docker.errors.APIError, images.ImagesUnavailable) as error:
                reason = (
                    "CannotPullContainerError: pull image manifest has been retried 1 time(s): "
                    f"failed to resolve ref {definition['image']}: {_words(error)}"
                )
                self._observe(ContainerFailed(task.spec.task_id, container=definition["name"], reason=reason))
                return False
        return True

    def _pull_image(self, image: str) -> None:
        if image.startswith("ecslab/"):
            raise images.ImagesUnavailable("not found")  # the lab's images are made here and live nowhere else
        repository, tag = image, None
        if "@" not in image:
            name, colon, tag = image.rpartition(":")
            repository, tag = (name, tag) if colon and "/" not in tag else (image, "latest")
        self._api.pull(repository, tag=tag)
        self._api.inspect_image(image)

    def _create_all(self, task: _Task) -> bool:
        spec = task.spec
        by_name = {c["name"]: c for c in spec.containers}
        self._make_volumes(task)
        for name in start_order(spec.containers):
            if task.removed:
                return False
            try:
                task.ids[name] = self._create(task, by_name[name])
            except self._docker.errors.APIError as error:
                reason = f"CannotCreateContainerError: Error response from daemon: {_words(error)}"
                self._observe(ContainerFailed(spec.task_id, container=name, reason=reason))
                return False
            self._by_container[task.ids[name]] = (task, name)
        return True

    def _make_volumes(self, task: _Task) -> None:
        for volume in task.spec.volumes:
            if (volume.get("host") or {}).get("sourcePath"):
                continue
            docker_volume = volume.get("dockerVolumeConfiguration") or {}
            labels = {**self._own_labels(), **(docker_volume.get("labels") or {})}
            self._api.create_volume(
                self.volume_name(task.spec, volume),
                driver=docker_volume.get("driver"),
                driver_opts=docker_volume.get("driverOpts"),
                labels=labels,
            )
            if docker_volume.get("scope") != "shared":
                task.volumes.append(self.volume_name(task.spec, volume))

    def volume_name(self, spec: TaskSpec, volume: Mapping) -> str:
        if (volume.get("dockerVolumeConfiguration") or {}).get("scope") == "shared":
            return f"ecslab-{self._region_id}-{volume['name']}"
        return f"ecslab-{spec.task_id}-{volume['name']}"

    def _create(self, task: _Task, definition: Mapping) -> str:
        spec = task.spec
        namespace = {
            "awsvpc": lambda: f"container:{task.pause}",
            "host": lambda: f"container:{self._instance_pause(spec.instance)}",
            "bridge": lambda: "bridge",
            "none": lambda: "none",
        }[spec.network_mode]()
        labels = {
            **self._labels(spec),
            "com.amazonaws.ecs.container-name": definition["name"],
            **(definition.get("dockerLabels") or {}),
        }
        settings, host = container_settings(
            spec,
            definition,
            network_mode=namespace,
            siblings=task.ids,
            volume_name=lambda volume: self.volume_name(spec, volume),
            speed=self._speed,
            minimum_check=MINIMUM_CHECK_SECONDS,
        )
        created = self._api.create_container(**settings, labels=labels, host_config=self._api.create_host_config(**host))
        return created["Id"]

    def _labels(self, spec: TaskSpec) -> dict[str, str]:
        return {
            **self._own_labels(),
            "com.amazonaws.ecs.cluster": spec.cluster,
            "com.amazonaws.ecs.task-arn": spec.task_arn,
            "com.amazonaws.ecs.task-definition-family": spec.family,
            "com.amazonaws.ecs.task-definition-version": str(spec.revision),
        }

    def _own_labels(self) -> dict[str, str]:
        return {OWNER: self._region_id, PROCESS: _process_id()}

    def _published(self, task: _Task) -> dict[int, int]:
        if task.pause is None or sys.platform == "linux":
            return {}
        found = self._api.inspect_container(task.pause)["NetworkSettings"]["Ports"] or {}
        return {int(port.split("/")[0]): int(where[0]["HostPort"]) for port, where in found.items() if where}

    # Starting, stopping, removing -------------------------------------------

    def _start(self, task: _Task, name: str) -> None:
        container = task.ids[name]
        definition = next(c for c in task.spec.containers if c["name"] == name)
        with task.lock:
            task.running.add(name)
            task.announced.discard(name)
            task.oom.discard(name)
            task.health.pop(name, None)
        try:
            self._api.start(container)
        except self._docker.errors.APIError as error:
            task.running.discard(name)
            reason = f"CannotStartContainerError: Error response from daemon: {_words(error)}"
            self._observe(ContainerFailed(task.spec.task_id, container=name, reason=reason))
            return
        started = Started(
            task.spec.task_id,
            container=name,
            runtime_id=container,
            image_digest=self._digest(definition["image"]),
            network_bindings=self._bindings(task, container, definition),
        )
        self._announce(task, name, started)

    def _bindings(self, task: _Task, container: str, definition: Mapping) -> tuple[Mapping, ...]:
        """networkBindings. ECS reports the address on the instance; on this machine a port is bound to 127.0.0.1 only."""
        mode = task.spec.network_mode
        mappings = definition.get("portMappings") or ()
        if mode == "host":
            return tuple(_binding(m["containerPort"], m["containerPort"], m.get("protocol", "tcp")) for m in mappings)
        if mode != "bridge" or not mappings:
            return ()
        ports = self._api.inspect_container(container)["NetworkSettings"]["Ports"] or {}
        return tuple(
            _binding(int(port.split("/")[0]), int(binding["HostPort"]), port.split("/")[1])
            for port, where in sorted(ports.items())
            for binding in where or ()
        )

    def _digest(self, image: str) -> str:
        if image not in self._digests:
            self._digests[image] = self._api.inspect_image(image)["Id"]
        return self._digests[image]

    def _announce(self, task: _Task, name: str, started: Started) -> None:
        """Report the start, then the exit of a container that was faster than that."""
        self._observe(started)
        with task.lock:
            task.announced.add(name)
            code = task.early.pop(name, None)
        if code is not None:
            self._say_exit(task, name, code)

    def _stop(self, task: _Task, name: str, timeout: float) -> None:
        container = task.ids.get(name)
        if container is None or name not in task.running:
            return
        seconds = max(0, timeout / self._speed)
        try:
            self._api.kill(container, self._stop_signal(container))
        except self._docker.errors.APIError:
            return  # it exited by itself meanwhile; its event says so
        timer = threading.Timer(seconds, self._kill, (task, name, container))
        timer.daemon = True
        timer.start()

    def _stop_signal(self, container: str) -> str:
        return self._api.inspect_container(container)["Config"].get("StopSignal") or "SIGTERM"

    def _kill(self, task: _Task, name: str, container: str) -> None:
        if name in task.running and not self._closed:
            try:
                self._api.kill(container)
            except self._docker.errors.APIError:
                pass  # it is already gone

    def _remove(self, task: _Task) -> None:
        task.removed = True
        if task.preparing is not None:
            task.preparing.result(timeout=600)
        for name, container in list(task.ids.items()):
            task.lines[name] = self._read_logs(container, KEPT_LINES)
        for container in [*task.ids.values(), task.pause]:
            if container:
                self._quietly(self._api.remove_container, container, force=True, v=True)
        for volume in task.volumes:
            self._quietly(self._api.remove_volume, volume, force=True)
        self._observe(Removed(task.spec.task_id))

    def _quietly(self, call: Callable, *arguments, **options) -> None:
        try:
            call(*arguments, **options)
        except self._docker.errors.APIError:
            pass  # what should go is already gone

    def _read_logs(self, container: str, tail: int) -> list[str]:
        try:
            text = self._api.logs(container, stdout=True, stderr=True, tail=tail).decode(errors="replace")
        except self._docker.errors.APIError:
            return []
        return text.splitlines()

    # What Docker says -------------------------------------------------------

    def _listen(self) -> None:
        filters = {"type": "container", "label": f"{OWNER}={self._region_id}", "event": ["die", "oom", "health_status"]}
        while not self._closed:
            try:
                self._events = self._docker.APIClient(**_connection(), timeout=None).events(decode=True, filters=filters)
                for event in self._events:
                    self._heard(event)
            except Exception:
                if not self._closed:
                    time.sleep(0.2)

    def _heard(self, event: Mapping) -> None:
        found = self._by_container.get(event["id"])
        if found is None:
            return
        task, name = found
        kind, _, detail = event["status"].partition(":")
        if kind == "oom":
            task.oom.add(name)
        elif kind == "health_status":
            status = detail.strip().upper()
            if task.health.get(name) != status and status in ("HEALTHY", "UNHEALTHY"):
                task.health[name] = status
                self._observe(Health(task.spec.task_id, container=name, status=status))
        elif kind == "die":
            code = int(event["Actor"]["Attributes"].get("exitCode", 255))
            with task.lock:
                task.running.discard(name)
                if name not in task.announced:
                    task.early[name] = code
                    return
            self._say_exit(task, name, code)

    def _say_exit(self, task: _Task, name: str, code: int) -> None:
        oom = name in task.oom or (code == 137 and self._was_oom(task, name))
        self._observe(Exited(task.spec.task_id, container=name, exit_code=code, oom_killed=oom))

    def _was_oom(self, task: _Task, name: str) -> bool:
        try:
            return bool(self._api.inspect_container(task.ids[name])["State"].get("OOMKilled"))
        except self._docker.errors.APIError:
            return False


def _done() -> Future:
    future: Future = Future()
    future.set_result(None)
    return future


def _binding(container_port: int, host_port: int, protocol: str) -> dict:
    return {"bindIP": "0.0.0.0", "containerPort": container_port, "hostPort": host_port, "protocol": protocol}


def _ports(spec: TaskSpec) -> list[int]:
    return [m["containerPort"] for c in spec.containers for m in c.get("portMappings") or () if "containerPort" in m]


def _words(error: Exception) -> str:
    text = getattr(error, "explanation", None) or str(error)
    return str(text).strip().splitlines()[0] if text else type(error).__name__


def _network_trouble(network: Network, error: Exception) -> str:
    return (
        f"ResourceInitializationError: the address range {network.vpc_cidr} of {network.vpc_id} is not free on this machine: "
        f"{_words(error)}. Remove the Docker network that uses it, or use a VPC with another range."
    )


def _cgroup_usage(container: str) -> tuple[float, int]:
    """(CPU seconds, bytes) from the control group of a container; zeros where it cannot be read."""
    v1 = Path("/sys/fs/cgroup/cpuacct/docker") / container / "cpuacct.usage"
    memory_v1 = Path("/sys/fs/cgroup/memory/docker") / container / "memory.usage_in_bytes"
    v2 = Path("/sys/fs/cgroup/system.slice") / f"docker-{container}.scope"
    try:
        if v1.exists():
            return int(v1.read_text()) / 1e9, int(memory_v1.read_text())
        usage = dict(line.split() for line in (v2 / "cpu.stat").read_text().splitlines())
        return int(usage["usage_usec"]) / 1e6, int((v2 / "memory.current").read_text())
    except (OSError, KeyError, ValueError):
        return 0.0, 0


def sweep(api) -> None:
    """Remove what regions of dead processes left behind."""
    dead = set()
    for thing in [*api.containers(all=True, filters={"label": PROCESS}), *api.networks(filters={"label": PROCESS})]:
        labels = thing.get("Labels") or {}
        if not _is_alive(labels[PROCESS]):
            dead.add(labels[OWNER])
    for volume in api.volumes(filters={"label": PROCESS})["Volumes"] or ():
        if not _is_alive(volume["Labels"][PROCESS]):
            dead.add(volume["Labels"][OWNER])
    for region in dead:
        _clear(api, f"{OWNER}={region}")


def _clear(api, label: str) -> None:
    """Remove every container, network and volume with this label."""
    import docker.errors

    def gone(call, *arguments, **options):
        try:
            call(*arguments, **options)
        except docker.errors.APIError:
            pass

    containers = api.containers(all=True, filters={"label": label})
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda c: gone(api.remove_container, c["Id"], force=True, v=True), containers))
    for network in api.networks(filters={"label": label}):
        gone(api.remove_network, network["Id"])
    for volume in api.volumes(filters={"label": label})["Volumes"] or ():
        gone(api.remove_volume, volume["Name"], force=True)
