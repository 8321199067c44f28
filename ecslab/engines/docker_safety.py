"""What a task may not have of this machine, unless the user turned that on.

On EC2 a task definition may ask for the whole container instance. Here the
instance would be the learner's own machine, so whatever reaches out of the
container is refused with a reason that names the switch.
"""
from __future__ import annotations

from pathlib import Path
from typing import Iterator, Mapping

from .base import TaskSpec

SWITCH = "allow_unsafe=True at the region's start allows it"

# Linux capabilities that lead out of a container.
POWERFUL = frozenset(
    "ALL BPF DAC_READ_SEARCH LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE PERFMON "
    "SYSLOG SYS_ADMIN SYS_BOOT SYS_MODULE SYS_RAWIO SYS_TIME".split()
)
DOCKER_SOCKETS = (Path("/var/run/docker.sock"), Path("/run/docker.sock"), Path.home() / ".docker")


def refused(spec: TaskSpec, lab_folder: Path) -> tuple[str, str] | None:
    """(container, reason) when a task asks for more of this machine than a lab may have; else None."""
    volumes = {volume["name"]: volume for volume in spec.volumes}
    for definition in spec.containers:
        wants = [*_container_wants(definition), *_volume_wants(definition, volumes, lab_folder)]
        if wants:
            return definition["name"], f"CannotCreateContainerError: refused: {wants[0]} ({SWITCH})"
    return None


def _container_wants(definition: Mapping) -> Iterator[str]:
    linux = definition.get("linuxParameters") or {}
    if definition.get("privileged"):
        yield "a privileged container can take over this machine"
    if linux.get("devices"):
        yield "devices of this machine are not shared with containers"
    added = {c.upper().removeprefix("CAP_") for c in (linux.get("capabilities") or {}).get("add") or ()}
    for capability in sorted(added & POWERFUL):
        yield f"the capability {capability} leads out of the container"
    for option in definition.get("dockerSecurityOptions") or ():
        if not option.startswith("no-new-privileges"):
            yield f"the security option {option} loosens what contains the container"


def _volume_wants(definition: Mapping, volumes: Mapping[str, Mapping], lab_folder: Path) -> Iterator[str]:
    for mount in definition.get("mountPoints") or ():
        volume = volumes.get(mount.get("sourceVolume"), {})
        source = (volume.get("host") or {}).get("sourcePath")
        if source:
            yield from _path_wants(host_path(source, lab_folder), lab_folder)
        if mounts_more(volume):
            yield f"the volume {volume['name']} mounts something of this machine or its network"


def mounts_more(volume: Mapping) -> bool:
    """Do the options of a volume's driver name anything but memory?"""
    options = (volume.get("dockerVolumeConfiguration") or {}).get("driverOpts") or {}
    return options.get("type", "tmpfs") != "tmpfs" or "bind" in options.get("o", "") or options.get("device", "tmpfs") != "tmpfs"


def _path_wants(path: Path, lab_folder: Path) -> Iterator[str]:
    if any(socket.resolve().is_relative_to(path) for socket in DOCKER_SOCKETS) or path.is_socket():
        yield f"{path} would hand over the Docker engine"
    elif not path.is_relative_to(lab_folder):
        yield f"{path} is outside the lab's folder {lab_folder}"


def host_path(source: str, lab_folder: Path) -> Path:
    """Where a volume's sourcePath really leads, links followed. A relative one starts at the lab's folder."""
    return (lab_folder / source).resolve()
