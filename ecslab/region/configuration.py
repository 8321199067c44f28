"""What ECS fetches before a container starts: secrets, environment files, credentials of a private registry.

The execution role must allow each fetch; whatever goes wrong is the task's
stoppedReason. Values live only in what the engine is given: DescribeTasks, the
task definition and labels never hold them. (On Docker, `docker inspect` of the
container shows its environment, as it does on an EC2 container instance.)

Sources: Developer Guide, "Pass sensitive data to an Amazon ECS container", "Pass an
individual environment variable to an Amazon ECS container", "Amazon ECS stopped
task error messages".
"""
from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Mapping

from ..rules import policy, secret_reference
from .identifiers import ACCOUNT
from .model import Task

if TYPE_CHECKING:
    from . import Region
    from .roles import Caller

PULL = "ResourceInitializationError: unable to pull secrets or registry auth: "
FILES = "ResourceInitializationError: failed to download env files: "


class Failed(Exception):
    """The task cannot start; the text is its stoppedReason. `container` names the one to blame, where there is one."""

    def __init__(self, reason: str, container: str = ""):
        super().__init__(reason)
        self.container = container


def filled(region: "Region", task: Task) -> tuple[Mapping, ...]:
    """The task's container definitions with everything fetched. Raises Failed with the stoppedReason."""
    containers = task.definition["containerDefinitions"]
    if not any(c.get("secrets") or c.get("environmentFiles") or c.get("repositoryCredentials") or _options(c) for c in containers):
        return tuple(containers)
    role = region.roles.execution(task)
    if role is None:
        raise Failed(f"{PULL}execution resource retrieval failed: unable to assume the execution role")
    return tuple(_filled(region, role, c) for c in containers)


def _options(container: Mapping) -> list[Mapping]:
    return (container.get("logConfiguration") or {}).get("secretOptions") or []


def _filled(region: "Region", role: "Caller", container: Mapping) -> Mapping:
    for option in _options(container):
        fetched(region, role, option["valueFrom"])
    if container.get("repositoryCredentials"):
        _registry(region, role, container["repositoryCredentials"]["credentialsParameter"])
    values: dict[str, str] = {}
    for file in container.get("environmentFiles") or ():
        values = {**_file(region, role, file["value"]), **values}  # of two files with one name, the first counts
    values |= {item["name"]: item.get("value", "") for item in container.get("environment") or ()}
    values |= {item["name"]: fetched(region, role, item["valueFrom"]) for item in container.get("secrets") or ()}
    return {**container, "environment": [{"name": name, "value": value} for name, value in values.items()]}


def fetched(region: "Region", role: "Caller", value_from: str) -> str:
    """The value behind one `valueFrom`."""
    try:
        reference = secret_reference.parse(value_from)
    except ValueError as error:
        raise Failed(f"{PULL}{error}: {value_from}") from None
    return (_from_asm if reference.source == "asm" else _from_ssm)(region, role, reference)


def _from_asm(region: "Region", role: "Caller", wanted: secret_reference.Reference) -> str:
    where = f"{PULL}execution resource retrieval failed: unable to retrieve secret from asm: "
    from moto.secretsmanager.models import secretsmanager_backends

    store = secretsmanager_backends[ACCOUNT][region.name]
    _allow(role, "secretsmanager:GetSecretValue", wanted.id, where)
    found = next((s for s in store.secrets.values() if s.arn == wanted.id or s.arn.rpartition("-")[0] == wanted.id), None)
    if found is None or found.is_deleted():
        raise Failed(f"{where}ResourceNotFoundException: Secrets Manager can't find the specified secret.")
    stage = wanted.version_stage or "AWSCURRENT"
    version = _version(found, wanted.version_id, stage)
    if version is None:
        what = f"VersionId: {wanted.version_id}" if wanted.version_id else f"staging label: {stage}"
        raise Failed(f"{where}ResourceNotFoundException: Secrets Manager can't find the specified secret value for {what}")
    text = _text(version)
    return _member(text, wanted.json_key, where) if wanted.json_key else text


def _version(secret, version_id: str, stage: str) -> Mapping | None:
    if version_id:
        return secret.versions.get(version_id)
    return next((v for v in secret.versions.values() if stage in v["version_stages"]), None)


def _text(version: Mapping) -> str:
    found = version.get("secret_string")
    if found is None:
        found = version.get("secret_binary") or ""
    return found.decode(errors="replace") if isinstance(found, bytes) else found


def _member(text: str, key: str, where: str) -> str:
    try:
        document = json.loads(text)
    except ValueError:
        raise Failed(f"{where}the secret is no JSON, and the key {key} was asked for") from None
    if not isinstance(document, dict) or key not in document:
        raise Failed(f"{where}retrieved secret from Secrets Manager did not contain json key {key}")
    value: Any = document[key]
    return value if isinstance(value, str) else json.dumps(value)


def _from_ssm(region: "Region", role: "Caller", wanted: secret_reference.Reference) -> str:
    from moto.ssm.models import ssm_backends

    where = f"{PULL}execution resource retrieval failed: unable to retrieve secrets from ssm: "
    name = wanted.id
    arn = f"arn:aws:ssm:{region.name}:{ACCOUNT}:parameter/{name.removeprefix('/')}"
    _allow(role, "ssm:GetParameters", arn, where)
    store = ssm_backends[ACCOUNT][region.name]
    found = store.get_parameters([name]).get(name) or store.get_parameters(["/" + name]).get("/" + name)
    if found is None:
        raise Failed(f"{where}invalid ssm parameters: {name}")
    key = found.keyid or ""
    if found.parameter_type == "SecureString" and key not in ("", "alias/aws/ssm"):  # the AWS managed key takes no permission
        _allow(role, "kms:Decrypt", key if key.startswith("arn:") else f"arn:aws:kms:{region.name}:{ACCOUNT}:key/{key}", where)
    return found.decrypt(found.value)


def _registry(region: "Region", role: "Caller", secret: str) -> None:
    """Credentials of a private registry must be there, readable, and of the documented shape."""
    if not secret.startswith("arn:"):
        secret = f"arn:aws:secretsmanager:{region.name}:{ACCOUNT}:secret:{secret}"
    text = fetched(region, role, secret)
    for member in ("username", "password"):
        _member(text, member, f"{PULL}execution resource retrieval failed: unable to retrieve secret from asm: ")


def _file(region: "Region", role: "Caller", arn: str) -> dict[str, str]:
    from moto.s3.models import s3_backends

    bucket, _, key = arn.partition(":::")[2].partition("/")
    _allow(role, "s3:GetObject", arn, FILES)
    found = s3_backends[ACCOUNT]["aws"].buckets.get(bucket)
    if found is None:
        raise Failed(f"{FILES}NoSuchBucket: The specified bucket does not exist")
    content = found.keys.get(key)
    if content is None:
        raise Failed(f"{FILES}NoSuchKey: The specified key does not exist.")
    return secret_reference.environment_file(content.value.decode(errors="replace"))


def _allow(role: "Caller", action: str, resource: str, where: str) -> None:
    decision = role.decide(action, resource)
    if not decision:
        raise Failed(f"{where}AccessDeniedException: {policy.denied(role.arn, action, resource, decision)}")
