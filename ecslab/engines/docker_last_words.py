"""What the containers of an ended region had printed: written to files before they are removed, and said aloud.

A region whose process was killed can deliver nothing any more, and its CloudWatch went with it. The next one that starts
on this machine stops what is left, so that nothing is printed behind its back, and keeps every container's lines with the
moment of each. Only the newest regions are kept, and of a container no more than its last lines; where that cut
something off, it is said.
"""
from __future__ import annotations

import shutil
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Mapping

from .docker_home import PAUSE
from .docker_steps import quietly, words

if TYPE_CHECKING:
    import docker

MOST_LINES = 100_000  # of one container
MOST_REGIONS = 5
TASK, CONTAINER = "com.amazonaws.ecs.task-arn", "com.amazonaws.ecs.container-name"


class LastWords:
    """Keeps them in a folder of each region under `folder`; `tell` is given one message for each region."""

    def __init__(self, folder: Path, tell: Callable[[str], None]):
        self._folder, self._tell = folder, tell

    def keep(self, client: "docker.APIClient", containers: list[Mapping], region_id: str) -> None:
        mine = [one for one in containers if one["Labels"].get(TASK) and one["Labels"].get(CONTAINER, PAUSE) != PAUSE]
        if not mine:
            return
        folder = self._folder / region_id
        found: dict[str, list[str]] = defaultdict(list)
        for one in mine:
            found[_task(one)].append(_kept(client, one, folder))
        self._forget()
        tasks = "; ".join(f"{task} ({', '.join(sorted(told))})" for task, told in sorted(found.items()))
        self._tell(f"A region ended without being stopped. The containers of its tasks were removed: {tasks}. What they had printed is in {folder}")

    def _forget(self) -> None:
        folders = sorted(self._folder.iterdir(), key=lambda one: one.stat().st_mtime) if self._folder.is_dir() else []
        for old in folders[:-MOST_REGIONS]:
            shutil.rmtree(old, ignore_errors=True)


def _task(container: Mapping) -> str:
    """`cluster/id` of its task."""
    return "/".join(container["Labels"][TASK].split("/")[-2:])


def _kept(client: "docker.APIClient", container: Mapping, folder: Path) -> str:
    """Write its lines. Its name, with what was lost."""
    import docker

    name = container["Labels"][CONTAINER]
    path = folder / _task(container).replace("/", "-") / f"{name}.log"
    quietly(client.kill, container["Id"])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = 0
        with path.open("wb") as file:
            for chunk in client.logs(container["Id"], stream=True, follow=False, timestamps=True, tail=MOST_LINES):
                file.write(chunk)
                lines += chunk.count(b"\n")
    except (OSError, docker.errors.APIError) as error:
        return f"{name}: its lines are lost: {words(error)}"
    return f"{name}: no more than its last {MOST_LINES:,} lines" if lines >= MOST_LINES else name
