"""Where does a secret's value come from? `valueFrom`, and the lines of an environment file, taken apart.

Source: Developer Guide, "Pass sensitive data to an Amazon ECS container", "Pass
Secrets Manager secrets through Amazon ECS environment variables", "Pass Systems
Manager parameters through Amazon ECS environment variables", "Pass an individual
environment variable to an Amazon ECS container" (environment files).
"""
from __future__ import annotations

from dataclasses import dataclass

ASM = ":secretsmanager:"
SECRET_PARTS = 7  # arn:aws:secretsmanager:region:account:secret:name


@dataclass(frozen=True)
class Reference:
    """One `valueFrom`. `source` is "asm" (Secrets Manager) or "ssm" (Parameter Store); `id` is an ARN or a parameter's name."""

    source: str
    id: str
    json_key: str = ""
    version_stage: str = ""
    version_id: str = ""


def parse(value_from: str) -> Reference:
    """Take `valueFrom` apart. ValueError says what is wrong with it."""
    if ASM not in value_from:
        name = value_from.partition(":parameter")[2] if value_from.startswith("arn:") else value_from
        return Reference("ssm", name.removeprefix("/") if value_from.startswith("arn:") and name.count("/") == 1 else name)
    parts = value_from.split(":")
    extra = parts[SECRET_PARTS:]
    if extra and len(extra) != 3:
        raise ValueError("unexpected ARN format with parameters when trying to retrieve ASM secret")
    key, stage, version = extra or ("", "", "")
    if stage and version:
        raise ValueError("a version stage and a version id cannot both be given")
    return Reference("asm", ":".join(parts[:SECRET_PARTS]), key, stage, version)


def environment_file(text: str) -> dict[str, str]:
    """NAME=VALUE a line; lines that begin with # and empty ones are left out, spaces and quotes are kept as they are."""
    lines = (line.rstrip("\r") for line in text.split("\n"))
    pairs = (line.split("=", 1) for line in lines if line.strip() and not line.startswith("#") and "=" in line)
    return {name: value for name, value in pairs if name}
