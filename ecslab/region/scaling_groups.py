"""moto's Auto Scaling groups, balanced over their Availability Zones as AWS's are.

moto starts every instance of a group in its first subnet. Mended, each goes to the zone in
which the group has fewest, and never to a zone that has failed; and one whose launch template
asks for Spot is a Spot Instance.

Source: Amazon EC2 Auto Scaling User Guide, "Auto Scaling benefits for application architecture".
"""
from __future__ import annotations

from functools import lru_cache

from .identifiers import ACCOUNT


@lru_cache
def mended() -> None:
    """Once for the process."""
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
