"""Where the Docker engine is, and whether it answers.

The same places the `docker` command looks: DOCKER_HOST, else the current
context (Docker Desktop and its like), else the usual socket.
"""
from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import docker

ANSWER_WITHIN = 1  # seconds
CALL_WITHIN = 120  # seconds: the longest that one call may take

# What an error's text holds -> what that means to a person.
TROUBLES = (
    ("FileNotFoundError", "no Docker engine is running here"),
    ("Connection refused", "the Docker engine is installed but not running"),
    ("ConnectionRefusedError", "the Docker engine is installed but not running"),
    ("PermissionError", "a Docker engine is here, but this user may not use it (on Linux: join the group docker)"),
    ("timed out", f"the Docker engine did not answer within {ANSWER_WITHIN} s"),
)


def available() -> tuple[bool, str]:
    """(does a Docker engine answer, its version or in plain words why not)."""
    try:
        version = connect(timeout=ANSWER_WITHIN).version()
    except Exception as error:  # whatever is wrong with an engine, labs can run simulated
        text = str(error)
        return False, next((meaning for sign, meaning in TROUBLES if sign in text), text.partition("\n")[0])
    if version["Os"] != "linux":
        return False, "Docker runs Windows containers here; switch it to Linux containers"
    return True, f"Docker {version['Version']}"


def connect(*, timeout: float | None = CALL_WITHIN, connections: int = 8) -> "docker.APIClient":
    """A client of the engine, safe to use from that many threads."""
    import docker

    return docker.APIClient(**_address(), version="auto", timeout=timeout, max_pool_size=connections)


def publishes_ports() -> bool:
    """True when containers' own addresses do not answer on this machine, because the engine lives in another one."""
    url = _address().get("base_url") or ""
    elsewhere = bool(url) and not url.startswith(("unix:", "http+unix:"))
    return sys.platform != "linux" or elsewhere or "/.docker/desktop/" in url


def _address() -> dict:
    from docker.context import ContextAPI
    from docker.utils import kwargs_from_env

    if os.environ.get("DOCKER_HOST"):
        return kwargs_from_env()
    context = ContextAPI.get_current_context()
    return {"base_url": context.Host} if context is not None and context.Host else {}
