"""A container definition in Docker's terms.

Two answers: is there anything in a task that could reach out of the lab into
this machine (`refused`), and which Docker settings does one of its containers
get (`container_settings`). Sources: API Reference, ContainerDefinition,
LinuxParameters; Developer Guide, "Amazon ECS task definition parameters".
"""
from __future__ import annotations

from pathlib import Path
from typing import Callable, Mapping

from ..rules.health import DEFAULT_INTERVAL, DEFAULT_RETRIES, DEFAULT_TIMEOUT
from ..rules.lifecycle import has_health_check
from .base import TaskSpec

SECOND = 1_000_000_000  # Docker counts in nanoseconds
MEBIBYTE = 2**20
MINIMUM_CPU_SHARES = 2  # what ECS's agent passes for none, 0 and 1
MAXIMUM_CPU_SHARES = 262144
CFS_PERIOD = 100_000
SWITCH = "Start the region with allow_unsafe=True if you trust this definition."


def refused(spec: TaskSpec, lab_folder: Path, allow_unsafe: bool) -> tuple[str, str] | None:
    """(container, reason) when the task asks for more of this machine than a lab may have."""
    if allow_unsafe:
        return None
    sources = {v["name"]: (v.get("host") or {}).get("sourcePath") for v in spec.volumes}
    for definition in spec.containers:
        name = definition["name"]

        def because(what: str) -> tuple[str, str]:
            return name, f"CannotCreateContainerError: {what}. {SWITCH}"

        if definition.get("privileged"):
            return because("privileged containers could take over this machine")
        if (definition.get("linuxParameters") or {}).get("devices"):
            return because("devices of this machine are not shared with tasks")
        for mount in definition.get("mountPoints") or ():
            source = sources.get(mount["sourceVolume"])
            if source and not Path(source).resolve().is_relative_to(lab_folder):
                return because(f"{source} is outside the lab's folder {lab_folder}")
    return None


def container_settings(
    spec: TaskSpec,
    definition: Mapping,
    *,
    network_mode: str,
    siblings: Mapping[str, str],
    volume_name: Callable[[Mapping], str],
    speed: float,
    minimum_check: float,
) -> tuple[dict, dict]:
    """(arguments of create_container, arguments of create_host_config)."""
    own_network = spec.network_mode in ("bridge", "none")
    ports = _ports(definition) if spec.network_mode == "bridge" else {}
    linux = definition.get("linuxParameters") or {}
    capabilities = linux.get("capabilities") or {}
    settings = {
        "image": definition["image"],
        "command": definition.get("command"),
        "entrypoint": definition.get("entryPoint"),
        "environment": _environment(spec, definition, speed),
        "user": definition.get("user"),
        "working_dir": definition.get("workingDirectory"),
        "hostname": definition.get("hostname") if own_network else None,
        "stdin_open": bool(definition.get("interactive")),
        "tty": bool(definition.get("pseudoTerminal")),
        "ports": [tuple(port.split("/")) for port in ports] or None,
        "healthcheck": _health_check(definition, speed, minimum_check),
    }
    host = {
        "network_mode": "none" if definition.get("disableNetworking") else network_mode,
        "port_bindings": ports or None,
        "binds": _binds(spec, definition, volume_name) or None,
        "volumes_from": [
            f"{siblings[v['sourceContainer']]}:{'ro' if v.get('readOnly') else 'rw'}" for v in definition.get("volumesFrom") or ()
        ]
        or None,
        "links": {siblings[link.partition(":")[0]]: link.rpartition(":")[2] for link in definition.get("links") or ()} or None,
        "read_only": bool(definition.get("readonlyRootFilesystem")),
        "privileged": bool(definition.get("privileged")),
        "ulimits": [
            {"Name": u["name"], "Soft": u["softLimit"], "Hard": u["hardLimit"]} for u in definition.get("ulimits") or ()
        ]
        or None,
        "cap_add": capabilities.get("add") or None,
        "cap_drop": capabilities.get("drop") or None,
        "security_opt": definition.get("dockerSecurityOptions") or None,
        "init": True if linux.get("initProcessEnabled") else None,
        "shm_size": linux["sharedMemorySize"] * MEBIBYTE if linux.get("sharedMemorySize") else None,
        "tmpfs": {t["containerPath"]: _tmpfs(t) for t in linux.get("tmpfs") or ()} or None,
        "devices": [
            f"{d['hostPath']}:{d.get('containerPath') or d['hostPath']}:{''.join(p[0] for p in d.get('permissions') or ('read', 'write', 'mknod'))}"
            for d in linux.get("devices") or ()
        ]
        or None,
        "sysctls": {s["namespace"]: s["value"] for s in definition.get("systemControls") or ()} or None,
        "extra_hosts": {h["hostname"]: h["ipAddress"] for h in definition.get("extraHosts") or ()} or None,
        "dns": definition.get("dnsServers") or None,
        "dns_search": definition.get("dnsSearchDomains") or None,
        **_resources(spec, definition, linux),
        **_shared_namespaces(spec, siblings),
    }
    return settings, {name: value for name, value in host.items() if value is not None}


