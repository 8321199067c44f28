"""What the region knows: the resources the ECS API writes and reads.

Desired state is what the API wrote; observed state is what engine and probes
reported. Both live on these objects; only controllers act on the difference.
`describe()` gives each resource in the shape of botocore's model.
"""
from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Mapping

from ..engines.base import Instance, Network
from ..rules import health, lifecycle
from ..rules.network import private_dns_name
from .timeline import Recorder

MAX_EVENTS = 100  # service events kept (Developer Guide, "Amazon ECS service event messages")


def without_none(shape: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in shape.items() if value is not None}


@dataclass
class Cluster:
    arn: str
    name: str
    status: str = "ACTIVE"
    settings: list[dict] = field(default_factory=lambda: [{"name": "containerInsights", "value": "disabled"}])
    configuration: dict | None = None
    capacity_providers: list[str] = field(default_factory=list)
    attachments: list[dict] = field(default_factory=list)
    attachments_status: str = "UPDATE_COMPLETE"
    default_capacity_provider_strategy: list[dict] = field(default_factory=list)
    service_connect_defaults: dict | None = None
    services: dict[str, "Service"] = field(default_factory=dict)  # by name
    tasks: dict[str, "Task"] = field(default_factory=dict)  # by id
    instances: dict[str, "ContainerInstance"] = field(default_factory=dict)  # by id
    client_tokens: dict[str, tuple[Any, list[str]]] = field(default_factory=dict)  # RunTask
    spread: Counter = field(default_factory=Counter)  # (group, subnet) -> tasks that are to run there

    def setting(self, name: str) -> str | None:
        return next((s.get("value") for s in self.settings if s.get("name") == name), None)


@dataclass
class TaskDefinition:
    """One revision. `definition` is what `rules.task_definition.register` returned."""

    arn: str
    family: str
    revision: int
    definition: dict
    registered_at: float
    registered_by: str
    status: str = "ACTIVE"
    deregistered_at: float | None = None
    delete_requested_at: float | None = None

    def describe(self) -> dict:
        return without_none(
            {
                **self.definition,
                "taskDefinitionArn": self.arn,
                "revision": self.revision,
                "status": self.status,
                "registeredAt": self.registered_at,
                "registeredBy": self.registered_by,
                "deregisteredAt": self.deregistered_at,
                "deleteRequestedAt": self.delete_requested_at,
            }
        )


@dataclass
class ContainerInstance:
    """A host for `EC2` and `EXTERNAL` tasks. Resources are in CPU units and MiB."""

    arn: str
    id: str
    cluster: Cluster
    ec2_instance_id: str | None
    zone: str
    cpu: int
    memory: int
    registered_at: float
    engine: Instance
    attributes: dict[str, str | None] = field(default_factory=dict)
    ports: frozenset[int] = frozenset({22, 2375, 2376, 51678, 51679})
    status: str = "ACTIVE"
    agent_connected: bool = True
    version: int = 1
    eni_limit: int = 3
    gpus: int = 0
    trunk: Network | None = None  # carries its tasks' interfaces where awsvpcTrunking is on
    capacity_provider: str | None = None
    interrupted: bool = False  # its Spot capacity is being taken back
    held: dict[str, "Task"] = field(default_factory=dict)  # not STOPPED, by id

    def tasks(self) -> list["Task"]:
        return list(self.held.values())

    @property
    def is_external(self) -> bool:
        """A machine of one's own, joined through ECS Anywhere."""
        return (self.ec2_instance_id or "").startswith("mi-")

    def take(self, task: "Task") -> None:
        """The task runs here from now on; what it reserves is released when it has STOPPED."""
        task.instance = self
        task.zone = task.zone or self.zone
        self.held[task.id] = task


