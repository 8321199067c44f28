"""May the lab app write a file? What a container's file system would answer, for the engine that has none.

The words are those of busybox's shell in the lab app's image. Sources: API Reference,
ContainerDefinition (readonlyRootFilesystem, user, mountPoints), LinuxParameters (tmpfs).
"""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Iterator, Mapping

from .base import TaskSpec

READ_ONLY, DENIED, NO_FOLDER = "Read-only file system", "Permission denied", "nonexistent directory"
FOLDERS = {"/bin", "/etc", "/root", "/tmp", "/var"}  # of the image; all but /tmp are root's
ROOT = ("", "0", "root")


@dataclass(frozen=True)
class _Mount:
    """A file system within the container. `open` to every user, or only to root."""

    read_only: bool = False
    open: bool = False


def refused(spec: TaskSpec, definition: Mapping, path: str) -> str | None:
    """Why the container's process could not write that file; None when it could."""
    folder = PurePosixPath(path).parent
    mounts = {"/": _Mount(bool(definition.get("readonlyRootFilesystem"))), **dict(_mounts(spec, definition))}
    above = [str(folder), *map(str, folder.parents)]
    place = next(name for name in above if name in mounts)
    if str(folder) not in mounts and str(folder) not in FOLDERS:
        return NO_FOLDER
    if mounts[place].read_only:
        return READ_ONLY
    is_root = (definition.get("user") or "").partition(":")[0] in ROOT
    return None if is_root or mounts[place].open or str(folder) == "/tmp" else DENIED


def _mounts(spec: TaskSpec, definition: Mapping) -> Iterator[tuple[str, _Mount]]:
    yield "/dev", _Mount()
    yield "/dev/shm", _Mount(open=True)
    yield "/sys", _Mount(read_only=True)
    for item in (definition.get("linuxParameters") or {}).get("tmpfs") or ():
        yield item["containerPath"].rstrip("/"), _Mount("ro" in (item.get("mountOptions") or ()), open=True)
    for item in definition.get("volumesFrom") or ():
        source = next(c for c in spec.containers if c["name"] == item["sourceContainer"])
        for mount in source.get("mountPoints") or ():
            yield mount["containerPath"].rstrip("/"), _Mount(bool(mount.get("readOnly") or item.get("readOnly")))
    for mount in definition.get("mountPoints") or ():
        yield mount["containerPath"].rstrip("/"), _Mount(bool(mount.get("readOnly")))
