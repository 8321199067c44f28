"""moto's Auto Scaling groups, balanced over their Availability Zones as AWS's are.

moto starts every instance of a group in its first subnet. Mended, each goes to the zone in
which the group has fewest, and never to a zone that has failed; and one whose launch template
asks for Spot is a Spot Instance. A group that shrinks takes from its fullest zone, never what is protected from
scale-in, and lets managed draining have its time.

Source: Amazon EC2 Auto Scaling User Guide, "Auto Scaling benefits for application architecture".
"""
from __future__ import annotations

from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING, Iterable, Mapping

from ..rules.capacity_providers import DRAINING_HOOK, DRAINING_TIMEOUT
from . import network
from .identifiers import ACCOUNT

if TYPE_CHECKING:
    from . import Region


@lru_cache
def mended() -> None:
    """Once for the process; and EC2 with it, which moto makes for a group."""
    network.mended()
    from moto.autoscaling.models import FakeAutoScalingGroup

    launch = FakeAutoScalingGroup.replace_autoscaling_group_instances

    def one_by_one(group, count_needed: int, propagated_tags: dict) -> None:
        wanted = group.vpc_zone_identifier
        for _ in range(count_needed):
            subnet = _subnet(group, wanted)
            if subnet is None:
                return
            group.vpc_zone_identifier = subnet
            try:
                launch(group, 1, dict(propagated_tags))
            finally:
                group.vpc_zone_identifier = wanted
            if _on_spot(group):
                group.instance_states[-1].instance.lifecycle = "spot"

    FakeAutoScalingGroup.replace_autoscaling_group_instances = one_by_one

    resize = FakeAutoScalingGroup.set_desired_capacity

    def resized(group, new_capacity) -> None:
        size = group.min_size if new_capacity is None else new_capacity
        if size < len(group.active_instances()) and not group.mixed_instances_policy:
            _shrink(group, size)
        else:
            resize(group, new_capacity)

    FakeAutoScalingGroup.set_desired_capacity = resized


def _on_spot(group) -> bool:
    """Does the group's launch template ask for Spot Instances?"""
    template = group.ec2_launch_template
    return template is not None and bool(template.get_version(group.launch_template_version).data.get("InstanceMarketOptions"))


def _subnet(group, wanted: str | None) -> str | None:
    """The subnet for the group's next instance; None when all its zones have failed."""
    from . import current

    region = current()
    vpc = region.vpc
    subnets = wanted.split(",") if wanted else [s for s in vpc.default_subnets() if vpc.zone(s) in group.availability_zones]
    usable = [s.strip() for s in subnets if vpc.zone(s.strip()) not in region.failures.zones]
    zones = [state.instance.placement.zone for state in group.instance_states]
    return min(usable, key=lambda s: zones.count(vpc.zone(s)), default=None)


def top_up(region_name: str) -> None:
    """Groups that have fewer instances than they want launch the missing ones."""
    from moto.autoscaling.models import autoscaling_backends

    for group in autoscaling_backends[ACCOUNT][region_name].autoscaling_groups.values():
        missing = group.desired_capacity - len(group.instance_states)
        if missing > 0:
            group.replace_autoscaling_group_instances(missing, group.get_propagated_tags())


# What capacity providers ask of groups ------------------------------------------------


def find(region_name: str, identifier: str):
    """The group of this ARN or name; None when there is none."""
    from moto.autoscaling.models import autoscaling_backends

    groups = autoscaling_backends[ACCOUNT][region_name].autoscaling_groups
    return groups.get(identifier) or next((g for g in groups.values() if g.arn == identifier), None)


def zones(region: "Region", group) -> set[str]:
    """The Availability Zones its instances start in."""
    subnets = group.vpc_zone_identifier
    return {region.vpc.zone(s.strip()) for s in subnets.split(",")} if subnets else set(group.availability_zones)


def manage(group, policy: str, cluster: str, provider: str, scaling: Mapping) -> None:
    """The target tracking policy and the tag that ECS gives a group it scales."""
    backend = group.autoscaling_backend
    dimensions = [{"Name": "ClusterName", "Value": cluster}, {"Name": "CapacityProviderName", "Value": provider}]
    metric = {"MetricName": "CapacityProviderReservation", "Namespace": "AWS/ECS/ManagedScaling", "Dimensions": dimensions, "Statistic": "Average"}
    backend.put_scaling_policy(
        name=policy,
        policy_type="TargetTrackingScaling",
        metric_aggregation_type=None,
        adjustment_type=None,
        as_name=group.name,
        min_adjustment_magnitude=None,
        scaling_adjustment=None,
        cooldown=None,
        target_tracking_config={"CustomizedMetricSpecification": metric, "TargetValue": float(scaling["targetCapacity"]), "DisableScaleIn": False},
        step_adjustments=[],
        estimated_instance_warmup=str(scaling["instanceWarmupPeriod"]),
        predictive_scaling_configuration=None,
    )
    tag = {"ResourceId": group.name, "ResourceType": "auto-scaling-group", "Key": "AmazonECSManaged", "Value": "", "PropagateAtLaunch": True}
    backend.create_or_update_tags([tag])


def hook(group) -> None:
    """The lifecycle hook by which managed draining holds an instance that is to end."""
    backend = group.autoscaling_backend
    backend.create_lifecycle_hook(DRAINING_HOOK, group.name, "autoscaling:EC2_INSTANCE_TERMINATING", int(DRAINING_TIMEOUT), "CONTINUE")


def unmanage(group, names: Iterable[str]) -> None:
    """Take back what `manage` and `hook` gave, by the names of policy and hook."""
    backend = group.autoscaling_backend
    for name in names:
        backend.policies.pop(name, None)
        backend.delete_lifecycle_hook(group.name, name)


def _shrink(group, size: int) -> None:
    """Take the surplus out of service: from the zone that has most, the oldest first, none that is protected."""
    from . import current

    scaling = current().managed_scaling
    scaling.before_scale_in(group)
    for _ in range(len(group.active_instances()) - size):
        held = Counter(state.availability_zone for state in group.active_instances())
        free = [state for state in group.active_instances() if not state.protected_from_scale_in]
        if not free:
            break
        state = max(free, key=lambda s: held[s.availability_zone])
        if not scaling.drains(group, state):
            terminate(group, state)
    group.desired_capacity = size


def terminate(group, state) -> None:
    """End an instance of the group for good."""
    group.instance_states = [s for s in group.instance_states if s is not state]
    group.autoscaling_backend.ec2_backend.terminate_instances([state.instance.id])
    if group.name in group.autoscaling_backend.autoscaling_groups:
        group.autoscaling_backend.update_attached_elbs(group.name)
        group.autoscaling_backend.update_attached_target_groups(group.name)
