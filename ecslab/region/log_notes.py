"""What a log driver does not do here is said aloud: in the service's events, and above the lines themselves."""
from __future__ import annotations

from typing import TYPE_CHECKING

from ..rules import log_drivers

if TYPE_CHECKING:
    from . import Region
    from .model import Task


def of(task: "Task", container: str) -> list[str]:
    """The line above what the container printed, where there is something to say."""
    found = next(c for c in task.definition["containerDefinitions"] if c["name"] == container)
    note = log_drivers.not_carried(found)
    return [f"ecslab: {note}."] if note else []


def tell(region: "Region", task: "Task") -> None:
    """An event of the task's service for each such container, once."""
    from . import services

    if task.service is None:
        return
    for container in task.definition["containerDefinitions"]:
        note = log_drivers.not_carried(container)
        if note and not any(note in event["message"] for event in task.service.events):
            services.say(region, task.service, f"ecslab: {note}.")
