"""The operations of the APIs of ECS and Application Auto Scaling, one function each.

A function takes the region and the request (a dict in the shape of botocore's
model, types already checked) and returns the response; it raises `EcsError`.
It writes desired state and never waits for anything to happen. Functions are
found by name: `create_cluster` answers CreateCluster.
"""
from __future__ import annotations

from typing import Callable

OPERATIONS: dict[str, dict[str, Callable]] = {"ecs": {}, "application-autoscaling": {}}


def _of(service: str) -> Callable[[Callable], Callable]:
    def operation(function: Callable) -> Callable:
        OPERATIONS[service]["".join(word.capitalize() for word in function.__name__.split("_"))] = function
        return function

    return operation


operation = _of("ecs")
scaling_operation = _of("application-autoscaling")


def load(service: str = "ecs") -> dict[str, Callable]:
    """Every operation of a service that is built, by its name in the API."""
    from . import auto_scaling, capacity_providers, clusters, exec_command, instances, service_deployments, service_operations, settings, tags, task_definitions, task_sets, tasks  # noqa: F401

    return OPERATIONS[service]
