"""Whose credentials are these, and what may they do? Task roles, execution roles, and every call's permission.

The learner's own credentials may do everything. A task role's temporary ones, a
user's access keys and a role assumed through STS may do what their identity
policies allow: every request is checked here before a service sees it. Policies
of resources, boundaries and organizations are not read.

Sources: Developer Guide, "Amazon ECS task IAM role", "Amazon ECS task execution IAM
role"; Service Authorization Reference (actions and resources).
"""
from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Iterator, Mapping

from ..rules import execution_role, policy
from ..rules.errors import client
from .identifiers import ACCOUNT
from .model import Task

if TYPE_CHECKING:
    from . import Region

VALID = 6 * 3600.0  # region seconds; AWS says only that they are renewed in time
RENEWED = 900.0  # this long before they end, a request gets new ones
NOT_ASSUMED = (
    "ECS was unable to assume the role '{}' that was provided for this task. Please verify that the role being passed has the "
    "proper trust relationship and permissions and that your IAM user has permissions to pass this role."
)


@dataclass(frozen=True)
class Credentials:
    """A task role's temporary credentials."""

    role_arn: str
    access_key_id: str
    secret_access_key: str
    token: str
    expiration: float

    def document(self) -> dict[str, str]:
        """What the credentials endpoint answers."""
        end = datetime.fromtimestamp(self.expiration, timezone.utc)
        return {
            "RoleArn": self.role_arn,
            "AccessKeyId": self.access_key_id,
            "SecretAccessKey": self.secret_access_key,
            "Token": self.token,
            "Expiration": end.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }


@dataclass(frozen=True)
class Caller:
    """Who makes a request: an ARN, and its identity policies."""

    arn: str
    policies: tuple[Mapping, ...]

    def decide(self, action: str, resource: str = "*", context: Mapping[str, str] = {}) -> policy.Decision:
        return policy.decide(self.policies, action, resource, context)


class Roles:
    def __init__(self, region: "Region"):
        self.region = region
        self._given: dict[str, tuple[Task, Credentials]] = {}  # by access key id
        self._newest: dict[str, Credentials] = {}  # by task id

    # Roles ----------------------------------------------------------------------------

    def check(self, definition: Mapping) -> None:
        """Before a task is made: ClientException when ECS could not assume its task role, or the execution role it needs."""
        if definition.get("taskRoleArn"):
            self._assumable(definition["taskRoleArn"])
        if definition.get("executionRoleArn") and execution_role.uses(definition):
            self._assumable(definition["executionRoleArn"])

    def _assumable(self, identifier: str) -> None:
        role = find(identifier)
        context = {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": f"arn:aws:ecs:{self.region.name}:{ACCOUNT}:*"}
        if role is None or not policy.trusts(json.loads(role.assume_role_policy_document), context=context):
            raise client(NOT_ASSUMED.format(identifier))

    def execution(self, task: Task) -> Caller | None:
        """The execution role of a task as ECS assumes it; None where there is none any more."""
        role = find(task.definition.get("executionRoleArn") or "")
        return _as_caller(role, task.id) if role else None

    def of_task(self, task: Task) -> Caller | None:
        """The task role of a task as its containers and ECS Exec use it; None where there is none."""
        role = find(task.definition.get("taskRoleArn") or "")
        return _as_caller(role, task.id) if role else None

    # Credentials ------------------------------------------------------------------------

    def credentials(self, task: Task) -> Credentials | None:
        """The task role's credentials, renewed in time; None for a task without a role."""
        role = find(task.definition.get("taskRoleArn") or "")
        if role is None:
            return None
        now = self.region.clock.now()
        newest = self._newest.get(task.id)
        if newest is None or newest.expiration - now < RENEWED:
            word = self._secret(task, now)
            newest = Credentials(role.arn, "ASIA" + word[:16].upper(), word[16:56], word[56:], now + VALID)
            self._newest[task.id] = newest
            self._given[newest.access_key_id] = (task, newest)
        return newest

    def path_of(self, task: Task, what: str = "credentials") -> str:
        """A secret id of the task's own, in its paths: nobody guesses another task's."""
        word = self._secret(task, what)
        return f"{word[:8]}-{word[8:12]}-{word[12:16]}-{word[16:20]}-{word[20:32]}"

    def _secret(self, task: Task, about: object) -> str:
        """128 characters that nobody can guess; simulated, always the same ones."""
        if not self.region.is_simulated:
            task.facts.setdefault("", {}).setdefault(f"secret {about}", secrets.token_hex(64))
            return task.facts[""][f"secret {about}"]
        return hashlib.sha512(f"{self.region.seed} {task.id} {about}".encode()).hexdigest()

    # Callers ----------------------------------------------------------------------------

    def caller(self, access_key_id: str, token: str) -> "Caller | str | None":
        """Who that is; None for the learner, who may do everything; the code of an error for credentials that are no good."""
        if access_key_id in self._given:
            task, given = self._given[access_key_id]
            if given.token != token:
                return "InvalidClientTokenId"
            if given.expiration < self.region.clock.now() or task.last_status == "STOPPED":
                return "ExpiredTokenException"
            role = find(given.role_arn)
            return _as_caller(role, task.id) if role else "InvalidClientTokenId"
        return _of_iam(access_key_id, token)


def find(identifier: str):
    """moto's role of that ARN or name; None when there is none."""
    if not identifier:
        return None
    name = identifier.rpartition("/")[2]
    return next((r for r in _iam().roles.values() if r.name == name and identifier in (r.arn, r.name)), None)


def _iam():
    from moto.iam.models import iam_backends

    return iam_backends[ACCOUNT]["aws"]


def _as_caller(role, session: str) -> Caller:
    return Caller(f"arn:aws:sts::{ACCOUNT}:assumed-role/{role.name}/{session}", tuple(_documents(role)))


def _documents(identity) -> Iterator[Mapping]:
    """The inline and managed policies of a role, user or group."""
    for document in identity.policies.values():
        yield _read(document)
    for managed in identity.managed_policies.values():
        yield _read(next(v.document for v in managed.versions if v.is_default))


def _read(document) -> Mapping:
    return document if isinstance(document, Mapping) else json.loads(document)


def _of_iam(access_key_id: str, token: str) -> "Caller | str | None":
    """A user's access key or a session of STS; None for a key IAM never gave."""
    import sys

    if "moto.iam.models" in sys.modules:
        for user in _iam().users.values():
            if any(key.access_key_id == access_key_id and key.status == "Active" for key in user.access_keys):
                groups = _iam().get_groups_for_user(user.name)
                return Caller(user.arn, tuple(d for one in (user, *groups) for d in _documents(one)))
    if "moto.sts.models" in sys.modules:
        from moto.sts.models import sts_backends

        for session in sts_backends[ACCOUNT]["aws"].assumed_roles:
            if session.access_key_id == access_key_id:
                role = find(session.role_arn)
                if role is None or session.session_token != token:
                    return "InvalidClientTokenId"
                return _as_caller(role, session.session_name)
    return None
