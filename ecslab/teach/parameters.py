"""Does every boto3 call name real operations and parameters? Asked of botocore's own model, as installed.

Only calls whose client can be told are looked at: a name assigned from
`....client("<service>")`, such a call itself, or an attribute or variable
named after its service (`ecs`, `aws.ecs`). Dictionaries and lists written out
in the call are followed down to their last key.
"""
from __future__ import annotations

import ast
from functools import cache
from typing import Any, Iterator

BY_NAME = {name: name for name in ("ecs", "ec2", "elbv2", "iam", "logs", "cloudwatch", "ecr", "ssm", "sts", "secretsmanager")}
NOT_OPERATIONS = {
    "can_paginate", "close", "exceptions", "generate_presigned_post", "generate_presigned_url",
    "get_paginator", "get_waiter", "meta",
}


def unknown_in_code(code: str) -> Iterator[tuple[int, str]]:
    """(line, sentence) for every unknown operation or parameter in Python code."""
    tree = ast.parse(code)
    clients = {**BY_NAME, **_assigned(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            service = _service(node.func.value, clients)
            if service and node.func.attr not in NOT_OPERATIONS:
                for sentence in _call(service, node):
                    yield node.lineno, sentence


def unknown_in_document(service: str, operation: str, document: Any) -> Iterator[str]:
    """A sentence for every key of a JSON document that the operation's input does not have."""
    yield from _members(_operations(service)[operation].input_shape, document, operation)


def _assigned(tree: ast.AST) -> dict[str, str]:
    """Variables assigned from a client call, with the service each stands for."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and (service := _client_of(node.value)):
            found |= {target.id: service for target in node.targets if isinstance(target, ast.Name)}
    return found


def _client_of(node: ast.AST) -> str | None:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "client" and node.args:
        name = node.args[0]
        return name.value if isinstance(name, ast.Constant) and isinstance(name.value, str) else None
    return None


def _service(node: ast.AST, clients: dict[str, str]) -> str | None:
    if isinstance(node, ast.Name):
        return clients.get(node.id)
    if isinstance(node, ast.Attribute):
        return BY_NAME.get(node.attr)
    return _client_of(node)


def _call(service: str, node: ast.Call) -> Iterator[str]:
    operations = _operations(service)
    if operations is None:
        yield f"boto3 has no service {service!r}"
        return
    name = node.func.attr
    if name not in operations:
        yield f"{service} has no operation {name!r}"
        return
    given = {keyword.arg: _literal(keyword.value) for keyword in node.keywords if keyword.arg}
    yield from _members(operations[name].input_shape, given, f"{service}.{name}")


UNKNOWN = object()


def _literal(node: ast.AST) -> Any:
    """What is written out: dictionaries and lists down to their leaves, anything else unknown."""
    if isinstance(node, ast.Dict):
        keys = [key.value if isinstance(key, ast.Constant) else UNKNOWN for key in node.keys]
        return dict(zip(keys, map(_literal, node.values)))
    if isinstance(node, (ast.List, ast.Tuple)):
        return [_literal(item) for item in node.elts]
    return UNKNOWN


def _members(shape: Any, value: Any, where: str) -> Iterator[str]:
    kind = getattr(shape, "type_name", "structure")
    if kind == "structure" and isinstance(value, dict):
        members = shape.members if shape else {}
        for key, inner in value.items():
            if key in members:
                yield from _members(members[key], inner, f"{where}.{key}")
            elif key is not UNKNOWN and not getattr(shape, "is_document_type", False):
                yield f"{where} has no parameter {key!r}"
    elif kind == "list" and isinstance(value, list):
        for inner in value:
            yield from _members(shape.member, inner, where)
    elif kind == "map" and isinstance(value, dict):
        for inner in value.values():
            yield from _members(shape.value, inner, where)


@cache
def _operations(service: str) -> dict[str, Any] | None:
    """Operations by their Python name; None for an unknown service."""
    from botocore import xform_name
    from botocore.exceptions import UnknownServiceError
    from botocore.session import get_session

    try:
        model = get_session().get_service_model(service)
    except UnknownServiceError:
        return None
    return {xform_name(name): model.operation_model(name) for name in model.operation_names}
