"""A request with somebody's credentials: may they? What a request asks for, in IAM's terms, and the refusal in its service's shape.

Only restricted callers are looked at: a task role's credentials, a user's keys, a
session of STS. The action comes from the request (X-Amz-Target, Action, or the method
and path of a REST service), the resource from its parameters where the table below
knows them, else it is `*`. Source: Service Authorization Reference.
"""
from __future__ import annotations

import io
import json
import re
from typing import TYPE_CHECKING, Any, Mapping
from urllib.parse import parse_qs, unquote
from xml.sax.saxutils import escape

from ..rules import policy
from .identifiers import ACCOUNT
from .roles import Caller, find

if TYPE_CHECKING:
    from . import Region

CREDENTIAL = re.compile(r"Credential=([^/]+)/[^/]+/([^/]+)/([^/]+)/aws4_request")
FROM_A_TASK = "X-Ecslab-From-A-Task"  # such a request is never the learner's
PREFIXES = {"monitoring": "cloudwatch"}  # what a service signs as -> its prefix in IAM, where the two differ
FREE = {"sts:GetCallerIdentity"}
ROLES = ("taskRoleArn", "executionRoleArn")
PASSING = ("RegisterTaskDefinition", "RunTask", "StartTask", "CreateService", "UpdateService", "CreateTaskSet")
# (method, is there a key?) -> S3's action
S3_ACTIONS = {
    ("GET", True): "GetObject",
    ("HEAD", True): "GetObject",
    ("PUT", True): "PutObject",
    ("DELETE", True): "DeleteObject",
    ("GET", False): "ListBucket",
    ("HEAD", False): "ListBucket",
    ("PUT", False): "CreateBucket",
    ("DELETE", False): "DeleteBucket",
}
HEADER = f"HTTP_{FROM_A_TASK.upper().replace('-', '_')}"  # as WSGI writes it
# service -> (parameter, the resource it names)
RESOURCES = {
    "ssm": ("Name", "arn:aws:ssm:{region}:{account}:parameter/{value}"),
    "dynamodb": ("TableName", "arn:aws:dynamodb:{region}:{account}:table/{value}"),
    "logs": ("logGroupName", "arn:aws:logs:{region}:{account}:log-group:{value}"),
    "sns": ("TopicArn", "{value}"),
    "iam": ("RoleName", "arn:aws:iam::{account}:role/{value}"),
}


def refusal(region: "Region", environ: dict) -> tuple[str, str, bytes] | None:
    """(status, content type, body) for a request that its caller may not make; None for one that may go on."""
    found = CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    may_be_the_learner = HEADER not in environ
    if found is None:
        return None if may_be_the_learner else _answer(environ, "", "MissingAuthenticationToken", "Missing Authentication Token")
    key, _, service = found.groups()
    caller = region.roles.caller(key, environ.get("HTTP_X_AMZ_SECURITY_TOKEN", ""))
    if caller is None and may_be_the_learner:
        return None
    if caller is None or isinstance(caller, str):
        return _answer(environ, service, caller or "InvalidClientTokenId", "The security token included in the request is invalid or has expired.")
    action, request = _asked(environ, service)
    wanted = [(f"{PREFIXES.get(service, service)}:{action}", resource) for resource in _resources(region, service, environ, request)]
    if service == "ecs" and action in PASSING:
        wanted += [("iam:PassRole", arn) for arn in _passed(request)]
    for what, resource in wanted:
        decision = _decided(caller, what, resource, region, request)
        if not decision:
            return _answer(environ, service, "AccessDenied", policy.denied(caller.arn, what, resource, decision))
    return None


def _decided(caller: Caller, action: str, resource: str, region: "Region", request: Mapping[str, Any]) -> policy.Decision:
    context = {"aws:RequestedRegion": region.name, "aws:PrincipalArn": caller.arn}
    if action == "iam:PassRole":
        context["iam:PassedToService"] = policy.TASKS
    if action == "ecs:ExecuteCommand":
        context["ecs:cluster"] = region.ids.arn("cluster", _cluster(request))
        if request.get("container"):
            context["ecs:container-name"] = str(request["container"])
    return policy.Decision(True) if action in FREE else caller.decide(action, resource, context)


