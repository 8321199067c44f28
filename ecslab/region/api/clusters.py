"""Clusters: create, describe, list, update, delete.

Source: API Reference, CreateCluster, DescribeClusters, ListClusters,
UpdateCluster, UpdateClusterSettings, DeleteCluster.
"""
from __future__ import annotations

from ...rules.errors import EcsError, invalid
from .. import identifiers, launch
from ..capacity import checked
from ..model import Cluster, without_none
from . import operation
from .common import check_tags, cluster_of, included, missing, page

INCLUDE = ("ATTACHMENTS", "CONFIGURATIONS", "SETTINGS", "STATISTICS", "TAGS")
INSIGHTS = ("enhanced", "enabled", "disabled")


@operation
def create_cluster(region, request):
    name = request.get("clusterName") or "default"
    if not identifiers.NAME.fullmatch(name):
        raise invalid(f"Invalid identifier: {name}")
    tags = check_tags(request.get("tags"))
    settings = _settings(region, request.get("settings"))
    configuration = _configuration(request.get("configuration"))
    providers, strategy = checked(region, request)
    existing = region.clusters.get(name)
    if existing is not None and existing.status == "ACTIVE":
        return {"cluster": describe(region, existing, tags=True, settings=True)}
    cluster = Cluster(
        arn=region.ids.arn("cluster", name),
        name=name,
        settings=settings,
        configuration=configuration,
        service_connect_defaults=request.get("serviceConnectDefaults"),
    )
    region.clusters[name] = cluster
    region.tags[cluster.arn] = tags
    region.capacity.associate(cluster, providers, strategy)
    region.hosts.retry()
    return {"cluster": describe(region, cluster, tags=True, settings=True)}


@operation
def describe_clusters(region, request):
    wants = {word: included(request, word, INCLUDE) for word in INCLUDE}
    clusters, failures = [], []
    for identifier in request.get("clusters") or ["default"]:
        if not identifier:
            raise invalid("Clusters can not be blank.")
        cluster = region.clusters.get(identifiers.cluster_name(identifier))
        if cluster is None:
            arn = identifier if identifier.startswith("arn:") else region.ids.arn("cluster", identifier)
            failures.append(missing(arn))
        else:
            clusters.append(
                describe(
                    region,
                    cluster,
                    tags=wants["TAGS"],
                    settings=wants["SETTINGS"],
                    statistics=wants["STATISTICS"],
                    configuration=wants["CONFIGURATIONS"],
                    attachments=wants["ATTACHMENTS"],
                )
            )
    return {"clusters": clusters, "failures": failures}


@operation
def list_clusters(region, request):
    return page(request, "clusterArns", [c.arn for c in region.clusters.values() if c.status == "ACTIVE"])


@operation
def update_cluster(region, request):
    cluster = cluster_of(region, request)
    if request.get("settings") is not None:
        cluster.settings = _settings(region, request["settings"])
    if request.get("configuration") is not None:
        cluster.configuration = _configuration(request["configuration"])
    if request.get("serviceConnectDefaults") is not None:
        cluster.service_connect_defaults = request["serviceConnectDefaults"]
    return {"cluster": describe(region, cluster, tags=True, settings=True, configuration=True)}


@operation
def update_cluster_settings(region, request):
    cluster = cluster_of(region, request)
    cluster.settings = _settings(region, request.get("settings"))
    return {"cluster": describe(region, cluster, settings=True)}


@operation
def delete_cluster(region, request):
    cluster = cluster_of(region, request)
    if any(i.status in ("ACTIVE", "DRAINING") for i in cluster.instances.values()):
        raise EcsError(
            "ClusterContainsContainerInstancesException",
            "The Cluster cannot be deleted while Container Instances are active or draining.",
        )
    if any(s.status in ("ACTIVE", "DRAINING") for s in cluster.services.values()):
        raise EcsError("ClusterContainsServicesException", "The Cluster cannot be deleted while Services are active.")
    if any(t.last_status != "STOPPED" for t in cluster.tasks.values()):
        raise EcsError("ClusterContainsTasksException", "The Cluster cannot be deleted while Tasks are active.")
    region.capacity.associate(cluster, [], [])
    cluster.status = "INACTIVE"
    return {"cluster": describe(region, cluster)}