def _environment(spec: TaskSpec, definition: Mapping, speed: float) -> dict[str, str]:
    own = {item["name"]: item.get("value", "") for item in definition.get("environment") or ()}
    return {"ECSLAB_TASK": spec.task_id, "ECSLAB_SPEED": f"{speed:g}", **spec.environment, **own}


def _resources(spec: TaskSpec, definition: Mapping, linux: Mapping) -> dict:
    """Limits. The task's own sizes bound each of its containers, where Docker has no group for a whole task."""
    limits: dict = {}
    hard = definition.get("memory") or spec.memory
    if hard:
        limits["mem_limit"] = hard * MEBIBYTE
        max_swap = linux.get("maxSwap")
        limits["memswap_limit"] = (hard + (max_swap or 0)) * MEBIBYTE
    if definition.get("memoryReservation"):
        limits["mem_reservation"] = definition["memoryReservation"] * MEBIBYTE
    if linux.get("maxSwap"):
        limits["mem_swappiness"] = linux.get("swappiness", 60)
    limits["cpu_shares"] = min(MAXIMUM_CPU_SHARES, max(MINIMUM_CPU_SHARES, definition.get("cpu") or 0))
    if spec.cpu:
        limits["cpu_period"] = CFS_PERIOD
        limits["cpu_quota"] = max(1000, spec.cpu * CFS_PERIOD // 1024)
    return limits


def _shared_namespaces(spec: TaskSpec, siblings: Mapping[str, str]) -> dict:
    """pidMode and ipcMode `task`: the first container owns the namespace, the others join it."""
    first = next(iter(siblings.values()), None)
    shared: dict = {}
    if spec.pid_mode == "task" and first:
        shared["pid_mode"] = f"container:{first}"
    elif spec.pid_mode == "host":
        shared["pid_mode"] = "host"
    if spec.ipc_mode == "task":
        shared["ipc_mode"] = f"container:{first}" if first else "shareable"
    elif spec.ipc_mode == "host":
        shared["ipc_mode"] = "host"
    return shared


def _ports(definition: Mapping) -> dict:
    """Port bindings on 127.0.0.1; a host port of 0 lets Docker choose."""
    bindings = {}
    for mapping in definition.get("portMappings") or ():
        protocol = mapping.get("protocol", "tcp")
        if "containerPortRange" in mapping:
            first, last = map(int, mapping["containerPortRange"].split("-"))
            bindings.update({f"{port}/{protocol}": ("127.0.0.1", None) for port in range(first, last + 1)})
        else:
            bindings[f"{mapping['containerPort']}/{protocol}"] = ("127.0.0.1", mapping.get("hostPort") or None)
    return bindings


def _binds(spec: TaskSpec, definition: Mapping, volume_name: Callable[[Mapping], str]) -> list[str]:
    volumes = {v["name"]: v for v in spec.volumes}
    binds = []
    for mount in definition.get("mountPoints") or ():
        volume = volumes[mount["sourceVolume"]]
        source = (volume.get("host") or {}).get("sourcePath") or volume_name(volume)
        binds.append(f"{source}:{mount['containerPath']}:{'ro' if mount.get('readOnly') else 'rw'}")
    return binds


def _tmpfs(item: Mapping) -> str:
    return ",".join([f"size={item['size']}m", *(item.get("mountOptions") or ())])


def _health_check(definition: Mapping, speed: float, minimum: float) -> dict | None:
    """Docker's own health check does the probing. One of the image's is switched off: ECS does not look at it."""
    if not has_health_check(definition):
        return {"test": ["NONE"]}
    check = definition["healthCheck"]
    command = list(check["command"])
    if command[0] not in ("CMD", "CMD-SHELL"):
        command = ["CMD", *command]

    def nanoseconds(seconds: float) -> int:
        return int(max(minimum, seconds / speed) * SECOND)

    return {
        "test": command,
        "interval": nanoseconds(check.get("interval", DEFAULT_INTERVAL)),
        # A container gets its timeout in full: how fast a program answers does not depend on the region's speed.
        "timeout": int(check.get("timeout", DEFAULT_TIMEOUT) * SECOND),
        "retries": check.get("retries", DEFAULT_RETRIES),
        "start_period": int((check.get("startPeriod") or 0) / speed * SECOND),
    }
