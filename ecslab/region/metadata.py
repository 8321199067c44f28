"""What the task metadata endpoint tells a container about itself and its task, version 4.

Only what is known here is told: how much of the ephemeral storage is used and where a
volume lies on the machine are not. The clock drift is that of this machine's clock
against the region's, which are apart where the region runs faster.

Source: Developer Guide, "Amazon ECS task metadata endpoint version 4", and its pages for
Fargate and EC2.
"""
from __future__ import annotations

import time
from datetime import datetime, timezone
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, Mapping

from ..engines.docker_resolver import ADDRESS as RESOLVER
from ..rules import log_lines
from .model import Task, without_none

if TYPE_CHECKING:
    from . import Region

DEFAULT_STORAGE = 20  # GiB of a Fargate task that asks for nothing else
DRIFT = 1.0  # seconds that two clocks may differ and still count as synchronized


def stats(region: "Region", task: Task, counted: Mapping[str, dict]) -> dict[str, Any]:
    """What `Engine.stats` told, by runtime id, at the region's time and with each container's own limit."""
    found, read = {}, moment(region.clock.now())
    for name, told in counted.items():
        limit = (_definition(task, name).get("memory") or task.memory) * 2**20
        memory = {**told["memory_stats"], **({"limit": limit} if limit else {})}
        found[runtime_id(task, name)] = {**told, "read": read, "name": _docker_name(task, name), "id": runtime_id(task, name), "memory_stats": memory}
    return found


def stats_of(region: "Region", task: Task, name: str, counted: Mapping[str, dict]) -> dict[str, Any] | None:
    return stats(region, task, counted).get(runtime_id(task, name))


def of_task(region: "Region", task: Task, *, tags: bool = False) -> dict[str, Any]:
    definition, on_fargate = task.definition, task.launch_type == "FARGATE"
    limits = {"CPU": int(definition["cpu"]) / 1024 if definition.get("cpu") else None, "Memory": int(definition["memory"]) if definition.get("memory") else None}
    return without_none(
        {
            "Cluster": _cluster(task),
            "TaskARN": task.arn,
            "Family": task.task_definition.family,
            "Revision": str(task.task_definition.revision),
            "ServiceName": task.service.name if task.service else None,
            "Group": task.group,
            "DesiredStatus": task.desired_status,
            "KnownStatus": task.last_status,
            "Limits": without_none(limits),
            "PullStartedAt": moment(task.pull_started_at),
            "PullStoppedAt": moment(task.pull_stopped_at),
            "ExecutionStoppedAt": moment(task.execution_stopped_at),
            "AvailabilityZone": task.zone or None,
            "AvailabilityZoneID": region.vpc.zone_id(task.zone) if task.zone else None,
            "LaunchType": task.launch_type,
            "VPCID": task.network.vpc_id if task.network else None,
            "Containers": [of_container(region, task, name) for name in task.containers],
            "TaskTags": _tags(region, task.arn) if tags else None,
            "ContainerInstanceTags": _tags(region, task.instance.arn) if tags and task.instance else None,
            "ClockDrift": _drift(region) if on_fargate else None,
            "EphemeralStorageMetrics": _storage(definition) if on_fargate else None,
            "FaultInjectionEnabled": bool(definition.get("enableFaultInjection")),
        }
    )


def of_container(region: "Region", task: Task, name: str) -> dict[str, Any]:
    container, definition, facts = task.containers[name], _definition(task, name), task.facts[name]
    logs = definition.get("logConfiguration") or {}
    limits = {"CPU": definition.get("cpu") or 0, "Memory": definition.get("memory")}
    return without_none(
        {
            "DockerId": runtime_id(task, name),
            "Name": name,
            "DockerName": _docker_name(task, name),
            "Image": definition["image"],
            "ImageID": facts.get("imageDigest"),
            "Ports": _ports(task, definition, facts) or None,
            "Labels": _labels(task, name) | (definition.get("dockerLabels") or {}),
            "DesiredStatus": task.desired_status,
            "KnownStatus": container.api_status,
            "ExitCode": container.exit_code,
            "Limits": without_none(limits),
            "CreatedAt": moment(facts.get("createdAt")),
            "StartedAt": moment(container.run_since),
            "FinishedAt": moment(facts.get("finishedAt")),
            "Type": "NORMAL",
            "Health": _health(container, facts),
            "Volumes": [{"DockerName": m["sourceVolume"], "Destination": m["containerPath"]} for m in definition.get("mountPoints") or ()] or None,
            "LogDriver": logs.get("logDriver"),
            "LogOptions": _log_options(task, name, logs) or None,
            "ContainerARN": facts["containerArn"],
            "Networks": [_network(region, task)],
            "RestartCount": container.restart_count if container.restart_policy is not None else None,
        }
    )


