"""What a task needs its execution role for, and which permissions that takes.

The role is asked for nothing that the definition does not use. Logs of a task on EC2
that names no execution role are written with the instance's role, which is not looked at.

Sources: Developer Guide, "Amazon ECS task execution IAM role", "Send Amazon ECS logs
to CloudWatch"; ECR User Guide, "Amazon ECR identity-based policies".
"""
from __future__ import annotations

from typing import Mapping

from .fargate import ECR_IMAGE

ECR_TOKEN = "ecr:GetAuthorizationToken"  # on resource * only
ECR_PULL = ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")  # on the repository
CREATE_GROUP, CREATE_STREAM, PUT_EVENTS = "logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"

# What in a container calls for the role.
USES = {
    "secrets": lambda c: bool(c.get("secrets")),
    "environment files": lambda c: bool(c.get("environmentFiles")),
    "registry credentials": lambda c: bool(c.get("repositoryCredentials")),
    "log options": lambda c: bool((c.get("logConfiguration") or {}).get("secretOptions")),
    "logs": lambda c: (c.get("logConfiguration") or {}).get("logDriver") == "awslogs",
    "images": lambda c: bool(ECR_IMAGE.match(c["image"])),
}


def uses(definition: Mapping) -> tuple[str, ...]:
    """The keys of `USES` that this definition calls for."""
    return tuple(name for name, wanted in USES.items() if any(map(wanted, definition["containerDefinitions"])))
