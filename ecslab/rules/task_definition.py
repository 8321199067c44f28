"""What does ECS make of a task definition: is it valid, how is it kept, what does one task of it run with?

`register` takes RegisterTaskDefinition's input and returns the definition as
DescribeTaskDefinition shows it: sizes as plain numbers, defaults filled in,
`compatibilities` and `requiresAttributes` computed. `with_overrides` is what RunTask
makes of it. The rules themselves are in the files imported here, each its own idea.

Sources: API Reference, RegisterTaskDefinition, ContainerDefinition, HealthCheck,
PortMapping, TaskOverride, ContainerOverride.
"""
from __future__ import annotations

import json
from typing import Any, Mapping

from . import fargate
from .container_order import start_order
from .errors import client, invalid
from .fargate import FARGATE_SIZES, fargate_pairs, is_windows
from .task_definition_checks import CHECKS, check_cpu, check_ephemeral_storage, check_memory, wants
from .task_definition_fields import check_ranges
from .task_definition_needs import AGENT_CAPABILITIES, LAUNCH_TYPE_CHECKS, compatibilities, required_attributes
from .task_size import gpus, parse_cpu, parse_memory, reserved

__all__ = [
    "AGENT_CAPABILITIES", "FARGATE_SIZES", "compatibilities", "fargate_pairs", "parse_cpu", "parse_memory", "register",
    "required_attributes", "gpus", "reserved", "start_order", "with_overrides",
]  # fmt: skip

MOST_CONTAINERS = 10
MOST_BYTES = 65536
MOST_OVERRIDE_CHARACTERS = 8192

CONTAINER_LISTS = ("portMappings", "environment", "mountPoints", "volumesFrom", "systemControls")
HEALTH_CHECK_DEFAULTS = {"interval": 30, "timeout": 5, "retries": 3}  # seconds, seconds, failures
SIZES = {"cpu": parse_cpu, "memory": parse_memory}


# Registering ------------------------------------------------------------------------------


def register(request: Mapping[str, Any]) -> dict:
    """The definition as ECS keeps it, without what the region adds (ARN, revision, status, times).

    Raises EcsError with ECS's own words when it is not valid. `request` is left as it is.
    """
    definition = _copy(request)
    _check_outline(definition)
    _fill_in(definition)
    for check in CHECKS:
        check(definition)
    fits = compatibilities(definition)
    for launch_type in definition.get("requiresCompatibilities") or ([] if fits else ["EC2"]):
        LAUNCH_TYPE_CHECKS[launch_type](definition)
    definition["compatibilities"] = fits
    definition["requiresAttributes"] = required_attributes(definition)
    return definition


def _copy(value: Any) -> Any:
    """A deep copy without the members that are null: ECS takes those as not given."""
    if isinstance(value, Mapping):
        return {name: _copy(item) for name, item in value.items() if item is not None}
    return [_copy(item) for item in value] if isinstance(value, (list, tuple)) else value


def _check_outline(definition: dict) -> None:
    if not definition.get("family"):
        raise client("Family can not be blank.")
    containers = definition.get("containerDefinitions")
    if not containers:
        raise client("Container list cannot be empty.")
    if len(containers) > MOST_CONTAINERS:
        raise client("Too many containers.")
    size = len(_as_json(definition).encode())
    if size > MOST_BYTES:
        raise client(f"Actual length: '{size}'. Max allowed length is '{MOST_BYTES}' bytes.")


def _as_json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _fill_in(definition: dict) -> None:
    for field, parse in SIZES.items():
        if field in definition:
            definition[field] = str(parse(definition[field]))
    if not is_windows(definition):  # there an omitted mode is Docker's NAT network
        definition.setdefault("networkMode", "bridge")
    definition.setdefault("volumes", [])
    definition.setdefault("placementConstraints", [])
    for container in definition["containerDefinitions"]:
        _fill_in_container(container, definition.get("networkMode"))


def _fill_in_container(container: dict, network_mode: str | None) -> None:
    container.setdefault("cpu", 0)
    container.setdefault("essential", True)
    for field in CONTAINER_LISTS:
        container.setdefault(field, [])
    for mapping in container["portMappings"]:
        mapping.setdefault("protocol", "tcp")
        if "containerPort" in mapping and "containerPortRange" not in mapping:
            mapping.setdefault("hostPort", mapping["containerPort"] if network_mode in ("awsvpc", "host") else 0)
    if "healthCheck" in container:
        container["healthCheck"] = HEALTH_CHECK_DEFAULTS | container["healthCheck"]


# Overriding -------------------------------------------------------------------------------

CONTAINER_OVERRIDES = ("command", "environmentFiles", "cpu", "memory", "memoryReservation", "resourceRequirements")
TASK_OVERRIDES = ("taskRoleArn", "executionRoleArn", "ephemeralStorage")


def with_overrides(definition: Mapping, overrides: Mapping | None) -> dict:
    """The definition that a task runs with after RunTask's `overrides`. EcsError when they do not fit it."""
    result = _copy(definition)
    overrides = _copy(overrides or {})
    if len(_as_json(overrides)) > MOST_OVERRIDE_CHARACTERS:
        raise invalid(f"The total length of the overrides cannot be more than {MOST_OVERRIDE_CHARACTERS} characters.")
    if overrides.get("inferenceAcceleratorOverrides"):
        raise invalid("Elastic Inference is not available: inferenceAcceleratorOverrides cannot be set.")
    containers = {c["name"]: c for c in result["containerDefinitions"]}
    for override in overrides.get("containerOverrides") or []:
        if override.get("name") not in containers:
            raise invalid(f"Override for container named {override.get('name')} is not a container in the TaskDefinition.")
        _override_container(containers[override["name"]], override)
    result |= {field: str(parse(overrides[field])) for field, parse in SIZES.items() if field in overrides}
    result |= {field: overrides[field] for field in TASK_OVERRIDES if field in overrides}
    if overrides:
        _check_again(result)
    return result


def _override_container(container: dict, override: Mapping) -> None:
    container |= {field: override[field] for field in CONTAINER_OVERRIDES if field in override}
    environment = {item["name"]: item for item in container["environment"] + override.get("environment", [])}
    container["environment"] = list(environment.values())


def _check_again(definition: dict) -> None:
    """The rules whose fields an override can change."""
    check_ranges(definition)
    check_memory(definition)
    check_cpu(definition)
    check_ephemeral_storage(definition)
    if wants(definition, "FARGATE"):
        fargate.check(definition)