@dataclass
class Task:
    arn: str
    id: str
    cluster: Cluster
    task_definition: TaskDefinition
    definition: dict  # overrides applied
    overrides: dict
    launch_type: str
    group: str
    created_at: float
    containers: dict[str, lifecycle.Container]
    cpu: int
    memory: int
    started_by: str | None = None
    service: "Service | None" = None
    deployment_id: str | None = None
    capacity_provider: str | None = None
    platform_version: str | None = None
    zone: str = ""
    network: Network | None = None
    instance: ContainerInstance | None = None
    attachment_id: str | None = None
    attachment_status: str = "PRECREATED"
    public_ip: str | None = None
    tags_at_start: list[dict] = field(default_factory=list)
    enable_execute_command: bool = False

    last_status: str = "PROVISIONING"
    desired_status: str = "RUNNING"
    stop_code: str | None = None
    stopped_reason: str | None = None
    version: int = 1
    facts: dict[str, dict] = field(default_factory=dict)  # per container: runtimeId, imageDigest, networkBindings
    image_digests: dict[str, str] = field(default_factory=dict)  # per container whose image came from ECR
    published: Mapping[int, int] = field(default_factory=dict)
    progress: lifecycle.Progress = lifecycle.Progress()
    prepared: bool = False
    wanted: Any = None  # capacity.Wanted, while it waits for an instance
    removing: bool = False
    lost: bool = False  # what it ran on is gone
    targets: list[Any] = field(default_factory=list)  # balancing.Target, where it is registered
    endpoints: tuple[Any, ...] = ()  # connect.Endpoint, what it may call by a short name
    registries: list[str] = field(default_factory=list)  # ids of Cloud Map services, where it is registered
    protected_until: float | None = None
    counted: bool = False  # this task's failure has been counted against its deployment

    connectivity_at: float | None = None
    pull_started_at: float | None = None
    pull_stopped_at: float | None = None
    started_at: float | None = None
    stopping_at: float | None = None
    execution_stopped_at: float | None = None
    stopped_at: float | None = None
    history: list[tuple[float, str]] = field(default_factory=list)

    @property
    def network_mode(self) -> str:
        return self.definition.get("networkMode") or "bridge"

    @cached_property
    def is_checked(self) -> bool:
        """Has any of its containers a health check?"""
        return health.is_checked(self.containers.values())

    @property
    def health(self) -> str:
        return health.task_health(self.containers.values()) if self.is_checked else "UNKNOWN"

    @property
    def private_dns_name(self) -> str:
        return private_dns_name(self.network.private_ip, self.arn.split(":")[3])

    def is_protected(self, now: float) -> bool:
        return self.protected_until is not None and now < self.protected_until

    def describe(self, attributes: bool = False) -> dict:
        definition = self.definition
        shape = {
            "taskArn": self.arn,
            "clusterArn": self.cluster.arn,
            "taskDefinitionArn": self.task_definition.arn,
            "containerInstanceArn": self.instance.arn if self.instance else None,
            "overrides": self.overrides,
            "lastStatus": self.last_status,
            "desiredStatus": self.desired_status,
            "cpu": str(self.cpu),
            "memory": str(self.memory),
            "containers": [self._describe_container(c) for c in definition["containerDefinitions"]],
            "startedBy": self.started_by,
            "version": self.version,
            "stoppedReason": self.stopped_reason,
            "stopCode": self.stop_code,
            "connectivity": "CONNECTED" if self.connectivity_at else None,
            "connectivityAt": self.connectivity_at,
            "pullStartedAt": self.pull_started_at,
            "pullStoppedAt": self.pull_stopped_at,
            "createdAt": self.created_at,
            "startedAt": self.started_at,
            "stoppingAt": self.stopping_at,
            "executionStoppedAt": self.execution_stopped_at,
            "stoppedAt": self.stopped_at,
            "group": self.group,
            "launchType": self.launch_type,
            "capacityProviderName": self.capacity_provider,
            "platformVersion": self.platform_version,
            "platformFamily": "Linux" if self.launch_type == "FARGATE" else None,
            "attachments": self._attachments(),
            "healthStatus": self.health,
            "availabilityZone": self.zone or None,
            "enableExecuteCommand": self.enable_execute_command,
            "attributes": [{"name": "ecs.cpu-architecture", "value": self._architecture()}],
            "tags": [],
        }
        if self.launch_type == "FARGATE":
            size = definition.get("ephemeralStorage", {"sizeInGiB": 20})
            shape["ephemeralStorage"] = size
            shape["fargateEphemeralStorage"] = {"sizeInGiB": size["sizeInGiB"]}
        return without_none(shape)

    def _architecture(self) -> str:
        platform = self.definition.get("runtimePlatform") or {}
        return "arm64" if platform.get("cpuArchitecture") == "ARM64" else "x86_64"

    def _describe_container(self, definition: Mapping) -> dict:
        container = self.containers[definition["name"]]
        facts = self.facts.get(container.name, {})
        interfaces = []
        if self.network:
            interfaces = [{"attachmentId": self.attachment_id, "privateIpv4Address": self.network.private_ip}]
        return without_none(
            {
                "containerArn": facts["containerArn"],
                "taskArn": self.arn,
                "name": container.name,
                "image": definition["image"],
                "imageDigest": facts.get("imageDigest"),
                "runtimeId": facts.get("runtimeId"),
                "lastStatus": container.api_status,
                "exitCode": container.exit_code,
                "reason": container.reason,
                "healthStatus": container.health if container.has_health_check else "UNKNOWN",
                "networkBindings": list(facts.get("networkBindings", [])),
                "networkInterfaces": interfaces,
                "managedAgents": facts.get("managedAgents"),
                "cpu": str(definition.get("cpu") or 0),
                "memory": _text(definition.get("memory")),
                "memoryReservation": _text(definition.get("memoryReservation")),
            }
        )

    def _attachments(self) -> list[dict]:
        if self.network is None:
            return []
        network = self.network
        details = {
            "subnetId": network.subnet_id,
            "networkInterfaceId": network.eni_id,
            "macAddress": network.mac,
            "privateDnsName": self.private_dns_name,
            "privateIPv4Address": network.private_ip,
        }
        return [
            {
                "id": self.attachment_id,
                "type": "ElasticNetworkInterface",
                "status": self.attachment_status,
                "details": [{"name": name, "value": value} for name, value in details.items()],
            }
        ]


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)


