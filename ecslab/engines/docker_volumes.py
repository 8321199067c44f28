"""What stands behind a task's volumes: a folder of the lab, or a Docker volume.

A volume of the task ends with the task; a shared one and a file system end with
the region. Sources: Developer Guide, "Storage options for Amazon ECS tasks";
API Reference, Volume, DockerVolumeConfiguration.
"""
from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Mapping

from . import docker_safety

if TYPE_CHECKING:
    import docker

NOT_BUILT = ("fsxWindowsFileServerVolumeConfiguration", "s3filesVolumeConfiguration")


class NotBuilt(Exception):
    """A volume that cannot be had here."""


def folder(volume: Mapping, lab_folder: Path) -> Path | None:
    """The folder on this machine that a volume names, made if need be; None for other kinds of volume."""
    path = (volume.get("host") or {}).get("sourcePath")
    if not path:
        return None
    found = docker_safety.host_path(path, lab_folder)
    found.mkdir(parents=True, exist_ok=True)
    return found


def name(volume: Mapping, region_id: str, task_id: str) -> tuple[str, bool]:
    """(the Docker volume's name, does it end with the task). Raises NotBuilt."""
    kind = next((kind for kind in NOT_BUILT if volume.get(kind)), None)
    if kind:
        raise NotBuilt(f"volume {volume['name']}: {kind} cannot be had here")
    file_system = volume.get("efsVolumeConfiguration")
    if file_system:
        place = re.sub(r"[^\w.-]", "_", file_system.get("rootDirectory") or "/")
        return f"ecslab-{region_id}-{file_system['fileSystemId']}-{place}", False
    if _is_shared(volume):
        return f"ecslab-{region_id}-{volume['name']}", False
    return f"ecslab-{region_id}-{task_id}-{volume['name']}", True


def ensure(client: "docker.APIClient", volume: Mapping, docker_name: str, labels: Mapping[str, str], allow_unsafe: bool) -> str:
    """The name of a Docker volume that exists now. A shared one that is not autoprovisioned must exist already.

    Raises NotBuilt for a volume of this machine that is none of the region's.
    """
    settings = volume.get("dockerVolumeConfiguration") or {}
    if _is_shared(volume) and not settings.get("autoprovision"):
        ours = client.volumes(filters={"name": f"^{docker_name}$"})["Volumes"]
        if ours:
            return docker_name
        found = client.inspect_volume(volume["name"])["Name"]
        if not allow_unsafe:
            raise NotBuilt(f"refused: the volume {found} of this machine was not made here ({docker_safety.SWITCH})")
        return found
    client.create_volume(
        docker_name,
        driver=settings.get("driver"),
        driver_opts=settings.get("driverOpts"),
        labels={**(settings.get("labels") or {}), **labels},
    )
    return docker_name


def _is_shared(volume: Mapping) -> bool:
    return (volume.get("dockerVolumeConfiguration") or {}).get("scope") == "shared"
