"""The errors ECS answers with, as one exception.

`code` is the exception's name in the ECS API (`ClientException`,
`InvalidParameterException`, `ClusterNotFoundException`, ...), `message` is the
text a caller reads. Source: Amazon ECS API Reference, "Common Errors" and the
errors listed under each action.
"""
from __future__ import annotations


class EcsError(Exception):
    """One refusal of the ECS API. `extra` holds further modelled members."""

    def __init__(self, code: str, message: str, **extra):
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.extra = extra


def client(message: str) -> EcsError:
    return EcsError("ClientException", message)


def invalid(message: str) -> EcsError:
    return EcsError("InvalidParameterException", message)