@dataclass
class Deployment:
    """One deployment of a service, with the configuration its tasks start with."""

    id: str
    task_definition: TaskDefinition
    config: dict  # launchType, capacityProviderStrategy, platformVersion, networkConfiguration, ...
    created_at: float
    updated_at: float
    status: str = "PRIMARY"
    rollout_state: str = "IN_PROGRESS"
    rollout_state_reason: str = ""
    failed_tasks: int = 0
    start_failures: int = 0
    failures: int = 0
    last_failure_at: float = 0.0
    unplaced: bool = False  # at the last try some of its tasks found no place
    completed_once: bool = False
    revision_arn: str = ""
    digests: dict[str, str] = field(default_factory=dict)  # of its images, by container
    alternate: bool = False  # its tasks are in the alternate target groups

    def target_group(self, entry: Mapping[str, Any]) -> str | None:
        """Where its tasks are registered for that entry of `loadBalancers`."""
        other = (entry.get("advancedConfiguration") or {}).get("alternateTargetGroupArn")
        return other if self.alternate and other else entry.get("targetGroupArn")


@dataclass
class Service:
    arn: str
    name: str
    cluster: Cluster
    created_at: float
    desired_count: int
    scheduling_strategy: str
    deployment_controller: str
    deployment_configuration: dict
    settings: dict  # the rest of CreateService, as given: loadBalancers, placement, tags options, ...
    request: dict  # the whole CreateService request, to answer a repeated one
    status: str = "ACTIVE"
    deployments: list[Deployment] = field(default_factory=list)  # PRIMARY first
    events: deque = field(default_factory=lambda: deque(maxlen=MAX_EVENTS))  # newest first
    tasks: dict[str, Task] = field(default_factory=dict)  # not STOPPED, by id
    steady: bool = False
    moves: list[Any] = field(default_factory=list)  # rebalancing.Move, to another Availability Zone
    balancing: bool = False
    changed_at: float = 0.0
    recorder: Recorder = field(default_factory=Recorder)
    history: list[Any] = field(default_factory=list)  # deployments.ServiceDeployment, newest first
    task_sets: list[Any] = field(default_factory=list)  # task_sets.TaskSet, where another program deploys
    revisions: list[Deployment] = field(default_factory=list)  # every deployment there was, newest first

    @property
    def current_deployment(self) -> Any | None:
        """The newest service deployment, on its way or done."""
        return self.history[0] if self.history else None

    @property
    def lead(self) -> Deployment | None:
        """Whose settings the service shows: the PRIMARY deployment or task set."""
        if self.deployments:
            return self.deployments[0]
        return next((one.deployment for one in self.task_sets if one.status == "PRIMARY"), None)

    @property
    def fallback(self) -> Deployment | None:
        """The newest deployment that was completed, to go back to when the PRIMARY fails."""
        return next((d for d in self.revisions if d.completed_once and d is not self.primary), None)

    @property
    def strategy(self) -> str:
        return self.deployment_configuration.get("strategy") or "ROLLING"

    @property
    def primary(self) -> Deployment:
        return self.deployments[0]

    def deployment(self, deployment_id: str) -> Deployment | None:
        every = (*self.deployments, *(one.deployment for one in self.task_sets))
        return next((d for d in every if d.id == deployment_id), None)

    def counts(self, deployment_id: str | None = None) -> tuple[int, int]:
        """(runningCount, pendingCount) of the service, or of one deployment."""
        running = pending = 0
        for task in self.tasks.values():
            if deployment_id is not None and task.deployment_id != deployment_id:
                continue
            running += task.last_status == "RUNNING"
            pending += task.desired_status == "RUNNING" and task.last_status != "RUNNING"
        return running, pending

    def describe(self) -> dict:
        running, pending = self.counts()
        lead = self.lead
        config = lead.config if lead else {}
        shape = {
            "serviceArn": self.arn,
            "serviceName": self.name,
            "clusterArn": self.cluster.arn,
            "loadBalancers": config.get("loadBalancers") or [],
            "serviceRegistries": config.get("serviceRegistries") or [],
            "placementConstraints": [],
            "placementStrategy": [],
            **self.settings,
            "status": self.status,
            "desiredCount": self.desired_count,
            "runningCount": running,
            "pendingCount": pending,
            "launchType": config.get("launchType"),
            "capacityProviderStrategy": config.get("capacityProviderStrategy"),
            "platformVersion": config.get("platformVersion"),
            "platformFamily": config.get("platformFamily"),
            "taskDefinition": lead.task_definition.arn if lead else None,
            "networkConfiguration": config.get("networkConfiguration"),
            "deploymentConfiguration": self.deployment_configuration,
            "deployments": [self._describe_deployment(d) for d in self.deployments],
            "currentServiceDeployment": self.history[0].arn if self.history and not self.history[0].ended else None,
            "currentServiceRevisions": self._describe_revisions(),
            "events": list(self.events),
            "createdAt": self.created_at,
            "schedulingStrategy": self.scheduling_strategy,
            "deploymentController": {"type": self.deployment_controller},
        }
        return without_none(shape)

    def _describe_revisions(self) -> list[dict]:
        shapes = []
        for deployment in self.deployments:
            running, pending = self.counts(deployment.id)
            wanted = self.desired_count if deployment.status == "PRIMARY" else running + pending
            shapes.append(
                {"arn": deployment.revision_arn, "requestedTaskCount": wanted, "runningTaskCount": running, "pendingTaskCount": pending}
            )
        return shapes

    def _describe_deployment(self, deployment: Deployment) -> dict:
        running, pending = self.counts(deployment.id)
        return without_none(
            {
                "id": deployment.id,
                "status": deployment.status,
                "taskDefinition": deployment.task_definition.arn,
                "desiredCount": self.desired_count if deployment.status == "PRIMARY" else 0,
                "pendingCount": pending,
                "runningCount": running,
                "failedTasks": deployment.failed_tasks,
                "createdAt": deployment.created_at,
                "updatedAt": deployment.updated_at,
                "rolloutState": deployment.rollout_state,
                "rolloutStateReason": deployment.rollout_state_reason,
                **deployment.config,
            }
        )