def moment(at: float | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


# The parts ----------------------------------------------------------------------


def _definition(task: Task, name: str) -> dict:
    return next(c for c in task.definition["containerDefinitions"] if c["name"] == name)


def runtime_id(task: Task, name: str) -> str:
    return task.facts[name].get("runtimeId") or ""


def _docker_name(task: Task, name: str) -> str:
    """On Fargate the container's own name; on an instance the one the agent made."""
    return name if task.launch_type == "FARGATE" else task.facts[name].get("runtimeName") or name


def _cluster(task: Task) -> str:
    return task.cluster.arn if task.launch_type == "FARGATE" else task.cluster.name


def _labels(task: Task, name: str) -> dict[str, str]:
    return {
        "com.amazonaws.ecs.cluster": _cluster(task),
        "com.amazonaws.ecs.container-name": name,
        "com.amazonaws.ecs.task-arn": task.arn,
        "com.amazonaws.ecs.task-definition-family": task.task_definition.family,
        "com.amazonaws.ecs.task-definition-version": str(task.task_definition.revision),
    }


def _tags(region: "Region", arn: str) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in region.tags.get(arn, ())}


def _ports(task: Task, definition: dict, facts: dict) -> list[dict[str, Any]]:
    if task.network is None:
        return [
            {"ContainerPort": b["containerPort"], "Protocol": b["protocol"], "HostPort": b["hostPort"], "HostIp": b["bindIP"]}
            for b in facts.get("networkBindings") or ()
            if "containerPort" in b
        ]
    given = [m for m in definition.get("portMappings") or () if m.get("containerPort")]
    return [{"ContainerPort": m["containerPort"], "Protocol": m.get("protocol", "tcp"), "HostPort": m["containerPort"]} for m in given]


def _health(container, facts: dict) -> dict[str, str] | None:
    if not container.has_health_check:
        return None
    return without_none({"status": container.health, "statusSince": moment(facts.get("healthSince"))})


def _log_options(task: Task, name: str, logs: dict) -> dict[str, str]:
    options = dict(logs.get("options") or {})
    if logs.get("logDriver") == "awslogs" and options.get("awslogs-stream-prefix"):
        options["awslogs-stream"] = log_lines.stream(options, name, task.id)
    return options


def _network(region: "Region", task: Task) -> dict[str, Any]:
    network = task.network
    if network is None:
        return {"NetworkMode": task.network_mode}
    subnet = ip_network(region.vpc.cidr(network.subnet_id))
    return {
        "NetworkMode": task.network_mode,
        "IPv4Addresses": [network.private_ip],
        "AttachmentIndex": 0,
        "MACAddress": network.mac,
        "IPv4SubnetCIDRBlock": str(subnet),
        "DomainNameServers": [RESOLVER],
        "PrivateDNSName": task.private_dns_name,
        "SubnetGatewayIpv4Address": f"{subnet[1]}/{subnet.prefixlen}",
    }


def _drift(region: "Region") -> dict[str, Any]:
    now = region.clock.now()
    apart = 0.0 if region.is_simulated else abs(now - time.time())
    return {
        "ClockErrorBound": round(1000 * apart, 3),
        "ReferenceTimestamp": moment(now),
        "ClockSynchronizationStatus": "SYNCHRONIZED" if apart < DRIFT else "NOT_SYNCHRONIZED",
    }


def _storage(definition: dict) -> dict[str, int]:
    """In MiB."""
    return {"Reserved": 1024 * ((definition.get("ephemeralStorage") or {}).get("sizeInGiB") or DEFAULT_STORAGE)}
