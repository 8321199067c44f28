"""Is this task definition valid as a whole, wherever it is to run? The first rule broken is the error.

The checks take a definition with its defaults filled in and stand in `CHECKS` in
the order they are made. Single fields are checked in `task_definition_fields`; what
a launch type refuses in `fargate` and `task_definition_needs`. AWS publishes few of
the texts; those that only one weak source records, and those of ours, are close,
not exact.

Sources: API Reference, RegisterTaskDefinition, ContainerDefinition, PortMapping,
ContainerDependency, Volume; Developer Guide, "Amazon ECS task definition parameters".
"""
from __future__ import annotations

import re
from typing import Any, Callable, Mapping

from . import cluster_query, log_drivers
from .container_order import implied, start_order
from .errors import client
from .fargate import is_windows
from .task_definition_fields import (
    check_enums,
    check_lengths,
    check_ranges,
    check_required,
    values_at,
    wrong_setting,
)

EC2_CPU = (128, 196608)  # CPU units of a task
EPHEMERAL_STORAGE = (21, 200)  # GiB; 20 come with every task on Fargate
MOST_PORT_RANGES = 100  # of a container
MOST_EXPRESSION_CHARACTERS = 2000

NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
IMAGE = re.compile(r"[A-Za-z0-9_:./#@-]{1,255}")
PORT_NAME = re.compile(r"[a-z0-9_][a-z0-9_-]{0,63}")
PORT_RANGE = re.compile(r"([0-9]{1,5})-([0-9]{1,5})")
ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/.+")

AWSVPC_REFUSES = {
    "hostname": "hostname is not supported on container when networkMode=awsvpc",
    "extraHosts": "Extra hosts are not supported on container when networkMode=awsvpc",
    "dnsServers": "DNS servers are not supported on container when networkMode=awsvpc",
    "dnsSearchDomains": "DNS search domains are not supported on container when networkMode=awsvpc",
    "disableNetworking": "Disable Networking is not supported on container when networkMode=awsvpc",
}
# Prefix -> the mode that, when it is `host`, closes these kernel parameters.
SYSTEM_CONTROLS = (("net.", "networkMode"), ("kernel.", "ipcMode"), ("fs.mqueue.", "ipcMode"))
WINDOWS_REFUSES = (
    "pidMode",
    "ipcMode",
    "volumes[].efsVolumeConfiguration",
    "containerDefinitions[].environmentFiles",
    "containerDefinitions[].extraHosts",
    "containerDefinitions[].systemControls",
)


def wants(definition: Mapping, launch_type: str) -> bool:
    return launch_type in values_at(definition, "requiresCompatibilities[]")


# Names and roles -------------------------------------------------------------------


def _check_family(definition: dict) -> None:
    if len(definition["family"]) > 255:
        raise client("Family should not be longer than 255 characters.")
    if not NAME.fullmatch(definition["family"]):
        raise client("Family contains invalid characters.")


def _check_names(definition: dict) -> None:
    names = [c["name"] for c in definition["containerDefinitions"]]
    for container in definition["containerDefinitions"]:
        if not NAME.fullmatch(container["name"]):
            raise client("Container.name contains invalid characters.")
        if not IMAGE.fullmatch(container["image"]):
            raise client("Container.image contains invalid characters.")
    if len(names) != len(set(names)):
        raise client("Container names must be unique within a task definition")


def _check_essential(definition: dict) -> None:
    if not any(c["essential"] for c in definition["containerDefinitions"]):
        raise client("Task definition doesn't have any essential container")


def _check_roles(definition: dict) -> None:
    for field in ("taskRoleArn", "executionRoleArn"):
        value = definition.get(field) or ""
        if value.startswith("arn:") and not ROLE_ARN.fullmatch(value):
            raise client("Invalid arn syntax")


def _check_secrets(definition: dict) -> None:
    for container in definition["containerDefinitions"]:
        secrets = container.get("secrets") or list(values_at(container, "logConfiguration.secretOptions[]"))
        if secrets and not definition.get("executionRoleArn"):
            raise client("When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.")
        for file in values_at(container, "environmentFiles[].value"):
            if not file.startswith("arn:"):
                raise client("Invalid arn syntax")
            if not file.endswith(".env"):
                raise wrong_setting(container, "An environment file must have the extension .env.")


# Sizes ------------------------------------------------------------------------------


