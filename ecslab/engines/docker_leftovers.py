"""Whose is a container, network or volume, and what to do when its owner is gone.

Everything the engine makes is labelled with its region and with the process
that made it. A process is known by its number, the moment it started and its
process namespace, so a later process with the same number is another one, and
what a process elsewhere owns (on another machine, in a container) is left alone.
"""
from __future__ import annotations

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Iterator, Mapping

from . import docker_cgroups
from .docker_steps import quietly

if TYPE_CHECKING:
    import docker

    from .docker_last_words import LastWords

REGION, PID, STARTED, NAMESPACE = "ecslab.region", "ecslab.pid", "ecslab.started", "ecslab.namespace"
AT_ONCE = 16


def labels(region_id: str) -> dict[str, str]:
    pid = os.getpid()
    return {REGION: region_id, PID: str(pid), STARTED: started(pid) or "", NAMESPACE: _namespace()}


def started(pid: int) -> str | None:
    """When that process started, in this machine's own terms. None when there is no such process (or a dead one)."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None if Path("/proc/self/stat").exists() else _started_as_ps_tells(pid)
    return None if state == "Z" else fields[18]


def _started_as_ps_tells(pid: int) -> str | None:
    """For systems without /proc. Where there is no `ps` either, nobody is taken for dead."""
    try:
        found = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, timeout=5)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return found.stdout.strip() or None


@cache
def _namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return os.uname().nodename if hasattr(os, "uname") else ""


def is_dead(owner: Mapping[str, str]) -> bool:
    if owner.get(NAMESPACE) != _namespace():
        return False
    return started(int(owner[PID])) != owner.get(STARTED)


def sweep(client: "docker.APIClient", last_words: "LastWords | None" = None) -> None:
    """Remove what the regions of dead processes left behind; what their containers printed is kept first."""
    for region_id in {owner[REGION] for owner in _owners(client) if is_dead(owner)}:
        if last_words is not None:
            last_words.keep(client, client.containers(all=True, filters=_of(region_id)), region_id)
        clear(client, region_id)


def _of(region_id: str) -> dict[str, str]:
    return {"label": f"{REGION}={region_id}"}


def _owners(client: "docker.APIClient") -> Iterator[Mapping[str, str]]:
    of_ours = {"label": [REGION, PID]}
    for thing in (
        *client.containers(all=True, filters=of_ours),
        *client.networks(filters=of_ours),
        *(client.volumes(filters=of_ours)["Volumes"] or ()),
    ):
        yield thing["Labels"]


def clear(client: "docker.APIClient", region_id: str) -> None:
    """Remove every container, network, volume and control group of a region."""
    mine = _of(region_id)
    containers = client.containers(all=True, filters=mine)

    def remove(container: Mapping) -> None:
        quietly(client.remove_container, container["Id"], force=True, v=True)

    try:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(remove, containers))
    except RuntimeError:  # Python is shutting down and takes no new work: one after the other, then
        for container in containers:
            remove(container)
    for network in client.networks(filters=mine):
        quietly(client.remove_network, network["Id"])
    for volume in client.volumes(filters=mine)["Volumes"] or ():
        quietly(client.remove_volume, volume["Name"], force=True)
    docker_cgroups.remove_all(region_id)
