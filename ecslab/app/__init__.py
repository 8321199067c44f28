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
    /credentials      the task role's ARN and when its credentials end, read at 169.254.170.2 (502 without a task role)
    /secret?id=NAME   what Secrets Manager answers to GetSecretValue with those credentials (502 and its error when it refuses)
    /object?at=BUCKET/KEY     an object of Amazon S3, in the same way
    /call?to=HOST:PORT/PATH   ask another service, and answer what it said (502 when it can not be asked)

`/app health` is a health-check command: it exits 0 when `/health` answers
200, else 1. `/app credentials`, `/app secret NAME` and `/app object BUCKET/KEY`
print what the paths above answer, and exit with 1 when AWS refuses. Logs go to stdout: one line at start, one line a request.
"""
from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Sequence

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
    complaint: str = ""  # about its arguments, before it exits with 2


# (what a value looks like, what it becomes, what to call it)
NUMBER = re.compile(r"\d+\.?\d*|\.\d+"), float, "a number"
WHOLE = re.compile(r"\d{1,7}"), int, "a whole number"
PATH = re.compile(r"(?s)/.*"), str, "a path that begins with /"
TEXT = re.compile(r"(?s).*"), str, "a text"
ARGUMENTS = {
    "--start-delay": NUMBER,
    "--exit-after": NUMBER,
    "--exit-code": WHOLE,
    "--leak": NUMBER,
    "--unhealthy-after": NUMBER,
    "--version-text": TEXT,
    "--status": WHOLE,
    "--port": WHOLE,
    "--write": PATH,
}


def parse(arguments: Sequence[str]) -> Behaviour:
    """The behaviour that these arguments declare. ValueError says which argument is wrong, as the container would."""
    return _parse(tuple(arguments))


@lru_cache(maxsize=256)
def _parse(arguments: tuple[str, ...]) -> Behaviour:
    wanted: dict[str, Any] = {}
    rest = iter(arguments)
    for name in rest:
        wanted[name.lstrip("-").replace("-", "_")] = name == "--ignore-sigterm" or _value(name, next(rest, None))
    return Behaviour(**wanted)


def _value(name: str, text: str | None) -> float | int | str:
    if text is None and name.startswith("--"):
        raise ValueError(f"argument {name} wants a value")
    if name not in ARGUMENTS:
        raise ValueError(f"unrecognized argument: {name}")
    looks, make, kind = ARGUMENTS[name]
    if not looks.fullmatch(text):
        raise ValueError(f"argument {name} wants {kind}, not '{text}'")
    return make(text)


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
    if (path, name) in AWS and (NAME.fullmatch(value) or path == "/credentials"):
        return Reply(200, "", then=(path[1:], value))
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
    return Reply(400, "bad request") if (path, name) in AWS else Reply(404, "not found")


COOKIE = re.compile(r"[A-Za-z0-9_-]+=[A-Za-z0-9_-]+")
NAME = re.compile(r"[A-Za-z0-9/_+=.@-]+")
AWS = {("/credentials", ""), ("/secret", "id"), ("/object", "at")}  # answered with the task role's credentials
ACTIONS = {("/burn", "seconds"), ("/leak", "mib"), ("/exit", "code"), ("/slow", "seconds")}
