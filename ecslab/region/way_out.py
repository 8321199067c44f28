"""Whether ECS gets at what a task needs before it starts: images, secrets, files, logs.

Default subnets are taken to have a way to all of it, so that a first task runs wherever a
learner puts it. In a subnet of the learner's own it needs what it needs in AWS: a public
address and an internet gateway, a NAT gateway, or VPC endpoints that let it in.

Sources: as in `rules/way_out.py`.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

from ..rules import way_out
from .configuration import Failed
from .model import Task

if TYPE_CHECKING:
    from . import Region


def check(region: "Region", task: Task) -> None:
    """Raises Failed with the stoppedReason when no way leads to something the task needs."""
    wanted = way_out.steps(task.definition, task.launch_type, region.name)
    who = region.reach.fetching(task) if wanted else None
    if who is None or region.reach.is_default(who.subnet.id):
        return
    found = way_out.blocked(who, wanted, region.reach.endpoints(who.vpc_id))
    if found:
        step, _ = found
        raise Failed(step.words, step.container)
