"""The record of a service's deployments: service deployments and service revisions.

A service revision is what a deployment aims at, and never changes. A service
deployment is the way there: its stage, its traffic, and how it ended.

Source: API Reference, ServiceDeployment, ServiceRevision; Developer Guide, "View
service history using Amazon ECS service deployments".
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..rules import rollout
from .model import Deployment, Service, without_none

if TYPE_CHECKING:
    from . import Region

KEPT = 100  # service deployments of one service
ENDED = ("SUCCESSFUL", "STOPPED", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED")
REVISION_FIELDS = ("launchType", "capacityProviderStrategy", "platformVersion", "platformFamily", "networkConfiguration")
SERVICE_FIELDS = ("loadBalancers", "serviceRegistries", "serviceConnectConfiguration", "volumeConfigurations")


@dataclass
class ServiceDeployment:
    arn: str
    service: Service
    target: Deployment
    sources: list[Deployment]
    configuration: dict
    created_at: float
    status: str = "IN_PROGRESS"
    status_reason: str | None = None
    stage: str | None = None
    stage_since: float = 0.0
    shifted_at: float | None = None  # when production traffic was shifted in this stage
    finished_at: float | None = None
    stopped_at: float | None = None
    updated_at: float = 0.0
    rollback: dict | None = None
    triggered_alarms: list[str] = field(default_factory=list)
    alarms_at_start: list[str] = field(default_factory=list)
    stop_requested: str | None = None
    hooks: list[dict] = field(default_factory=list)
    weights: dict[str, tuple[float, float]] = field(default_factory=dict)  # deployment id -> production, test, in percent
    failures: int = 0

    @property
    def native(self) -> bool:
        return (self.configuration.get("strategy") or "ROLLING") != "ROLLING"

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    @property
    def id(self) -> str:
        return self.arn.rpartition("/")[2]


def begin(region: "Region", service: Service, target: Deployment) -> ServiceDeployment:
    """Record that the service is on its way to `target`. The one before ends, superseded."""
    now = region.clock.now()
    before = service.current_deployment
    if before is not None and not before.ended:
        finish(before, "STOPPED", "The service deployment was superseded by a newer one.", now)
    record = ServiceDeployment(
        arn=region.ids.arn("service-deployment", service.cluster.name, service.name, region.ids.hex(20)),
        service=service,
        target=target,
        sources=[d for d in service.deployments if d is not target and d.status != "INACTIVE"],
        configuration=service.deployment_configuration,
        created_at=now,
        updated_at=now,
    )
    service.history.insert(0, record)
    del service.history[KEPT:]
    return record


def finish(record: ServiceDeployment, status: str, reason: str | None, now: float) -> None:
    record.status, record.status_reason = status, reason
    record.finished_at = record.updated_at = now
    if status == "STOPPED":
        record.stopped_at = now


def roll_back(record: ServiceDeployment, to: Deployment, reason: str, now: float) -> None:
    """The deployment failed and the service returns to `to`."""
    record.status, record.status_reason, record.updated_at = "ROLLBACK_IN_PROGRESS", reason, now
    record.rollback = {"reason": reason, "startedAt": now, "serviceRevisionArn": to.revision_arn}


def describe(record: ServiceDeployment) -> dict:
    service, configuration = record.service, record.configuration
    breaker = configuration.get("deploymentCircuitBreaker") or {}
    alarms = configuration.get("alarms") or {}
    tripped = record.rollback is not None or record.status == "STOPPED"
    return without_none(
        {
            "serviceDeploymentArn": record.arn,
            "serviceArn": service.arn,
            "clusterArn": service.cluster.arn,
            "createdAt": record.created_at,
            "startedAt": record.created_at,
            "finishedAt": record.finished_at,
            "stoppedAt": record.stopped_at,
            "updatedAt": record.updated_at,
            "sourceServiceRevisions": [_summary(record, d) for d in record.sources],
            "targetServiceRevision": _summary(record, record.target),
            "status": record.status,
            "statusReason": record.status_reason,
            "lifecycleStage": record.stage,
            "lifecycleHookDetails": [dict(hook) for hook in record.hooks] or None,
            "deploymentConfiguration": configuration,
            "rollback": record.rollback,
            "deploymentCircuitBreaker": {
                "status": _monitor(breaker.get("enable"), record, tripped and record.failures >= threshold(service)),
                "failureCount": record.failures,
                "threshold": threshold(service),
            },
            "alarms": {
                "status": _monitor(alarms.get("enable"), record, bool(record.triggered_alarms)),
                "alarmNames": alarms.get("alarmNames", []),
                "triggeredAlarmNames": record.triggered_alarms,
            },
        }
    )


def _monitor(enabled, record: ServiceDeployment, triggered: bool) -> str:
    if not enabled:
        return "DISABLED"
    if triggered:
        return "TRIGGERED"
    return "MONITORING_COMPLETE" if record.ended else "MONITORING"


def threshold(service: Service) -> int:
    """How many failed tasks trip the circuit breaker now."""
    given = (service.deployment_configuration.get("deploymentCircuitBreaker") or {}).get("thresholdConfiguration") or {}
    kind, value = given.get("type", "BOUNDED_PERCENT"), given.get("value", 50)
    return rollout.failure_threshold(service.desired_count, kind, value)


def _summary(record: ServiceDeployment, deployment: Deployment) -> dict:
    running, pending = record.service.counts(deployment.id)
    production, test = record.weights.get(deployment.id, (None, None))
    return without_none(
        {
            "arn": deployment.revision_arn,
            "requestedTaskCount": record.service.desired_count if deployment.status == "PRIMARY" else running + pending,
            "runningTaskCount": running,
            "pendingTaskCount": pending,
            "requestedProductionTrafficWeight": production,
            "requestedTestTrafficWeight": test,
        }
    )


def brief(record: ServiceDeployment) -> dict:
    whole = describe(record)
    names = ("serviceDeploymentArn", "serviceArn", "clusterArn", "startedAt", "createdAt", "finishedAt", "status", "statusReason")
    return {**{name: whole[name] for name in names if name in whole}, "targetServiceRevisionArn": record.target.revision_arn}


def describe_revision(service: Service, deployment: Deployment) -> dict:
    """Desired count and deployment configuration are no part of a revision."""
    images = [
        without_none({"containerName": c["name"], "image": c["image"], "imageDigest": deployment.digests.get(c["name"])})
        for c in deployment.task_definition.definition["containerDefinitions"]
    ]
    config = deployment.config
    entries = config.get("loadBalancers") or []
    resolved = [
        without_none(
            {
                "targetGroupArn": deployment.target_group(entry),
                "productionListenerRule": (entry.get("advancedConfiguration") or {}).get("productionListenerRule"),
            }
        )
        for entry in entries
    ]
    return without_none(
        {
            "serviceRevisionArn": deployment.revision_arn,
            "serviceArn": service.arn,
            "clusterArn": service.cluster.arn,
            "taskDefinition": deployment.task_definition.arn,
            **{name: config.get(name) for name in REVISION_FIELDS + SERVICE_FIELDS},
            "containerImages": images,
            "guardDutyEnabled": False,
            "createdAt": deployment.created_at,
            "resolvedConfiguration": {"loadBalancers": resolved} if resolved else None,
        }
    )
