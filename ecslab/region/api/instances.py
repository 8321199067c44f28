"""Container instances: register, describe, list, drain, deregister.

Source: API Reference, RegisterContainerInstance, DescribeContainerInstances,
ListContainerInstances, UpdateContainerInstancesState, DeregisterContainerInstance.
"""
from __future__ import annotations

import json

from ...rules.errors import client, invalid
from .. import hosts, identifiers, placing
from . import operation
from .common import check_size, check_tags, cluster_of, included, missing, page

INCLUDE = ("TAGS", "CONTAINER_INSTANCE_HEALTH")
STATES = ("ACTIVE", "DRAINING")


@operation
def register_container_instance(region, request):
    cluster = cluster_of(region, request)
    try:
        document = json.loads(request.get("instanceIdentityDocument") or "{}")
    except ValueError:
        raise client("The instance identity document is not valid JSON.") from None
    resources = {r["name"]: r.get("integerValue") for r in request.get("totalResources") or []}
    instance = placing.register(
        region,
        cluster,
        ec2_instance_id=document.get("instanceId"),
        instance_type=document.get("instanceType"),
        zone=document.get("availabilityZone"),
        cpu=resources.get("CPU"),
        memory=resources.get("MEMORY"),
        attributes={a["name"]: a.get("value") for a in request.get("attributes") or []},
    )
    region.tags[instance.arn] = check_tags(request.get("tags"))
    return {"containerInstance": describe(region, instance, tags=True)}


@operation
def describe_container_instances(region, request):
    cluster = cluster_of(region, request)
    wants_tags = included(request, "TAGS", INCLUDE)
    wants_health = included(request, "CONTAINER_INSTANCE_HEALTH", INCLUDE)
    found, failures = [], []
    for identifier in check_size("Container Instances", request.get("containerInstances"), 100):
        instance = _find(cluster, identifier)
        if instance is None:
            failures.append(missing(identifier))
        else:
            found.append(describe(region, instance, wants_tags) | (_health(region, instance) if wants_health else {}))
    return {"containerInstances": found, "failures": failures}


@operation
def list_container_instances(region, request):
    cluster = cluster_of(region, request)
    status, expression = request.get("status"), request.get("filter")
    found = [i for i in cluster.instances.values() if status in (None, i.status)]
    if expression:
        found = placing.matching(found, expression)
    return page(request, "containerInstanceArns", [i.arn for i in found])


@operation
def update_container_instances_state(region, request):
    cluster = cluster_of(region, request)
    status = request.get("status")
    if status not in STATES:
        raise invalid(f"Container instance status should be one of [{', '.join(STATES)}]")
    found, failures = [], []
    for identifier in check_size("Container Instances", request.get("containerInstances"), 10):
        instance = _find(cluster, identifier)
        if instance is None:
            failures.append(missing(identifier))
            continue
        instance.status = status
        instance.version += 1
        region.event_bridge.instance(instance)
        region.touch_services(cluster)
        found.append(describe(region, instance))
    return {"containerInstances": found, "failures": failures}


@operation
def deregister_container_instance(region, request):
    cluster = cluster_of(region, request)
    instance = _find(cluster, request["containerInstance"])
    if instance is None:
        raise invalid("The referenced container instance was not found.")
    if instance.tasks() and not request.get("force"):
        raise invalid("Found running tasks on the instance.")
    for task in instance.tasks():
        region.stop_task(task, None, "Container instance deregistration forced by user")
    hosts.deregister(region, instance)
    return {"containerInstance": describe(region, instance)}


def _find(cluster, identifier: str):
    return cluster.instances.get(identifiers.within_cluster("container-instance", identifier, cluster.name))


def describe(region, instance, tags: bool = False) -> dict:
    tasks = instance.tasks()
    free = placing.remaining(instance)
    used_ports = [str(p) for p in sorted(instance.ports | placing.ports_in_use(instance))]

    gpus = [f"GPU-{instance.id[:8]}-{number}" for number in range(instance.gpus)]

    def resources(cpu: int, memory: int, ports: list[str], udp: list[str], free_gpus: int) -> list[dict]:
        return [
            {"name": "CPU", "type": "INTEGER", "doubleValue": 0.0, "longValue": 0, "integerValue": cpu},
            {"name": "MEMORY", "type": "INTEGER", "doubleValue": 0.0, "longValue": 0, "integerValue": memory},
            _strings("PORTS", ports),
            _strings("PORTS_UDP", udp),
            *([_strings("GPU", gpus[:free_gpus])] if gpus else []),
        ]

    return {
        "containerInstanceArn": instance.arn,
        **({"ec2InstanceId": instance.ec2_instance_id} if instance.ec2_instance_id else {}),
        **({"capacityProviderName": instance.capacity_provider} if instance.capacity_provider else {}),
        "version": instance.version,
        "versionInfo": {"agentVersion": placing.AGENT_VERSION, "agentHash": "", "dockerVersion": ""},
        "registeredResources": resources(instance.cpu, instance.memory, [str(p) for p in sorted(instance.ports)], [], instance.gpus),
        "remainingResources": resources(*free, used_ports, [str(p) for p in sorted(placing.ports_in_use(instance, "udp"))], placing.free_gpus(instance)),
        "status": instance.status,
        "agentConnected": instance.agent_connected,
        "runningTasksCount": sum(t.last_status == "RUNNING" for t in tasks),
        "pendingTasksCount": sum(t.desired_status == "RUNNING" and t.last_status != "RUNNING" for t in tasks),
        "attributes": [
            {"name": n, **({} if v is None else {"value": v})} for n, v in sorted(instance.attributes.items())
        ],
        "registeredAt": instance.registered_at,
        "attachments": [],
        "tags": region.tags.get(instance.arn, []) if tags else [],
    }


def _health(region, instance) -> dict:
    status = "OK" if instance.agent_connected else "INSUFFICIENT_DATA"
    runtime = {"type": "CONTAINER_RUNTIME", "status": status, "lastUpdated": region.clock.now(), "lastStatusChange": instance.registered_at}
    return {"healthStatus": {"overallStatus": status, "details": [runtime]}}


def _strings(name: str, values: list[str]) -> dict:
    return {"name": name, "type": "STRINGSET", "doubleValue": 0.0, "longValue": 0, "integerValue": 0, "stringSetValue": values}
