"""Is a request allowed? Identity policies, trust policies, and IAM's words for a refusal.

An explicit Deny wins, then any Allow, and what nobody allows is denied. Source:
IAM User Guide, "Policy evaluation logic", "IAM JSON policy elements reference",
"Troubleshoot access denied error messages".
"""
from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Callable, Iterable, Mapping

TASKS = "ecs-tasks.amazonaws.com"


@dataclass(frozen=True)
class Decision:
    """`explicit` is true when a Deny statement decided."""

    allowed: bool
    explicit: bool = False

    def __bool__(self) -> bool:
        return self.allowed


def decide(policies: Iterable[Mapping], action: str, resource: str = "*", context: Mapping[str, str] = {}) -> Decision:
    """May an identity with these policy documents do that? `context` holds condition keys and their values."""
    effects = {s["Effect"] for p in policies for s in statements(p) if _applies(s, action, resource, context)}
    return Decision("Allow" in effects and "Deny" not in effects, "Deny" in effects)


def trusts(document: Mapping, service: str = TASKS, context: Mapping[str, str] = {}) -> bool:
    """Does a role's trust policy let that service assume it?"""
    effects = {
        s["Effect"]
        for s in statements(document)
        if _matches(s.get("Action"), "sts:AssumeRole", fold=True) and _is_principal(s, service) and _conditions(s, context)
    }
    return effects == {"Allow"}


def denied(caller: str, action: str, resource: str, decision: Decision) -> str:
    """IAM's sentence for a refusal."""
    why = (
        "with an explicit deny in an identity-based policy"
        if decision.explicit
        else f"because no identity-based policy allows the {action} action"
    )
    return f"User: {caller} is not authorized to perform: {action} on resource: {resource} {why}"


def statements(document: Mapping) -> list[Mapping]:
    """The statements of a policy, also where it has a single one outside a list."""
    found = document.get("Statement") or []
    return [found] if isinstance(found, Mapping) else list(found)


def _applies(statement: Mapping, action: str, resource: str, context: Mapping[str, str]) -> bool:
    return (
        _element(statement, "Action", action, fold=True)
        and _element(statement, "Resource", resource)
        and _conditions(statement, context)
    )


def _element(statement: Mapping, name: str, value: str, fold: bool = False) -> bool:
    if f"Not{name}" in statement:
        return not _matches(statement[f"Not{name}"], value, fold)
    return _matches(statement.get(name), value, fold)


def _matches(patterns: Any, value: str, fold: bool = False) -> bool:
    return any(_pattern(p, fold).fullmatch(value) for p in several(patterns))


def several(value: Any) -> list[str]:
    """An element's values, also where it is written as a single one, or not at all."""
    return [] if value is None else [str(v) for v in value] if isinstance(value, list) else [str(value)]


@lru_cache(maxsize=1024)
def _pattern(text: str, fold: bool) -> re.Pattern:
    """`*` is any characters, `?` is one."""
    words = re.escape(text).replace(r"\*", ".*").replace(r"\?", ".")
    return re.compile(words, re.DOTALL | (re.IGNORECASE if fold else 0))


def _is_principal(statement: Mapping, service: str) -> bool:
    principal = statement.get("Principal")
    return principal == "*" or isinstance(principal, Mapping) and service in several(principal.get("Service"))


# Conditions -----------------------------------------------------------------------------

# Operator -> does a value satisfy a pattern? A name with IfExists passes where the key is absent; one with Not too.
OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda value, wanted: value == wanted,
    "StringEqualsIgnoreCase": lambda value, wanted: value.lower() == wanted.lower(),
    "StringLike": lambda value, wanted: bool(_pattern(wanted, False).fullmatch(value)),
    "ArnEquals": lambda value, wanted: bool(_pattern(wanted, False).fullmatch(value)),
    "ArnLike": lambda value, wanted: bool(_pattern(wanted, False).fullmatch(value)),
    "Bool": lambda value, wanted: value.lower() == wanted.lower(),
}


def _conditions(statement: Mapping, context: Mapping[str, str]) -> bool:
    known = {name.lower(): value for name, value in context.items()}
    return all(
        _condition(operator, known.get(key.lower()), wanted, statement["Effect"])
        for operator, keys in (statement.get("Condition") or {}).items()
        for key, wanted in keys.items()
    )


def _condition(operator: str, value: str | None, wanted: Any, effect: str) -> bool:
    if_exists = operator.endswith("IfExists")
    name = operator.removesuffix("IfExists")
    negated = "Not" in name
    test = OPERATORS.get(name.replace("Not", ""))
    if test is None:
        return effect == "Deny"  # what cannot be judged here never opens a door
    if value is None:
        return if_exists or negated
    return any(test(value, one) for one in several(wanted)) is not negated