def check_memory(definition: Mapping) -> None:
    task = int(definition.get("memory") or 0)
    for container in definition["containerDefinitions"]:
        hard, soft = container.get("memory"), container.get("memoryReservation")
        if not (task or hard or soft or wants(definition, "FARGATE")):
            raise wrong_setting(container, "At least one of 'memory' or 'memoryReservation' must be specified.")
        if task and hard and hard > task:
            raise wrong_setting(container, "The 'memory' setting for container is greater than for the task.")
        if hard and soft and hard < soft:
            raise wrong_setting(container, "'memory' must be greater than or equal to 'memoryReservation'")
    if task and sum(c.get("memoryReservation") or 0 for c in definition["containerDefinitions"]) > task:
        raise client("The sum of all container 'memoryReservation' values cannot be greater than the task-level 'memory' value")


def check_cpu(definition: Mapping) -> None:
    if not definition.get("cpu"):
        return
    cpu = int(definition["cpu"])
    if not wants(definition, "FARGATE") and not EC2_CPU[0] <= cpu <= EC2_CPU[1]:
        raise client("Invalid 'cpu' setting for task.")
    if sum(c.get("cpu") or 0 for c in definition["containerDefinitions"]) > cpu:
        raise client("The sum of all container 'cpu' values cannot be greater than the task-level 'cpu' value")


def check_ephemeral_storage(definition: Mapping) -> None:
    least, most = EPHEMERAL_STORAGE
    for size in values_at(definition, "ephemeralStorage.sizeInGiB"):
        if size < least:
            raise client(f"EphemeralStorage size should be at least {least}")
        if size > most:
            raise client(f"EphemeralStorage size should be at most {most}")


# Network ----------------------------------------------------------------------------


def _check_network(definition: dict) -> None:
    mode = definition.get("networkMode") or "default"
    for container in definition["containerDefinitions"]:
        if mode == "awsvpc":
            for field, message in AWSVPC_REFUSES.items():
                if container.get(field):
                    raise client(message)
        if container.get("links") and mode != "bridge":
            raise client(f"Links are not supported when networkMode={mode}")
        if container["portMappings"] and mode == "none":
            raise client("Port mappings are not supported when networkMode=none")


def _check_ports(definition: dict) -> None:
    mode = definition.get("networkMode")
    taken: set[int] = set()
    names: set[str] = set()
    for container in definition["containerDefinitions"]:
        if mode not in ("awsvpc", "host"):
            taken = set()  # elsewhere each container has a network of its own
        if len(list(values_at(container, "portMappings[].containerPortRange"))) > MOST_PORT_RANGES:
            raise wrong_setting(container, f"A container can have at most {MOST_PORT_RANGES} port ranges.")
        for mapping in container["portMappings"]:
            ports = _ports(container, mapping, mode)
            if not taken.isdisjoint(ports):
                raise wrong_setting(container, f"The {min(taken & ports)} container port is used multiple times in task")
            taken |= ports
            _check_port_name(container, mapping, names)


def _ports(container: dict, mapping: dict, mode: str | None) -> set[int]:
    """The container ports of one mapping."""
    port, text = mapping.get("containerPort"), mapping.get("containerPortRange")
    if text is not None:
        if port is not None or mapping.get("hostPort") is not None:
            raise wrong_setting(container, "You cannot specify both single port and port range")
        bounds = PORT_RANGE.fullmatch(text)
        first, last = (int(bounds[1]), int(bounds[2])) if bounds else (0, 0)
        if not 1 <= first <= last <= 65535 or mode not in ("awsvpc", "bridge", None):
            raise client(f"Invalid 'containerPortRange' setting for container '{container['name']}'.")
        return set(range(first, last + 1))
    if port is None:
        raise wrong_setting(container, "A port mapping must have a 'containerPort' or a 'containerPortRange'.")
    if mode in ("awsvpc", "host") and mapping.get("hostPort") != port:
        raise client(f"When networkMode={mode}, the host ports and container ports in port mappings must match.")
    return {port}


def _check_port_name(container: dict, mapping: dict, names: set[str]) -> None:
    name = mapping.get("name")
    if name is None:
        if mapping.get("appProtocol"):
            raise wrong_setting(container, "A port mapping with an 'appProtocol' must have a 'name'.")
        return
    if not PORT_NAME.fullmatch(name):
        raise wrong_setting(container, f"The port mapping name '{name}' is invalid.")
    if name in names:
        raise wrong_setting(container, f"The {name} port mapping name is already used")
    names.add(name)


# Containers among themselves ----------------------------------------------------------


