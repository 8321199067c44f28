"""A container definition in Docker's terms: the settings one container is created with.

Sources: API Reference, ContainerDefinition, LinuxParameters, HealthCheck;
Developer Guide, "Amazon ECS task definition parameters".
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable, Mapping

from ..rules.health import DEFAULT_INTERVAL, DEFAULT_RETRIES, DEFAULT_TIMEOUT
from ..rules.lifecycle import has_health_check
from . import docker_cgroups
from .base import TaskSpec

SECOND = 1_000_000_000  # Docker counts in nanoseconds
MEBIBYTE = 2**20
MINIMUM_CPU_SHARES = 2  # what ECS's agent passes for none, 0 and 1
MAXIMUM_CPU_SHARES = 262144
DEFAULT_SWAPPINESS = 60
LOCALHOST = "127.0.0.1"

# However fast a region's time runs, starting a check takes this machine's time.
SHORTEST_INTERVAL = 0.2
SHORTEST_TIMEOUT = 1.0


@dataclass(frozen=True)
class Home:
    """Where the containers of one task live."""

    pause: str | None = None  # the id of the task's own pause container
    network_mode: str = "none"  # as Docker writes it: bridge, none, container:<id>
    pid_mode: str | None = None
    ipc_mode: str | None = None
    reaches_inside: bool = False  # 169.254.170.2 answers there
    group: str | None = None  # the control group that holds the whole task's limits


def container_settings(
    spec: TaskSpec,
    definition: Mapping,
    *,
    home: Home,
    siblings: Mapping[str, str],
    sources: Mapping[str, str],
    speed: float,
) -> tuple[dict, dict]:
    """(arguments of docker-py's create_container, of its create_host_config).

    `siblings` are the ids of the task's containers that exist already; `sources`
    says which folder or Docker volume stands behind each volume of the task.
    What Docker itself refuses in this combination it refuses in its own words.
    """
    ports = _host_ports(definition) if spec.network_mode == "bridge" else {}
    linux = definition.get("linuxParameters") or {}
    capabilities = linux.get("capabilities") or {}
    settings = {
        "image": definition["image"],
        "command": definition.get("command"),
        "entrypoint": definition.get("entryPoint"),
        "environment": _environment(spec, definition, home, speed),
        "user": definition.get("user"),
        "working_dir": definition.get("workingDirectory"),
        "hostname": definition.get("hostname"),
        "stdin_open": bool(definition.get("interactive")),
        "tty": bool(definition.get("pseudoTerminal")),
        "ports": [tuple(port.split("/")) for port in ports] or None,
        "healthcheck": _health_check(definition, speed),
    }
    host = {
        "network_mode": "none" if definition.get("disableNetworking") else home.network_mode,
        "port_bindings": ports or None,
        "binds": _binds(definition, sources) or None,
        "volumes_from": [f"{siblings[v['sourceContainer']]}:{_mode(v)}" for v in definition.get("volumesFrom") or ()] or None,
        "links": {siblings[link.partition(":")[0]]: link.rpartition(":")[2] for link in definition.get("links") or ()} or None,
        "read_only": bool(definition.get("readonlyRootFilesystem")),
        "privileged": bool(definition.get("privileged")),
        "ulimits": [_ulimit(u) for u in definition.get("ulimits") or ()] or None,
        "cap_add": capabilities.get("add") or None,
        "cap_drop": capabilities.get("drop") or None,
        "security_opt": definition.get("dockerSecurityOptions") or None,
        "init": True if linux.get("initProcessEnabled") else None,
        "shm_size": linux["sharedMemorySize"] * MEBIBYTE if linux.get("sharedMemorySize") else None,
        "tmpfs": {t["containerPath"]: _tmpfs(t) for t in linux.get("tmpfs") or ()} or None,
        "devices": [_device(d) for d in linux.get("devices") or ()] or None,
        "sysctls": system_controls([definition], of_network=False if spec.network_mode == "awsvpc" else None) or None,
        "extra_hosts": {h["hostname"]: h["ipAddress"] for h in definition.get("extraHosts") or ()} or None,
        "dns": definition.get("dnsServers") or None,
        "dns_search": definition.get("dnsSearchDomains") or None,
        "pid_mode": home.pid_mode,
        "ipc_mode": home.ipc_mode,
        # What a container prints can always be read back; where logConfiguration sends it is the region's work.
        "log_config": {"type": "json-file", "config": {"max-size": "10m"}},
        **_limits(spec, definition, home.group),
    }
    return settings, {name: value for name, value in host.items() if value is not None}


def _environment(spec: TaskSpec, definition: Mapping, home: Home, speed: float) -> dict[str, str]:
    own = {item["name"]: item.get("value", "") for item in definition.get("environment") or ()}
    inside = spec.to_inside.get(definition["name"], {}) if home.reaches_inside else {}
    return {"ECSLAB_TASK": spec.task_id, "ECSLAB_SPEED": f"{speed:g}", **spec.environment, **inside, **own}


def _limits(spec: TaskSpec, definition: Mapping, group: str | None) -> dict:
    """CPU and memory. Without a group for the whole task, each container has the task's limits."""
    linux = definition.get("linuxParameters") or {}
    limits = {
        "cpu_shares": min(MAXIMUM_CPU_SHARES, max(MINIMUM_CPU_SHARES, definition.get("cpu") or 0)),
        "cgroup_parent": group,
    }
    memory = definition.get("memory") or (None if group else spec.memory)
    if memory:
        # No swap unless asked for: a memory overrun ends the same way on every machine.
        limits["mem_limit"] = memory * MEBIBYTE
        limits["memswap_limit"] = (memory + (linux.get("maxSwap") or 0)) * MEBIBYTE
    if definition.get("memoryReservation"):
        limits["mem_reservation"] = definition["memoryReservation"] * MEBIBYTE
    if linux.get("maxSwap"):
        limits["mem_swappiness"] = linux.get("swappiness", DEFAULT_SWAPPINESS)
    if spec.cpu and not group:
        limits["cpu_period"] = docker_cgroups.PERIOD
        limits["cpu_quota"] = docker_cgroups.quota(spec.cpu)
    return limits


def system_controls(definitions: Iterable[Mapping], of_network: bool | None) -> dict[str, str]:
    """Kernel parameters: of the network, all others, or (None) both. The last container wins."""
    return {
        control["namespace"]: control["value"]
        for definition in definitions
        for control in definition.get("systemControls") or ()
        if of_network is None or control["namespace"].startswith("net.") == of_network
    }


def _host_ports(definition: Mapping) -> dict[str, tuple[str, int | None]]:
    """Port bindings on 127.0.0.1; a host port of None lets Docker choose."""
    bindings = {}
    for mapping in definition.get("portMappings") or ():
        protocol = mapping.get("protocol", "tcp")
        first, _, last = mapping.get("containerPortRange", str(mapping.get("containerPort"))).partition("-")
        for port in range(int(first), int(last or first) + 1):
            bindings[f"{port}/{protocol}"] = (LOCALHOST, mapping.get("hostPort") or None)
    return bindings


def any_ports(definitions: Iterable[Mapping]) -> dict[str, tuple[str, None]]:
    """The same container ports, each on whatever port of 127.0.0.1 is free."""
    return {port: (LOCALHOST, None) for definition in definitions for port in _host_ports(definition)}


def _binds(definition: Mapping, sources: Mapping[str, str]) -> list[str]:
    return [
        f"{sources[mount['sourceVolume']]}:{mount['containerPath']}:{_mode(mount)}"
        for mount in definition.get("mountPoints") or ()
    ]


def _mode(mount: Mapping) -> str:
    return "ro" if mount.get("readOnly") else "rw"


def _ulimit(item: Mapping) -> dict:
    return {"Name": item["name"], "Soft": item["softLimit"], "Hard": item["hardLimit"]}


def _device(item: Mapping) -> str:
    letters = "".join(permission[0] for permission in item.get("permissions") or ("read", "write", "mknod"))
    return f"{item['hostPath']}:{item.get('containerPath') or item['hostPath']}:{letters}"


def _tmpfs(item: Mapping) -> str:
    return ",".join([f"size={item['size']}m", *(item.get("mountOptions") or ())])


def _health_check(definition: Mapping, speed: float) -> dict:
    """Docker does the probing. A check of the image's own is switched off: ECS does not look at it."""
    if not has_health_check(definition):
        return {"test": ["NONE"]}
    check = definition["healthCheck"]
    command = list(check["command"])

    def real(seconds: float, least: float = 0.0) -> int:
        return int(max(least, seconds / speed) * SECOND)

    return {
        "test": command if command[0] in ("CMD", "CMD-SHELL") else ["CMD", *command],
        "interval": real(check.get("interval", DEFAULT_INTERVAL), SHORTEST_INTERVAL),
        "timeout": real(check.get("timeout", DEFAULT_TIMEOUT), SHORTEST_TIMEOUT),
        "retries": check.get("retries", DEFAULT_RETRIES),
        "start_period": real(check.get("startPeriod") or 0),
    }
