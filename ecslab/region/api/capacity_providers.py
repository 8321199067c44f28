"""Capacity providers: create, update, delete, describe; and which of them a cluster has.

Source: API Reference, CreateCapacityProvider, UpdateCapacityProvider, DeleteCapacityProvider,
DescribeCapacityProviders, PutClusterCapacityProviders.
"""
from __future__ import annotations

from ...rules import capacity_providers as rules
from ...rules.errors import EcsError, client
from .. import scaling_groups
from ..capacity import CapacityProvider, checked, found_provider
from ..model import without_none
from . import operation
from .clusters import describe as describe_cluster
from .common import check_tags, cluster_of, included, missing, page

UPDATING = 5.0  # seconds an update or a deletion takes
MANAGED_INSTANCES = "Amazon ECS Managed Instances are not part of this region. Create a capacity provider with autoScalingGroupProvider."
TAKEN = "The specified Auto Scaling group ARN is already being used by another capacity provider. Specify a unique Auto Scaling group ARN and try again."
BUSY = (
    "The specified cluster is in a busy state. Cluster attachments must be in UPDATE_COMPLETE or UPDATE_FAILED state "
    "before they can be updated. Wait and try again."
)


@operation
def create_capacity_provider(region, request):
    capacity = region.capacity
    _only_groups(request)
    name = rules.provider_name(request["name"])
    tags = check_tags(request.get("tags"))
    existing = capacity.providers.get(name)
    if existing is not None and existing.status != "INACTIVE":
        raise client("The specified capacity provider already exists. To change the configuration of an existing capacity provider, update the capacity provider.")
    given = request.get("autoScalingGroupProvider")
    if not given:
        raise client("A capacity provider needs autoScalingGroupProvider. Specify one and try again.")
    group = scaling_groups.find(region.name, given["autoScalingGroupArn"])
    if group is None:
        raise client("The specified Auto Scaling group was not found. Specify a valid Auto Scaling group ARN and try again.")
    if any(capacity.group(p) is group for p in capacity.providers.values() if p.settings and p.status == "ACTIVE"):
        raise client(TAKEN)
    settings = rules.auto_scaling_group_provider(
        {**given, "autoScalingGroupArn": group.arn}, protects_new_instances=bool(group.new_instances_protected_from_scale_in)
    )
    provider = CapacityProvider(region.ids.arn("capacity-provider", name), name, "EC2_AUTOSCALING", settings, update_status="CREATE_COMPLETE")
    capacity.providers[name] = provider
    region.tags[provider.arn] = tags
    return {"capacityProvider": _describe(region, provider, tags=True)}


@operation
def update_capacity_provider(region, request):
    _only_groups(request)
    provider = found_provider(region, request["name"])
    if provider.settings is None:
        raise client("The FARGATE and FARGATE_SPOT capacity providers are reserved and cannot be updated.")
    if (provider.update_status or "").endswith("_IN_PROGRESS"):
        raise EcsError("UpdateInProgressException", "The capacity provider is being updated. Wait and try again.")
    group = region.capacity.group(provider)
    given = request.get("autoScalingGroupProvider")
    if not given:
        raise client("Specify autoScalingGroupProvider with what is to change and try again.")
    settings = rules.auto_scaling_group_provider(
        given, provider.settings, protects_new_instances=bool(group and group.new_instances_protected_from_scale_in)
    )
    provider.settings = settings
    provider.update_status = "UPDATE_IN_PROGRESS"
    for cluster in region.capacity.clusters_of(provider):
        region.capacity.detach(cluster, provider)
        if group is not None:
            region.capacity.attach(cluster, provider)
            cluster.attachments = [{**a, "status": "CREATED"} for a in cluster.attachments]
    region.wake_at(region.clock.now() + UPDATING, lambda: _updated(provider))
    return {"capacityProvider": _describe(region, provider)}


def _updated(provider: CapacityProvider) -> None:
    if provider.update_status == "UPDATE_IN_PROGRESS":
        provider.update_status = "UPDATE_COMPLETE"


@operation
def delete_capacity_provider(region, request):
    provider = found_provider(region, request["capacityProvider"])
    if provider.settings is None:
        raise client("The FARGATE and FARGATE_SPOT capacity providers are reserved and cannot be deleted.")
    holders = region.capacity.clusters_of(provider)
    if holders:  # AWS answers, and says in the update status that it will not
        provider.update_status = "DELETE_FAILED"
        provider.update_status_reason = (
            f"The capacity provider cannot be deleted because it is associated with cluster: {holders[0].name}. "
            "Remove the capacity provider from the cluster and try again."
        )
    elif provider.update_status != "DELETE_IN_PROGRESS":
        provider.status, provider.update_status, provider.update_status_reason = "DEPROVISIONING", "DELETE_IN_PROGRESS", None
        region.wake_at(region.clock.now() + UPDATING, lambda: _deleted(provider))
    return {"capacityProvider": _describe(region, provider)}


def _deleted(provider: CapacityProvider) -> None:
    provider.status, provider.update_status = "INACTIVE", "DELETE_COMPLETE"


@operation
def describe_capacity_providers(region, request):
    tags = included(request, "TAGS", ("TAGS",))
    providers, failures = region.capacity.providers, []
    named = request.get("capacityProviders")
    if named:
        found = []
        for identifier in named:
            provider = providers.get(rules.short_name(identifier))
            found += [provider] if provider else []
            failures += [] if provider else [missing(region.ids.arn("capacity-provider", rules.short_name(identifier)))]
    else:
        found = [p for p in providers.values() if p.status != "INACTIVE"]
    if request.get("cluster"):
        holder = cluster_of(region, request)
        found = [p for p in found if p.name in holder.capacity_providers]
    return {**page(request, "capacityProviders", [_describe(region, p, tags) for p in found], default=10), "failures": failures}


@operation
def put_cluster_capacity_providers(region, request):
    cluster = cluster_of(region, request)
    if cluster.attachments_status == "UPDATE_IN_PROGRESS":
        raise EcsError("UpdateInProgressException", BUSY)
    names, strategy = checked(region, request, cluster)
    for name in cluster.capacity_providers:
        if name not in names and region.capacity.is_used(cluster, name):
            raise EcsError("ResourceInUseException", "The specified capacity provider is in use and cannot be removed.")
    region.capacity.associate(cluster, names, strategy)
    return {"cluster": describe_cluster(region, cluster, settings=True, attachments=True)}


def _only_groups(request) -> None:
    if request.get("managedInstancesProvider") or request.get("cluster"):
        raise EcsError("UnsupportedFeatureException", MANAGED_INSTANCES)


def _describe(region, provider: CapacityProvider, tags: bool = False) -> dict:
    return without_none(
        {
            "capacityProviderArn": provider.arn,
            "name": provider.name,
            "status": provider.status,
            "autoScalingGroupProvider": provider.settings,
            "updateStatus": provider.update_status,
            "updateStatusReason": provider.update_status_reason,
            "tags": region.tags.get(provider.arn, []) if tags else [],
            "type": provider.type,
        }
    )
