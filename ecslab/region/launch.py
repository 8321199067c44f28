"""How a task comes to be: where it may run, which network it gets, the task itself.

RunTask, StartTask and the service controller all go through here. Sources: API
Reference, RunTask, CreateService, AwsVpcConfiguration; Developer Guide, "Amazon
ECS launch types and capacity providers".
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Sequence

from ..engines.base import TaskSpec
from ..rules import lifecycle
from ..rules import task_definition as definitions
from ..rules.capacity_providers import capacity_provider_strategy, is_fargate, short_name
from ..rules.errors import EcsError, invalid
from . import way_out
from .configuration import filled
from .failures import no_capacity
from .inside import Inside, TaskEndpoint
from .model import Cluster, ContainerInstance, Deployment, Service, Task, TaskDefinition, without_none

if TYPE_CHECKING:
    from . import Region
    from .capacity import Wanted

PLATFORM_VERSIONS = ("LATEST", "1.4.0", "1.3.0")
CURRENT_PLATFORM = "1.4.0"

BOTH = "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again."


def configuration(region: "Region", cluster: Cluster, request: dict, task_definition: TaskDefinition) -> dict:
    """launchType or capacityProviderStrategy, platformVersion and networkConfiguration, checked and filled in."""
    strategy = request.get("capacityProviderStrategy")
    launch_type = request.get("launchType")
    if strategy and launch_type:
        raise invalid(BOTH)
    if not strategy and not launch_type:
        strategy = cluster.default_capacity_provider_strategy or None
    if strategy:
        strategy = [{**item, "capacityProvider": short_name(item["capacityProvider"])} for item in strategy]
        capacity_provider_strategy(strategy, cluster.capacity_providers)
        launch_type = "FARGATE" if is_fargate(strategy) else "EC2"
    launch_type = launch_type or "EC2"
    _check_compatibility(task_definition, launch_type)
    return without_none(
        {
            "launchType": None if strategy else launch_type,
            "capacityProviderStrategy": strategy,
            "platformVersion": _platform(request.get("platformVersion"), launch_type),
            "platformFamily": "Linux" if launch_type == "FARGATE" else None,
            "networkConfiguration": network_configuration(region, request.get("networkConfiguration"), task_definition, launch_type),
        }
    )


def network_configuration(region: "Region", given: dict | None, task_definition: TaskDefinition, launch_type: str) -> dict | None:
    if task_definition.definition.get("networkMode") == "awsvpc":
        return {"awsvpcConfiguration": region.vpc.check(given, launch_type)}
    if given:
        raise invalid("Network Configuration is not valid for the given networkMode of this task definition.")
    return None


def launch_type_of(config: dict) -> str:
    """FARGATE or EC2, of a capacity provider strategy too."""
    strategy = config.get("capacityProviderStrategy") or ()
    return config.get("launchType") or ("EC2" if strategy and not is_fargate(strategy) else "FARGATE")


def _check_compatibility(task_definition: TaskDefinition, launch_type: str) -> None:
    if launch_type not in task_definition.definition.get("compatibilities", ()):
        raise invalid(f"Task definition does not support launch_type {launch_type}.")


def _platform(version: str | None, launch_type: str) -> str | None:
    if launch_type != "FARGATE":
        if version:
            raise invalid("The platform version must be null when specifying an EC2 launch type.")
        return None
    if version and version not in PLATFORM_VERSIONS:
        raise EcsError("PlatformUnknownException", "The specified platform does not exist.")
    return version or "LATEST"


def new_task(
    region: "Region",
    cluster: Cluster,
    task_definition: TaskDefinition,
    config: dict,
    *,
    definition: dict,
    overrides: dict | None = None,
    group: str | None = None,
    started_by: str | None = None,
    service: Service | None = None,
    deployment: Deployment | None = None,
    provider: str | None = None,
    instance: ContainerInstance | None = None,
    wanted: Wanted | None = None,
    tags: list[dict] | None = None,
    enable_execute_command: bool = False,
) -> Task:
    """A task in PROVISIONING, handed to the task controller. Its network interface comes with its place.

    wanted: what it wants of an instance, where it has to wait for one.
    """
    region.roles.check(definition)
    launch_type = launch_type_of(config)
    task_id = region.ids.hex()
    cpu, memory = definitions.reserved(definition)
    task = Task(
        arn=region.ids.arn("task", cluster.name, task_id),
        id=task_id,
        cluster=cluster,
        task_definition=task_definition,
        definition=definition,
        overrides=overrides or {"containerOverrides": [], "inferenceAcceleratorOverrides": []},
        launch_type=launch_type,
        group=group or f"family:{task_definition.family}",
        created_at=region.clock.now(),
        containers={c.name: c for c in lifecycle.containers_of(definition)},
        cpu=cpu,
        memory=memory,
        started_by=started_by,
        service=service,
        deployment_id=deployment.id if deployment else None,
        capacity_provider=provider,
        platform_version=_resolved_platform(config) if launch_type == "FARGATE" else None,
        instance=instance,
        wanted=wanted,
        enable_execute_command=enable_execute_command,
    )
    for name in task.containers:
        task.facts[name] = {"containerArn": region.ids.arn("container", cluster.name, task_id, region.ids.uuid())}
    if task.network_mode == "awsvpc" and wanted is None:
        _attach(region, task, config["networkConfiguration"]["awsvpcConfiguration"])
    if instance is not None:
        instance.take(task)
    task.history.append((task.created_at, task.last_status))
    cluster.tasks[task_id] = task
    if service is not None:
        service.tasks[task_id] = task
    region.sessions.launched(task)
    region.tags[task.arn] = list(tags or [])
    task.endpoints = region.connect.known_to(task)
    region.touch(task)
    if wanted is not None:
        region.capacity.wait(task)
    return task


def settle(region: "Region", task: Task, instance: ContainerInstance) -> None:
    """A task that waited has an instance now: its interface is attached, and it goes on. EcsError where it cannot be."""
    config, task.wanted = task.wanted.config, None
    instance.take(task)
    if task.network_mode == "awsvpc":
        _attach(region, task, config["networkConfiguration"]["awsvpcConfiguration"])
    task.version += 1
    region.touch(task)


def _resolved_platform(config: dict) -> str:
    version = config.get("platformVersion") or "LATEST"
    return CURRENT_PLATFORM if version == "LATEST" else version


def _attach(region: "Region", task: Task, wanted: dict) -> None:
    subnet = _subnet(region, task, wanted["subnets"])
    task.attachment_id = region.ids.uuid()
    description = region.ids.arn("attachment", task.attachment_id)
    task.network, task.public_ip = region.vpc.attach(
        subnet, wanted["securityGroups"], wanted["assignPublicIp"] == "ENABLED", description
    )
    task.zone = region.vpc.zone(subnet)
    task.cluster.spread[task.group, subnet] += 1


def _subnet(region: "Region", task: Task, subnets: Sequence[str]) -> str:
    """The subnet with the fewest tasks of this service or group; in the order given among equals."""
    if task.instance is not None and task.instance.engine.network is not None:
        here = [s for s in subnets if region.vpc.zone(s) == task.instance.zone]
        subnets = here or subnets
    subnets = [s for s in subnets if region.vpc.zone(s) not in region.failures.zones]
    if not subnets:
        raise no_capacity()
    return min(subnets, key=lambda s: task.cluster.spread[task.group, s])


def spec(region: "Region", task: Task) -> TaskSpec:
    """What the engine needs to run the task. Raises configuration.Failed when it could not be fetched."""
    way_out.check(region, task)
    definition = task.definition
    return TaskSpec(
        task_id=task.id,
        task_arn=task.arn,
        cluster=task.cluster.name,
        family=task.task_definition.family,
        revision=task.task_definition.revision,
        network_mode=task.network_mode,
        containers=region.images.pulled(task, filled(region, task)),
        volumes=tuple(definition.get("volumes", ())),
        cpu=int(definition["cpu"]) if definition.get("cpu") else None,
        memory=int(definition["memory"]) if definition.get("memory") else None,
        network=task.network,
        instance=task.instance.engine if task.instance else None,
        pid_mode=definition.get("pidMode"),
        ipc_mode=definition.get("ipcMode"),
        endpoints=tuple((e.name, e.port, e) for e in task.endpoints),
        environment=Inside(region, task, "").settings,
        inside=TaskEndpoint(task.id, task.network.private_ip) if task.network else None,
        to_inside={name: Inside(region, task, name).addresses for name in task.containers} if task.network else {},
        firewall="" if region.is_simulated or task.network is None else region.firewall.of(task),
    )
