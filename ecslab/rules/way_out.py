"""What has to be fetched before a task's containers start, over which service, and what ECS says where no way leads there.

On Fargate the task's own interface has to find the way, on EC2 its instance. The steps
stand in the order they are made; the first without a way fails the task. The words
follow the documented ones; AWS's own end in addresses and numbers of retries that vary.

Sources: Developer Guide, "CannotPullContainer task errors in Amazon ECS",
"Troubleshooting Amazon ECS ResourceInitializationError errors", "Amazon ECS interface
VPC endpoints".
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping

from . import secret_reference
from .fargate import ECR_IMAGE
from .network import Party, Verdict, VpcEndpoint, reach_service
from .task_definition_fields import values_at

AUTH = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
MANIFEST = "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref {image}: "
POST = 'RequestError: send request failed caused by: Post "https://{host}/": dial tcp: i/o timeout'
DIAL = "failed to do request: dial tcp: i/o timeout"
LOGS = "failed to initialize logging driver: failed to create Cloudwatch log stream: "
ON_MACHINE = "ecslab/"  # such an image is on the learner's machine: nothing is asked for it


@dataclass(frozen=True)
class Step:
    """`service` as in com.amazonaws.<region>.<service>, "" for the internet; `container` the one to blame on a failed pull."""

    service: str
    words: str
    container: str = ""


def steps(definition: Mapping, launch_type: str, region: str) -> list[Step]:
    """What a task of this definition fetches, in order."""
    fargate = launch_type == "FARGATE"
    containers = definition["containerDefinitions"]
    found = [Step(service, words) for c in containers for service, words in _configuration(c)]
    ecr = [c for c in containers if ECR_IMAGE.match(c["image"])]
    if ecr:
        token = "unable to retrieve ecr registry auth: service call has been retried 3 time(s): " if fargate else ""
        found.append(Step("ecr.api", (AUTH if fargate else "CannotPullECRContainerError: ") + token + POST))
    for c in ecr:
        found.append(Step("ecr.dkr", MANIFEST.format(image=c["image"]) + DIAL, c["name"]))
        found.append(Step("s3", "CannotPullContainerError: ref pull has been retried 1 time(s): failed to copy: " + DIAL, c["name"]))
    others = [c for c in containers if c not in ecr and not c["image"].startswith(ON_MACHINE)]
    found += [Step("", MANIFEST.format(image=c["image"]) + DIAL, c["name"]) for c in others]
    if "awslogs" in values_at(definition, "containerDefinitions[].logConfiguration.logDriver"):
        begin = "ResourceInitializationError: " if fargate else "CannotStartContainerError: Error response from daemon: "
        found.append(Step("logs", begin + LOGS + POST))
    return [Step(s.service, s.words.replace("{host}", HOSTS.get(s.service, "").format(region=region)), s.container) for s in found]


HOSTS = {
    "ssm": "ssm.{region}.amazonaws.com",
    "secretsmanager": "secretsmanager.{region}.amazonaws.com",
    "ecr.api": "api.ecr.{region}.amazonaws.com",
    "logs": "logs.{region}.amazonaws.com",
}


def _configuration(container: Mapping) -> list[tuple[str, str]]:
    """Files first, then secrets."""
    files = [("s3", f"ResourceInitializationError: failed to download env files: {DIAL}")] if container.get("environmentFiles") else []
    wanted = [*values_at(container, "secrets[].valueFrom"), *values_at(container, "logConfiguration.secretOptions[].valueFrom")]
    sources = {_source(value) for value in wanted} | ({"asm"} if container.get("repositoryCredentials") else set())
    return files + [SECRETS[source] for source in sorted(sources)]


SECRETS = {
    "asm": ("secretsmanager", f"{AUTH}unable to retrieve secret from asm: {POST}"),
    "ssm": ("ssm", f"{AUTH}unable to retrieve secrets from ssm: {POST}"),
}


def _source(value_from: str) -> str:
    try:
        return secret_reference.parse(value_from).source
    except ValueError:  # its own error comes when it is fetched
        return "asm" if ":secretsmanager:" in value_from else "ssm"


def blocked(who: Party, wanted: list[Step], endpoints: tuple[VpcEndpoint, ...]) -> tuple[Step, Verdict] | None:
    """The first step without a way, and which gate shuts it; None when every one finds its way."""
    for step in wanted:
        verdict = reach_service(who, step.service, endpoints)
        if not verdict.allowed:
            return step, verdict
    return None
