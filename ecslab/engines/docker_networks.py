"""Address ranges: one Docker network per VPC, at the VPC's own CIDR.

A range that something on this machine already uses is never taken twice: Docker
would refuse it, or this machine would lose its way to the real network there.
"""
from __future__ import annotations

import ipaddress
import os
import struct
import tempfile
from ipaddress import IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, Mapping

if TYPE_CHECKING:
    import docker

ROUTES = Path("/proc/net/route")


class RangeTaken(Exception):
    """The VPC's range is in use on this machine; the text says by what, and what to do."""


def free_cidr(client: "docker.APIClient", candidates: list[str]) -> str:
    """The first of these ranges that nothing on this machine uses; the first of all when there is none."""
    used = _ranges_in_use(client)
    return next((c for c in candidates if not _overlap(c, used) and _reserve(c)), candidates[0])


def _reserve(cidr: str) -> bool:
    """Take a range for this process, before its network exists: two regions that start at once must not choose the same."""
    try:
        import fcntl
    except ImportError:
        return True  # no such locks on this system
    if cidr in _reserved:
        return True
    path = Path(tempfile.gettempdir()) / f"ecslab-{os.getuid()}-{cidr.replace('/', '_')}.lock"
    try:
        handle = path.open("a")
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    _reserved[cidr] = handle  # held until this process ends
    return True


_reserved: dict[str, object] = {}


def create(client: "docker.APIClient", name: str, vpc_id: str, cidr: str, labels: Mapping[str, str]) -> str:
    """The id of a new Docker network for a VPC, with its first address as the gateway. Raises RangeTaken."""
    import docker

    taken_by = _overlap(cidr, _ranges_in_use(client))
    if taken_by is None:
        pool = docker.types.IPAMPool(subnet=cidr, gateway=str(ipaddress.ip_network(cidr)[1]))
        ipam = docker.types.IPAMConfig(pool_configs=[pool])
        try:
            return client.create_network(name, driver="bridge", ipam=ipam, labels=dict(labels))["Id"]
        except docker.errors.APIError as error:
            if "overlaps" not in str(error.explanation):
                raise
            taken_by = "another Docker network"
    raise RangeTaken(
        f"the addresses {cidr} of {vpc_id} are in use on this machine by {taken_by}. "
        "Stop the other region or remove that network, or use a VPC with another range."
    )


def _overlap(cidr: str, used: Mapping[IPv4Network, str]) -> str | None:
    wanted = ipaddress.ip_network(cidr)
    return next((what for taken, what in used.items() if wanted.overlaps(taken)), None)


def _ranges_in_use(client: "docker.APIClient") -> dict[IPv4Network, str]:
    used = {network: f"the network interface {interface}" for network, interface in _routes()}
    for network in client.networks():
        for config in network["IPAM"].get("Config") or ():
            if "." in config.get("Subnet", ""):
                used[IPv4Network(config["Subnet"])] = f"the Docker network {network['Name']}"
    return used


def _routes() -> list[tuple[IPv4Network, str]]:
    """The networks this machine is on (Linux)."""
    if not ROUTES.exists():
        return []
    rows = [line.split() for line in ROUTES.read_text().splitlines()[1:]]
    routes = [(IPv4Network((_address(row[1]), bin(int(row[7], 16)).count("1"))), row[0]) for row in rows]
    return [(network, interface) for network, interface in routes if network.prefixlen]


def _address(hexadecimal: str) -> int:
    return struct.unpack(">I", struct.pack("=I", int(hexadecimal, 16)))[0]
