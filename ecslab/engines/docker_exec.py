"""One command in a running container, as root, as ECS Exec runs it.

Source: Developer Guide, "Using Amazon ECS Exec to access containers".
"""
from __future__ import annotations

import time
from typing import TYPE_CHECKING, Sequence

from .base import Executed, NotExecuted
from .docker_steps import words

if TYPE_CHECKING:
    import docker

ROOT = "0:0"  # whatever `user` the container has
LONGEST = 60.0  # seconds of this machine, for a command whose output is waited for
MOST_OUTPUT = 2**20  # bytes
CANNOT_RUN, NOT_FOUND = 126, 127  # Docker gives the first for both
NOT_THERE = "executable file not found"


def run(client: "docker.APIClient", container_id: str, command: Sequence[str]) -> Executed:
    """Everything the command printed, and its exit code. NotExecuted when the container is gone or it takes too long."""
    import docker
    import requests

    try:
        made = client.exec_create(container_id, list(command), user=ROOT)["Id"]
    except docker.errors.APIError as error:
        raise NotExecuted(f"The container cannot be reached: {words(error)}") from error
    try:
        output = _read(client, made)
        code = client.exec_inspect(made)["ExitCode"]
    except docker.errors.APIError as error:  # what is not in the container never ran
        return Executed(NOT_FOUND, words(error) + "\n")
    except requests.exceptions.RequestException as error:
        raise NotExecuted(f"The command did not end: {words(error)}") from error
    if code in (None, CANNOT_RUN) and NOT_THERE in output:
        code = NOT_FOUND
    return Executed(CANNOT_RUN if code is None else code, output)


def _read(client: "docker.APIClient", made: str) -> str:
    ends, kept, size = time.monotonic() + LONGEST, [], 0
    for chunk in client.exec_start(made, stream=True):
        if size < MOST_OUTPUT:
            kept.append(chunk[: MOST_OUTPUT - size])
        size += len(chunk)
        if time.monotonic() > ends:
            raise NotExecuted(f"The command did not end within {LONGEST:.0f} seconds. It still runs in the container.")
    text = b"".join(kept).decode(errors="replace")
    return text if size <= MOST_OUTPUT else f"{text}\n... and {size - MOST_OUTPUT} bytes more.\n"
