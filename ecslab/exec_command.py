"""`ecslab exec`: a command in a container of a running task, from any terminal.

ExecuteCommand is asked as any program would ask it. With a terminal and Docker the
session becomes a shell one can type in; else the command's output is printed.
"""
from __future__ import annotations

import http.client
import json
import os
import shlex
import shutil
import subprocess
import sys
from urllib.parse import urlsplit

ANSWER_WITHIN = 90  # seconds: longer than a command may take


class Refused(Exception):
    """Why no command was run, for the person at the terminal."""


def run(task: str, container: str | None, cluster: str | None, command: tuple[str, ...]) -> int:
    """The command's exit code; what it prints is printed. Raises Refused."""
    region = _region()
    ecs = _client(region)
    words = command[0] if len(command) == 1 else shlex.join(command)
    where = {"cluster": cluster or _cluster_in(task), "task": task}
    opened = _asked(ecs.execute_command, **where, command=words, interactive=True, **({"container": container} if container else {}))
    docker = shutil.which("docker")
    if region["engine"] == "docker" and docker and sys.stdin.isatty() and sys.stdout.isatty():
        described = _asked(ecs.describe_tasks, cluster=where["cluster"], tasks=[task])["tasks"][0]
        runtime = next(c["runtimeId"] for c in described["containers"] if c["name"] == opened["containerName"])
        return subprocess.run([docker, "exec", "-it", "-u", "0:0", runtime, *shlex.split(words)]).returncode
    answer = _sent(region["endpoint_url"], opened["session"])
    sys.stdout.write(answer["output"])
    return answer["exit_code"]


def _region() -> dict:
    """The region this terminal is set to, or the newest that runs."""
    from .region.registry import running

    regions = running()
    if not regions:
        raise Refused("No region is running. Open a lab in a notebook, or run: ecslab serve")
    return next((r for r in regions if r["endpoint_url"] == os.environ.get("AWS_ENDPOINT_URL")), regions[0])


def _client(region: dict):
    """A client with this terminal's credentials, or the learner's own where there are none."""
    import boto3
    from botocore.config import Config

    values = {name: os.environ.get(name) for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")}
    if not values["AWS_ACCESS_KEY_ID"]:
        values = region["environment"]
    keys = {name.lower(): values.get(name) for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")}
    return boto3.client("ecs", region_name=region["region"], endpoint_url=region["endpoint_url"], config=Config(proxies={}), **keys)


def _cluster_in(task: str) -> str:
    """The cluster in a task's ARN."""
    parts = task.rpartition(":")[2].split("/")
    return parts[1] if task.startswith("arn:") and len(parts) == 3 else "default"


def _asked(operation, **request) -> dict:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return operation(**request)
    except ClientError as error:
        raise Refused(f"{error.response['Error']['Code']}: {error.response['Error']['Message']}") from None
    except BotoCoreError as error:
        raise Refused(str(error)) from None


def _sent(endpoint_url: str, session: dict) -> dict:
    """What came of the session's command."""
    from .region.sessions import PATH

    connection = http.client.HTTPConnection(urlsplit(endpoint_url).netloc, timeout=ANSWER_WITHIN)
    try:
        connection.request("POST", f"{PATH}{session['sessionId']}", session["tokenValue"])
        answer = connection.getresponse()
        told = json.load(answer)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise Refused(f"The region does not answer: {error}") from None
    finally:
        connection.close()
    if answer.status != 200:
        raise Refused(told["message"])
    return told
