"""`ecslab doctor`: what is here, and for each thing missing the one command that mends it.

Nothing found here is an error: without Docker the labs run simulated.
"""
from __future__ import annotations

import importlib.metadata
import os
import shutil
import socket
import sys
from dataclasses import dataclass

DEFAULT_PORT = 4566


@dataclass(frozen=True)
class Finding:
    what: str
    ok: bool
    saw: str
    mend: str = ""


def examine() -> list[Finding]:
    """Everything the doctor looks at, in the order it is shown."""
    docker_found, docker_says = _docker()
    return [
        _python(),
        Finding(
            "Docker engine",
            docker_found,
            docker_says,
            "" if docker_found else "start Docker (https://docs.docker.com/get-started/get-docker/); until then labs run simulated",
        ),
        _images() if docker_found else Finding("lab images", True, "not needed without Docker"),
        _security_groups() if docker_found else Finding("security groups", True, "every simulated request asks the rules"),
        _package("jupyterlab", "JupyterLab"),
        _package("boto3", "boto3"),
        _aws(),
        _port(),
        _home(),
    ]


def report(findings: list[Finding]) -> str:
    """The findings as an aligned list of words."""
    width = max(len(f.what) for f in findings)
    lines = []
    for finding in findings:
        lines.append(f"{'ok' if finding.ok else 'missing':8} {finding.what:{width}}  {finding.saw}")
        if finding.mend:
            lines.append(f"{'':8} {'':{width}}  -> {finding.mend}")
    engine = next(f for f in findings if f.what == "Docker engine")
    lines += ["", "Labs will run " + ("as real containers on Docker." if engine.ok else "simulated, in virtual time.")]
    return "\n".join(lines)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    ok = sys.version_info >= (3, 11)
    return Finding("Python", ok, version, "" if ok else "install Python 3.11 or later")


def _docker() -> tuple[bool, str]:
    from .engines.docker import available

    return available()


def _images() -> Finding:
    import docker

    from .engines import images

    try:
        client = docker.from_env(timeout=5).api
        absent = [recipe.tag for recipe in images.recipes() if images.find(client, recipe.tag) is None]
    except docker.errors.DockerException as error:
        return Finding("lab images", False, str(error), "docker info")
    if absent:
        return Finding("lab images", True, f"{len(absent)} to be made at the first start")
    return Finding("lab images", True, "present")


def _security_groups() -> Finding:
    """Is real traffic filtered? Labs run either way; where it is not, `can_reach` alone knows the groups."""
    import docker

    from .engines import docker_filter, images

    try:
        client = docker.from_env(timeout=5).api
        if images.find(client, images.PAUSE) is None:
            return Finding("security groups", True, "known after the first start")
        enforced, why = docker_filter.enforces(client)
    except docker.errors.DockerException as error:
        return Finding("security groups", False, str(error), "docker info")
    if enforced:
        return Finding("security groups", True, f"enforced on traffic by {why}")
    return Finding("security groups", False, "not enforced on traffic", why)


def _package(name: str, shown: str) -> Finding:
    try:
        return Finding(shown, True, importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Finding(shown, False, "not installed", f"pip install {name}")


def _aws() -> Finding:
    """The aws command beside this Python, sharing botocore with boto3."""
    command = os.path.join(os.path.dirname(sys.executable), "aws")
    if not (os.path.exists(command) or shutil.which("aws")):
        return Finding("aws command", False, "not installed", "pip install awscli")
    try:
        return Finding("aws command", True, f"awscli {importlib.metadata.version('awscli')}")
    except importlib.metadata.PackageNotFoundError:
        return Finding("aws command", True, f"{shutil.which('aws')}, not this Python's own")


def _port() -> Finding:
    with socket.socket() as probe:
        probe.settimeout(1)
        free = probe.connect_ex(("127.0.0.1", DEFAULT_PORT)) != 0
    return Finding(f"port {DEFAULT_PORT}", free, "free" if free else "in use", "" if free else "ecslab serve --port 0")


def _home() -> Finding:
    from .region.registry import home

    wanted = os.environ.get("ECSLAB_HOME")
    folder = home()
    ok = not wanted or str(folder) == wanted
    return Finding("progress folder", ok, str(folder), "" if ok else f"chmod u+w {wanted}")
