"""ecslab: a private AWS region on one machine whose ECS really schedules, with a teacher on top.

`start` gives a region, `open_lab` a lab on one, `weekday` a day of traffic. Each is imported when first used.
"""
from __future__ import annotations

from typing import Any

__version__ = "0.1.0"
__all__ = ["Region", "open_lab", "start", "weekday"]

_HOMES = {"start": "ecslab.region", "Region": "ecslab.region", "open_lab": "ecslab.teach", "weekday": "ecslab.region.demand"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'ecslab' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
