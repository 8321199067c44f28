"""What an instance's user data tells the ECS agent that starts on it.

The user data writes lines such as `ECS_CLUSTER=demo` to /etc/ecs/ecs.config. Read here is
what decides how the instance joins its cluster; any other line is the instance's own affair.

Source: Developer Guide, "Bootstrapping container instances with Amazon EC2 user data",
"Amazon ECS container agent configuration".
"""
from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from typing import Mapping

_SETTING = re.compile(r"^[^#\n]*?\b(ECS_[A-Z_]+)=(?:'([^'\n]*)'|\"([^\"\n]*)\"|(\{[^\n]*?\}|[^\s'\"\\;]*))", re.MULTILINE)


@dataclass(frozen=True)
class AgentConfig:
    """What the agent was told. `cluster` is None where no line speaks of ECS: the instance joins nothing."""

    cluster: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    reserved_memory: int = 0  # MiB
    spot_draining: bool = False


def read(user_data: str) -> AgentConfig:
    """The agent's settings in the user data. A later line wins; a value that makes no sense counts as absent."""
    found = {name: next((v for v in values if v), "") for name, *values in _SETTING.findall(user_data)}
    if not found:
        return AgentConfig()
    reserved = found.get("ECS_RESERVED_MEMORY", "")
    return AgentConfig(
        cluster=found.get("ECS_CLUSTER") or "default",
        attributes=_attributes(found.get("ECS_INSTANCE_ATTRIBUTES", "")),
        reserved_memory=int(reserved) if reserved.isdigit() else 0,
        spot_draining=found.get("ECS_ENABLE_SPOT_INSTANCE_DRAINING", "").lower() == "true",
    )


def _attributes(text: str) -> dict[str, str]:
    try:
        given = json.loads(text or "{}")
    except ValueError:
        return {}
    return {str(name): str(value) for name, value in given.items()} if isinstance(given, dict) else {}


def decoded(user_data) -> str:
    """The text of user data as EC2 keeps it, in base64; "" for what is none."""
    try:
        return base64.b64decode(str(user_data or "")).decode()
    except ValueError:
        return ""
