"""What the lab app is told by AWS when it calls with its task role's credentials, in virtual time.

The same requests as the app's own script makes, to the same endpoint: see `ask_aws`
there. Source: Developer Guide, "Amazon ECS task IAM role".
"""
from __future__ import annotations

import json
from typing import TYPE_CHECKING

from .inside import Inside

if TYPE_CHECKING:
    from . import Region
    from .model import Task

# What the app is asked for -> (service, method, header, what follows the host, the body), made from the value.
CALLS = {
    "secret": ("secretsmanager", "POST", {"X-Amz-Target": "secretsmanager.GetSecretValue"}, lambda value: "/", lambda value: json.dumps({"SecretId": value})),
    "object": ("s3", "GET", {}, lambda value: f"/{value}", lambda value: ""),
}
WORDS = {"credentials", *CALLS}


def said(region: "Region", task: "Task", word: str, value: str) -> tuple[int, str]:
    """(status, body) of the app's answer."""
    there = Inside(region, task, next(iter(task.containers)))
    path = there.addresses.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") if task.network else None
    found = there.get(path) if path else None
    if found is None or found.status != 200:
        return 502, "no credentials"
    given = found.json()
    if word == "credentials":
        return 200, json.dumps({name: given[name] for name in ("RoleArn", "Expiration")})
    return _asked(region, given, *CALLS[word], value)


def _asked(region: "Region", given: dict, service: str, method: str, headers: dict, path, body, value: str) -> tuple[int, str]:
    from werkzeug.test import Client

    from . import access
    from .server import application

    day = given["Expiration"][:10].replace("-", "")
    scope = f"{given['AccessKeyId']}/{day}/{region.name}/{service}/aws4_request"
    answer = Client(application()).open(
        path(value),
        method=method,
        base_url=region.endpoint_url,
        content_type="application/x-amz-json-1.1",
        data=body(value),
        headers={
            **headers,
            "X-Amz-Security-Token": given["Token"],
            "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=none",
            access.FROM_A_TASK: "yes",
        },
    )
    text = answer.get_data(as_text=True)
    return (200 if answer.status_code == 200 else 502), text or "no answer from AWS"
