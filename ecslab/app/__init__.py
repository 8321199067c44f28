"""The lab app: `ecslab/app:1.0` and `ecslab/app:2.0`.

A tiny web server whose behaviour is declared by its arguments, so that both
engines can honour it: on Docker the script beside this file (`app`, plain
shell on busybox) really does it; the simulated engine reads the same
arguments here and acts them out in virtual time.

Arguments (a container definition's `command`), all optional:

    --start-delay SECONDS     wait this long before listening
    --exit-after SECONDS      exit by itself this long after starting
    --exit-code N             ... with this code (default 0)
    --leak MIB_PER_SECOND     keep allocating memory at this rate
    --ignore-sigterm          do not stop when asked
    --unhealthy-after SECONDS /health answers 503 from then on
    --version-text TEXT       extra text in the version that `/` reports
    --status N                `/` answers with this status instead of 200
    --port N                  listen here instead of 80
    --write PATH              write this file at the start; exit with 1 where that cannot be done

Seconds are the region's seconds: on Docker the engine passes its speed in the
variable ECSLAB_SPEED and the app divides by it, so one story takes the same
region time everywhere.

HTTP, on port 80 unless told otherwise:

    /                 JSON: version, hostname, task (the task's id)
    /health           200 "ok", or 503 "unhealthy"
    /env              the container's environment, one NAME=value a line
    /burn?seconds=N   keep one CPU busy for N seconds, answers at once
    /leak?mib=N       allocate and keep N MiB
    /cookie?NAME=VALUE   answer with this cookie for the client
    /slow?seconds=N   answer only after N seconds
    /exit?code=N      answer, then exit with that code
    /call?to=HOST:PORT/PATH   ask another service, and answer what it said (502 when it can not be asked)

`/app health` is a health-check command: it exits 0 when `/health` answers
200, else 1. Logs go to stdout: one line at start, one line a request.
"""
from __future__ import annotations

import argparse
import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Sequence

IMAGES = ("ecslab/app:1.0", "ecslab/app:2.0")


@dataclass(frozen=True)
class Behaviour:
    start_delay: float = 0.0
    exit_after: float | None = None
    exit_code: int = 0
    leak: float = 0.0
    ignore_sigterm: bool = False
    unhealthy_after: float | None = None
    version_text: str = ""
    status: int = 200
    port: int = 80
    write: str | None = None


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        raise ValueError(message)


def parse(arguments: Sequence[str]) -> Behaviour:
    """The behaviour that these arguments declare. ValueError says which argument is wrong."""
    return _parse(tuple(arguments))


@lru_cache(maxsize=256)
def _parse(arguments: tuple[str, ...]) -> Behaviour:
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("--start-delay", type=float, default=0.0)
    parser.add_argument("--exit-after", type=float)
    parser.add_argument("--exit-code", type=int, default=0)
    parser.add_argument("--leak", type=float, default=0.0)
    parser.add_argument("--ignore-sigterm", action="store_true")
    parser.add_argument("--unhealthy-after", type=float)
    parser.add_argument("--version-text", default="")
    parser.add_argument("--status", type=int, default=200)
    parser.add_argument("--port", type=int, default=80)
    parser.add_argument("--write", type=_path)
    return Behaviour(**vars(parser.parse_args(arguments)))


def _path(text: str) -> str:
    if not text.startswith("/"):
        raise ValueError(text)
    return text


@dataclass(frozen=True)
class Reply:
    """What the app answers, after how many seconds, and what comes of it then: `("exit", 3)` or nothing."""

    status: int
    body: str
    seconds: float = 0.0
    then: tuple[str, float | str] | None = None
    cookies: tuple[str, ...] = ()


def reply(behaviour: Behaviour, path: str, *, version: str, task: str, running_for: float) -> Reply:
    """The app's answer to a GET, for the engine that runs no containers."""
    path, _, query = path.partition("?")
    name, _, value = query.partition("=")
    if path == "/":
        text = f"{version} {behaviour.version_text}".strip()
        return Reply(behaviour.status, json.dumps({"version": text, "hostname": task[:12], "task": task}))
    if path == "/health":
        ill = behaviour.unhealthy_after is not None and running_for >= behaviour.unhealthy_after
        return Reply(503, "unhealthy") if ill else Reply(200, "ok")
    if (path, name) == ("/call", "to"):
        return Reply(200, "", then=("call", value))
    if path == "/cookie" and query:
        return Reply(200, f"cookie {query}", cookies=(query,)) if COOKIE.fullmatch(query) else Reply(400, "bad request")
    if (path, name) in ACTIONS:
        try:
            number = float(value)
        except ValueError:
            return Reply(400, "bad request")
        word = path[1:]
        if word == "slow":
            return Reply(200, "slow", seconds=number)
        return Reply(200, f"{word} {value}", then=(word, number))
    return Reply(404, "not found")


COOKIE = re.compile(r"[A-Za-z0-9_-]+=[A-Za-z0-9_-]+")
ACTIONS = {("/burn", "seconds"), ("/leak", "mib"), ("/exit", "code"), ("/slow", "seconds")}
