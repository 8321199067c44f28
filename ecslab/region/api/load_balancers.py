"""The `loadBalancers` of a service, checked against its task definition and ELBv2.

Source: API Reference, LoadBalancer, CreateService; Developer Guide, "Use load
balancing to distribute Amazon ECS service traffic".
"""
from __future__ import annotations

from ...rules.errors import EcsError, invalid
from .. import elbv2

MAX_TARGET_GROUPS = 5
TARGET_TYPES = {"awsvpc": "ip", "bridge": "instance", "host": "instance"}


def checked(region, given: list[dict] | None, task_definition, launch_type: str) -> list[dict]:
    """The entries, each of which can take this definition's tasks. EcsError otherwise."""
    entries = list(given or [])
    if len(entries) > MAX_TARGET_GROUPS:
        raise invalid(f"load balancers can have at most {MAX_TARGET_GROUPS} items.")
    for entry in entries:
        _check(region, entry, task_definition.definition, launch_type)
    return entries


def _check(region, entry: dict, definition: dict, launch_type: str) -> None:
    arn = entry.get("targetGroupArn")
    if arn and entry.get("loadBalancerName"):
        raise invalid("loadBalancerName and targetGroupArn cannot both be specified. You must specify either a loadBalancerName or a targetGroupArn.")
    if entry.get("loadBalancerName"):
        if launch_type == "FARGATE":
            raise invalid("Classic Load Balancers are not supported with Fargate.")
        raise EcsError("UnsupportedFeatureException", "This region has no Classic Load Balancers. Use a target group.")
    if not arn:
        raise invalid("Target group ARN can not be blank.")
    _check_container(entry, definition)
    check_group(region, arn, definition)
    other = (entry.get("advancedConfiguration") or {}).get("alternateTargetGroupArn")
    if other:
        check_group(region, other, definition, attached=False)


def _check_container(entry: dict, definition: dict) -> None:
    name, port = entry.get("containerName"), entry.get("containerPort")
    if not name:
        raise invalid("Container Name can not be blank.")
    container = next((c for c in definition["containerDefinitions"] if c["name"] == name), None)
    if container is None:
        raise invalid(f"The container {name} does not exist in the task definition.")
    if port not in [mapping["containerPort"] for mapping in container.get("portMappings", ())]:
        raise invalid(f"The container {name} did not have a container port {port} defined.")


def check_group(region, arn: str, definition: dict, attached: bool = True) -> None:
    group = region.balancing.group(arn)
    if group is None:
        raise invalid(f"The specified target group does not exist: {arn}")
    region.balancing.refresh()
    if attached and not region.balancing.is_in_use(arn):
        raise invalid(f"The target group with targetGroupArn {arn} does not have an associated load balancer.")
    mode = definition.get("networkMode") or "bridge"
    if TARGET_TYPES.get(mode) != group.target_type:
        raise invalid(
            f"The provided target group {arn} has target type {group.target_type}, which is incompatible with the "
            f"{mode} network mode specified in the task definition."
        )


def check_strategy(region, configuration: dict, entries: list[dict]) -> None:
    """Can traffic be shifted as the deployment strategy asks? EcsError when not."""
    strategy = configuration.get("strategy") or "ROLLING"
    if strategy == "ROLLING":
        return
    for entry in entries:
        advanced = entry.get("advancedConfiguration") or {}
        for field in ("alternateTargetGroupArn", "productionListenerRule", "roleArn"):
            if not advanced.get(field):
                raise invalid(f"advancedConfiguration.{field} is required for the {strategy} deployment strategy.")
        for field in ("productionListenerRule", "testListenerRule"):
            if advanced.get(field) and elbv2.rule_named(region.name, advanced[field])[0] is None:
                raise invalid(f"The specified listener rule does not exist: {advanced[field]}")
        group = region.balancing.group(entry["targetGroupArn"])
        if strategy != "BLUE_GREEN" and group.protocol not in ("HTTP", "HTTPS"):
            raise invalid(f"The {strategy} deployment strategy needs an Application Load Balancer or Service Connect.")
