"""What a service of launch type EXTERNAL cannot have: its tasks run on machines outside AWS.

The texts are this lab's. What a task definition cannot have there is in `task_definition_needs.py`.

Source: Developer Guide, "Amazon ECS clusters for the external launch type".
"""
from __future__ import annotations

from typing import Mapping

from .errors import invalid

ZONE_SPREAD = "attribute:ecs.availability-zone"


def check(request: Mapping) -> None:
    """InvalidParameterException when CreateService or UpdateService asks for it."""
    connect = request.get("serviceConnectConfiguration") or {}
    asked = {
        "load balancers": request.get("loadBalancers"),
        "service discovery": request.get("serviceRegistries"),
        "Service Connect": connect.get("enabled"),
        "spreading tasks across Availability Zones": any(s.get("field") == ZONE_SPREAD for s in request.get("placementStrategy") or ()),
    }
    for what, wanted in asked.items():
        if wanted:
            raise invalid(f"The EXTERNAL launch type does not support {what}.")