def _check_dependencies(definition: dict) -> None:
    by_name = {c["name"]: c for c in definition["containerDefinitions"]}
    for container in by_name.values():
        needed = [(d["containerName"], d["condition"]) for d in container.get("dependsOn") or []]
        for name, condition in needed + [(name, "START") for name in implied(container)]:
            if name not in by_name:
                raise client(f"Cannot depend on container {name} because it does not exist")
            other = by_name[name]
            if condition in ("SUCCESS", "COMPLETE") and other["essential"]:
                raise client("A dependency container with SUCCESS or COMPLETE condition cannot be an essential container")
            if condition == "HEALTHY" and (other.get("healthCheck") or {}).get("command") in (None, ["NONE"]):
                raise client("A dependency container with HEALTHY condition must have health check configured")
    start_order(definition["containerDefinitions"])


def _check_system_controls(definition: dict) -> None:
    for container in definition["containerDefinitions"]:
        for name in values_at(container, "systemControls[].namespace"):
            for prefix, mode in SYSTEM_CONTROLS:
                if name.startswith(prefix) and definition.get(mode) == "host":
                    raise wrong_setting(container, f"The system control {name} is not supported when {mode}=host.")


def _check_ulimits(definition: dict) -> None:
    for container in definition["containerDefinitions"]:
        for ulimit in values_at(container, "ulimits[]"):
            if ulimit["softLimit"] > ulimit["hardLimit"] >= 0:  # -1 is no limit
                raise wrong_setting(container, f"The soft limit of {ulimit['name']} is greater than its hard limit.")


# Volumes, placement, platform -----------------------------------------------------------


def _check_volumes(definition: dict) -> None:
    names = [v["name"] for v in definition["volumes"]]
    if len(names) != len(set(names)):
        raise client("Volume names must be unique within a task definition")
    if sum(map(bool, values_at(definition, "volumes[].configuredAtLaunch"))) > 1:
        raise client("A task definition can have at most one volume that is configured at launch.")
    for volume in definition["volumes"]:
        _check_docker_volume(volume.get("dockerVolumeConfiguration") or {})
        _check_efs_volume(volume.get("efsVolumeConfiguration") or {})
        if volume.get("s3filesVolumeConfiguration") and not definition.get("taskRoleArn"):
            raise client(f"The S3 Files volume '{volume['name']}' requires a 'taskRoleArn'.")
    for name in values_at(definition, "containerDefinitions[].mountPoints[].sourceVolume"):
        if name not in names:
            raise client(f"Unknown volume '{name}'")


def _check_docker_volume(docker: Mapping[str, Any]) -> None:
    if docker.get("autoprovision") is not None and docker.get("scope") != "shared":
        raise client("autoprovision can only be specified when the scope is shared")


def _check_efs_volume(efs: Mapping[str, Any]) -> None:
    encrypted = efs.get("transitEncryption") == "ENABLED"
    authorization = efs.get("authorizationConfig") or {}
    if authorization.get("iam") == "ENABLED" and not encrypted:
        raise client("EFS IAM authorization requires TransitEncryption to be enabled")
    if efs.get("transitEncryptionPort") and not encrypted:
        raise client("TransitEncryptionPort requires that TransitEncryption is enabled")
    if authorization.get("accessPointId"):
        if efs.get("rootDirectory") not in (None, "", "/"):
            raise client('When using an EFS access point, the root directory must either be set to "/" or be omitted')
        if not encrypted:
            raise client("EFS access points require TransitEncryption to be enabled")


def _check_placement(definition: dict) -> None:
    for expression in values_at(definition, "placementConstraints[].expression"):
        if len(expression) > MOST_EXPRESSION_CHARACTERS:
            raise client(f"An expression can have at most {MOST_EXPRESSION_CHARACTERS} characters.")
        cluster_query.parse(expression)


def _check_windows(definition: dict) -> None:
    if not is_windows(definition):
        return
    if "ARM64" in values_at(definition, "runtimePlatform.cpuArchitecture"):
        raise client("Windows containers must have cpuArchitecture X86_64.")
    for path in WINDOWS_REFUSES:
        if any(values_at(definition, path)):
            raise client(f"{path.rpartition('.')[2]} is not supported for Windows containers.")


CHECKS: tuple[Callable[[dict], None], ...] = (
    check_required,
    _check_family,
    _check_names,
    check_enums,
    check_lengths,
    check_ranges,
    _check_essential,
    _check_windows,
    _check_network,
    _check_ports,
    check_memory,
    check_cpu,
    check_ephemeral_storage,
    _check_dependencies,
    _check_volumes,
    log_drivers.check,
    _check_secrets,
    _check_roles,
    _check_system_controls,
    _check_ulimits,
    _check_placement,
)
