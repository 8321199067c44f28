"""In which order the containers of a task start; they stop in the reverse of it.

`dependsOn` says it aloud; `links` and `volumesFrom` imply the condition START.
Source: API Reference, ContainerDependency; Developer Guide, "Amazon ECS task
definition parameters" (container dependency). AWS does not publish the text of
the error for a circle: the words are ours.
"""
from __future__ import annotations

from typing import Mapping, Sequence

from .errors import client


def implied(container: Mapping) -> list[str]:
    """The containers that must have started because of `links` and `volumesFrom`."""
    links = [link.split(":")[0] for link in container.get("links") or []]
    return links + [source["sourceContainer"] for source in container.get("volumesFrom") or []]


def start_order(containers: Sequence[Mapping]) -> list[str]:
    """The containers' names, each after all it depends on. ClientException when they wait for one another."""
    needs = {c["name"]: {d["containerName"] for d in c.get("dependsOn") or []} | set(implied(c)) for c in containers}
    order: list[str] = []
    while len(order) < len(needs):
        ready = [name for name, others in needs.items() if name not in order and others <= set(order)]
        if not ready:
            waiting = ", ".join(name for name in needs if name not in order)
            raise client(f"Container dependencies must not form a cycle: {waiting}")
        order += ready
    return order
