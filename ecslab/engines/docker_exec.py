"""One command in a running container, as root, as ECS Exec runs it.

Source: Developer Guide, "Using Amazon ECS Exec to access containers".
"""
from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, Sequence

from .base import Executed, NotExecuted
from .docker_steps import words

if TYPE_CHECKING:
    import docker

ROOT = "0:0"  # whatever `user` the container has
LONGEST = 60.0  # seconds of this machine, for a command whose output is waited for
MOST_OUTPUT = 2**20  # bytes
UNHURRIED = 0.05  # seconds between two looks at what nobody waits for
CANNOT_RUN, NOT_FOUND = 126, 127  # Docker gives the first for both
NOT_THERE = "executable file not found"


def run(client: "docker.APIClient", container_id: str, command: Sequence[str]) -> Executed:
    """Everything the command printed, and its exit code. NotExecuted when the container is gone or it takes too long."""
    import docker

    try:
        made = client.exec_create(container_id, list(command), user=ROOT)["Id"]
    except docker.errors.APIError as error:
        raise NotExecuted(f"The container cannot be reached: {words(error)}") from error
    answer: Future[Executed] = Future()
    threading.Thread(target=_fulfil, args=(answer, client, made), daemon=True, name="ecslab-docker-exec").start()
    try:
        return answer.result(LONGEST)
    except TimeoutError:
        raise NotExecuted(f"The command did not end within {LONGEST:g} seconds. It still runs in the container.") from None


def _fulfil(answer: "Future[Executed]", client: "docker.APIClient", made: str) -> None:
    """Docker sets no limit to the wait for a command that prints nothing: a thread of its own waits."""
    try:
        answer.set_result(_ended(client, made))
    except Exception as error:
        answer.set_exception(NotExecuted(f"The command could not be followed: {words(error)}"))


def _ended(client: "docker.APIClient", made: str) -> Executed:
    import docker

    try:
        output = _read(client, made)
        code = client.exec_inspect(made)["ExitCode"]
    except docker.errors.APIError as error:  # what is not in the container never ran
        output, code = words(error) + "\n", None
    if code in (None, CANNOT_RUN):
        code = NOT_FOUND if NOT_THERE in output else CANNOT_RUN
    return Executed(code, output)


def _read(client: "docker.APIClient", made: str) -> str:
    from docker.utils.socket import frames_iter

    ends, kept, size = time.monotonic() + LONGEST, [], 0
    with client.exec_start(made, socket=True) as connection:
        for _, chunk in frames_iter(connection, tty=False):
            if size < MOST_OUTPUT:
                kept.append(chunk[: MOST_OUTPUT - size])
            size += len(chunk)
            if time.monotonic() > ends:  # nobody waits any more, but what is not read would hold up the container's end
                time.sleep(UNHURRIED)
    text = b"".join(kept).decode(errors="replace")
    return text if size <= MOST_OUTPUT else f"{text}\n... and {size - MOST_OUTPUT} bytes more.\n"