def _settings(region, settings: list[dict] | None) -> list[dict]:
    if not settings:
        return [{"name": "containerInsights", "value": region.account_setting("containerInsights")}]
    for setting in settings:
        if setting.get("name") != "containerInsights":
            raise invalid("settings name should be one of [containerInsights]")
        if setting.get("value") not in INSIGHTS:
            raise invalid(f"containerInsights should be one of [{','.join(INSIGHTS)}]")
    return list(settings)


def _configuration(configuration: dict | None) -> dict | None:
    execute = (configuration or {}).get("executeCommandConfiguration") or {}
    log = execute.get("logConfiguration")
    if log is not None and execute.get("logging") != "OVERRIDE":
        raise invalid("You must set logging to 'OVERRIDE' when you supply a log configuration.")
    if execute.get("logging") == "OVERRIDE" and not ((log or {}).get("cloudWatchLogGroupName") or (log or {}).get("s3BucketName")):
        raise invalid(
            "A CloudWatch log group name or S3 bucket name must be specified when overriding the default log configuration."
        )
    return configuration


def describe(region, cluster: Cluster, tags=False, settings=False, statistics=False, configuration=False, attachments=False):
    tasks = list(cluster.tasks.values())
    services = [s for s in cluster.services.values() if s.status == "ACTIVE"]
    draining = [s for s in cluster.services.values() if s.status == "DRAINING"]
    shape = {
        "clusterArn": cluster.arn,
        "clusterName": cluster.name,
        "status": cluster.status,
        "registeredContainerInstancesCount": sum(i.status in ("ACTIVE", "DRAINING") for i in cluster.instances.values()),
        "runningTasksCount": sum(t.last_status == "RUNNING" for t in tasks),
        "pendingTasksCount": sum(_pending(t) for t in tasks),
        "activeServicesCount": len(services),
        "statistics": [],
        "tags": region.tags.get(cluster.arn, []) if tags else [],
        "settings": cluster.settings if settings else [],
        "capacityProviders": cluster.capacity_providers,
        "defaultCapacityProviderStrategy": cluster.default_capacity_provider_strategy,
        "serviceConnectDefaults": cluster.service_connect_defaults,
        "configuration": cluster.configuration if configuration else None,
    }
    if statistics:
        numbers = {
            "runningEC2TasksCount": sum(t.last_status == "RUNNING" and t.launch_type == "EC2" for t in tasks),
            "runningFargateTasksCount": sum(t.last_status == "RUNNING" and t.launch_type == "FARGATE" for t in tasks),
            "pendingEC2TasksCount": sum(_pending(t) and t.launch_type == "EC2" for t in tasks),
            "pendingFargateTasksCount": sum(_pending(t) and t.launch_type == "FARGATE" for t in tasks),
            "activeEC2ServiceCount": sum(_launch_type(s) == "EC2" for s in services),
            "activeFargateServiceCount": sum(_launch_type(s) == "FARGATE" for s in services),
            "drainingEC2ServiceCount": sum(_launch_type(s) == "EC2" for s in draining),
            "drainingFargateServiceCount": sum(_launch_type(s) == "FARGATE" for s in draining),
        }
        shape["statistics"] = [{"name": name, "value": str(value)} for name, value in numbers.items()]
    if attachments:
        shape["attachments"] = cluster.attachments
        shape["attachmentsStatus"] = cluster.attachments_status
    return without_none(shape)


def _launch_type(service) -> str | None:
    return launch.launch_type_of(service.lead.config) if service.lead else None


def _pending(task) -> bool:
    return task.desired_status == "RUNNING" and task.last_status != "RUNNING"
