"""Can security groups be enforced on real traffic here? It takes two things: the tools in the pause image, and a kernel that filters.

The tools are told by a label of the image, at no cost. The kernel is asked once,
by loading a small rule set in a container that is on no network.
"""
from __future__ import annotations

import os
from typing import TYPE_CHECKING

from . import docker_leftovers, images
from .docker_steps import quietly, words

if TYPE_CHECKING:
    import docker

LIMIT = 20  # seconds
YES = (True, "a packet filter in each task's network namespace")
NO_TOOLS = (
    False,
    f"the pause image has no nft and socat: install nftables and socat, or go online and `docker rmi -f {images.PAUSE}`; the next start makes it anew",
)
LOAD = ["sh", "-c", 'echo "$1" | nft -f -', "nft"]
TRIAL = "table inet trial { chain input { type filter hook input priority 0; policy drop; ct state established accept; }; }"


def enforces(client: "docker.APIClient") -> tuple[bool, str]:
    """Does the traffic of tasks obey their security groups, and why or why not?"""
    return _kernel(client) if images.has_tools(client) else NO_TOOLS


def load(client: "docker.APIClient", pause: str, rules: str) -> None:
    """Replace the rule set of a running pause container: all of it, or nothing."""
    client.exec_start(client.exec_create(pause, [*LOAD, rules])["Id"])


def _kernel(client: "docker.APIClient") -> tuple[bool, str]:
    import docker
    import requests

    made = None
    try:
        made = client.create_container(
            images.PAUSE,
            [*LOAD, TRIAL],
            labels=docker_leftovers.labels(f"filter-trial-{os.getpid()}"),
            host_config=client.create_host_config(network_mode="none", cap_add=["NET_ADMIN"]),
        )["Id"]
        client.start(made)
        code = client.wait(made, timeout=LIMIT)["StatusCode"]
        said = client.logs(made).decode(errors="replace").strip()
        return YES if code == 0 else (False, f"the kernel of this Docker engine takes no packet filter: {said.splitlines()[0] if said else code}")
    except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
        return False, f"whether the kernel filters could not be tried: {words(error)}"
    finally:
        if made is not None:
            quietly(client.remove_container, made, force=True)
