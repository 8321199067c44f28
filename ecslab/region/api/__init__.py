"""The operations of the ECS API, one function each.

A function takes the region and the request (a dict in the shape of botocore's
model, types already checked) and returns the response; it raises `EcsError`.
It writes desired state and never waits for anything to happen. Functions are
found by name: `create_cluster` answers CreateCluster.
"""
from __future__ import annotations

from typing import Callable

OPERATIONS: dict[str, Callable] = {}


def operation(function: Callable) -> Callable:
    OPERATIONS["".join(word.capitalize() for word in function.__name__.split("_"))] = function
    return function


def load() -> dict[str, Callable]:
    """Every operation that is built, by its name in the API."""
    from . import clusters, instances, service_deployments, service_operations, settings, tags, task_definitions, task_sets, tasks  # noqa: F401

    return OPERATIONS
