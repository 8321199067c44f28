"""Control groups: limits for a whole task, and what its containers use.

Docker limits single containers. ECS limits a task as a whole, with one parent
group for its containers; that can be made where Docker manages its groups
itself (driver `cgroupfs`, version 1) on this very machine and this user may
write there. Elsewhere every container of the task gets the task's limits, which
is the same thing for a task of one container and looser for one of several.
"""
from __future__ import annotations

import os
from functools import cache
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
OURS = "ecslab"
DOCKERS = "docker"
MEBIBYTE = 2**20
PERIOD = 100_000  # microseconds


@cache
def can_group() -> bool:
    """May this process make parent groups for tasks?"""
    return all(os.access(ROOT / controller / DOCKERS, os.W_OK) for controller in ("cpu", "memory"))


def make_group(region_id: str, task_id: str, cpu: int | None, memory: int | None) -> str:
    """A parent group with a task's limits (CPU units, MiB): its name, as Docker's CgroupParent wants it."""
    name = f"{OURS}/{region_id}/{task_id}"
    limits = {
        "cpu/cpu.cfs_period_us": PERIOD if cpu else None,
        "cpu/cpu.cfs_quota_us": quota(cpu) if cpu else None,
        "memory/memory.limit_in_bytes": memory * MEBIBYTE if memory else None,
        "memory/memory.memsw.limit_in_bytes": memory * MEBIBYTE if memory else None,
    }
    for file, value in limits.items():
        controller, _, file = file.partition("/")
        folder = ROOT / controller / name
        folder.mkdir(parents=True, exist_ok=True)
        if value is not None and (folder / file).exists():  # not every kernel counts swap
            (folder / file).write_text(str(value))
    return f"/{name}"


def quota(cpu: int) -> int:
    """CPU units as microseconds of CPU in each period. Docker allows no less than 1000."""
    return max(1000, cpu * PERIOD // 1024)


def remove_group(region_id: str, task_id: str) -> None:
    for controller in ROOT.glob("*"):
        _remove(controller / OURS / region_id / task_id)


def remove_all(region_id: str) -> None:
    for controller in ROOT.glob("*"):
        for group in (controller / OURS / region_id).glob("*/"):
            _remove(group)
        _remove(controller / OURS / region_id)
        _remove(controller / OURS)  # stays while another region has a group in it


def _remove(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        pass  # it is not there, or in use


def usage(container_id: str, parent: str | None) -> tuple[float, int] | None:
    """(CPU seconds used, bytes in use) of a running container; None where its group cannot be read."""
    here = (parent or DOCKERS).strip("/")
    for read, folders in (
        (_usage_v1, [f"{here}/{container_id}", f"system.slice/docker-{container_id}.scope"]),
        (_usage_v2, [f"{here}/{container_id}", f"system.slice/docker-{container_id}.scope"]),
    ):
        for folder in folders:
            try:
                return read(folder)
            except (OSError, KeyError, ValueError):
                continue
    return None


def _usage_v1(folder: str) -> tuple[float, int]:
    cpu = int((ROOT / "cpuacct" / folder / "cpuacct.usage").read_text()) / 1e9
    memory = ROOT / "memory" / folder
    return cpu, int((memory / "memory.usage_in_bytes").read_text()) - _table(memory / "memory.stat")["total_inactive_file"]


def _usage_v2(folder: str) -> tuple[float, int]:
    group = ROOT / folder
    cpu = _table(group / "cpu.stat")["usage_usec"] / 1e6
    return cpu, int((group / "memory.current").read_text()) - _table(group / "memory.stat")["inactive_file"]


def _table(file: Path) -> dict[str, int]:
    return {name: int(value) for name, value in (line.split() for line in file.read_text().splitlines())}