def _asked(environ: dict, service: str) -> tuple[str, Mapping[str, Any]]:
    """(action, parameters) of a request. Its body can be read again."""
    body = _body(environ)
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if target:
        return target.rpartition(".")[2], _json(body)
    if service == "s3":
        return S3_ACTIONS.get((environ["REQUEST_METHOD"], bool(_bucket_and_key(environ)[1])), "UnknownAction"), {}
    form = {name: values[0] for name, values in parse_qs(body.decode(errors="replace")).items()}
    query = {name: values[0] for name, values in parse_qs(environ.get("QUERY_STRING", "")).items()}
    asked = {**query, **form}
    return asked.get("Action", "UnknownAction"), asked  # REST services without a table: allowed by `service:*` only


def _body(environ: dict) -> bytes:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body = environ["wsgi.input"].read(length) if length else b""
    environ["wsgi.input"] = io.BytesIO(body) if length else environ["wsgi.input"]
    return body


def _json(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _bucket_and_key(environ: dict) -> tuple[str, str]:
    bucket, _, key = unquote(environ.get("PATH_INFO", "")).removeprefix("/").partition("/")
    return bucket, key


def _resources(region: "Region", service: str, environ: dict, request: Mapping[str, Any]) -> list[str]:
    if service == "s3":
        bucket, key = _bucket_and_key(environ)
        return [f"arn:aws:s3:::{bucket}" + (f"/{key}" if key else "")]
    if service == "ecs" and request.get("task") and request.get("command"):  # of ECS's operations only ExecuteCommand has both
        return [_task(region, request)]
    if service == "secretsmanager" and request.get("SecretId"):
        return [_secret(region, str(request["SecretId"]))]
    parameter, shape = RESOURCES.get(service, ("", ""))
    values = request.get(parameter) or request.get(parameter + "s") if parameter else None
    values = values if isinstance(values, list) else [values] if values else []
    return [_named(region, shape, str(value)) for value in values] or ["*"]


def _named(region: "Region", shape: str, value: str) -> str:
    if value.startswith("arn:"):
        return value
    return shape.format(region=region.name, account=ACCOUNT, value=value.removeprefix("/"))


def _secret(region: "Region", identifier: str) -> str:
    from moto.secretsmanager.models import secretsmanager_backends

    store = secretsmanager_backends[ACCOUNT][region.name].secrets.values()
    return next((s.arn for s in store if identifier in (s.name, s.arn)), identifier)


def _task(region: "Region", request: Mapping[str, Any]) -> str:
    """The ARN of the task a request names."""
    task = str(request["task"])
    return task if task.startswith("arn:") else region.ids.arn("task", _cluster(request), task)


def _cluster(request: Mapping[str, Any]) -> str:
    return str(request.get("cluster") or "default").rpartition("/")[2]


def _passed(request: Mapping[str, Any]) -> list[str]:
    """The roles a request to ECS hands over."""
    where = [request, request.get("overrides") or {}]
    if request.get("taskDefinition"):
        where.append(_definition(str(request["taskDefinition"])))
    given = [one[name] for one in where for name in ROLES if isinstance(one, dict) and one.get(name)]
    return [getattr(find(str(name)), "arn", str(name)) for name in given]


def _definition(identifier: str) -> dict:
    from . import current

    found = current().task_definition(identifier)
    return found.definition if found else {}


def _answer(environ: dict, service: str, code: str, message: str) -> tuple[str, str, bytes]:
    """An error in the shape of the service's protocol."""
    if "HTTP_X_AMZ_TARGET" in environ:
        name = "AccessDeniedException" if code == "AccessDenied" else code
        return "400 Bad Request", "application/x-amz-json-1.1", json.dumps({"__type": name, "message": message}).encode()
    words = f"<Code>{code}</Code><Message>{escape(message)}</Message>"
    if service == "s3":
        return "403 Forbidden", "application/xml", f"<Error>{words}</Error>".encode()
    if service == "ec2":
        words = words.replace("AccessDenied<", "UnauthorizedOperation<")
        return "403 Forbidden", "text/xml", f"<Response><Errors><Error>{words}</Error></Errors></Response>".encode()
    return "403 Forbidden", "text/xml", f"<ErrorResponse><Error><Type>Sender</Type>{words}</Error></ErrorResponse>".encode()
