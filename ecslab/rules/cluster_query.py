"""The cluster query language: which container instances an expression selects.

Theory. `subject operator [argument]`, joined by and, or, not and parentheses:

   expression = conjunction {("||" | "or") conjunction}
   conjunction = term {("&&" | "and") term}
   term = ("!" | "not") term | "(" expression ")" | subject operator [argument]
   argument = value | "[" value {"," value} "]"

A subject reads no value, one, or several from an instance; an operator holds when
it holds for any of them.

Choices of ours, where AWS documents none: a negated operator is true when its
positive twin is false, so `attribute:x != y` holds where `x` is missing; `and` binds
tighter than `or`; patterns match the whole value; the text of the error.

Source: Developer Guide, "Cluster query language".
"""
from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import lru_cache
from typing import Callable, Mapping, Protocol

from .errors import EcsError, invalid


class Instance(Protocol):
    """What an expression may ask about (`placement.InstanceView` is one)."""

    agent_connected: bool
    agent_version: str
    ec2_instance_id: str
    registered_at: float
    running_tasks: int
    tasks_by_group: Mapping[str, int]

    def attribute(self, name: str) -> str | None: ...


Query = Callable[[Instance], bool]

_OPERATORS = {
    "==": "equals", "!=": "not_equals", ">": "greater_than", ">=": "greater_than_equal", "<": "less_than",
    "<=": "less_than_equal", "!exists": "not_exists", "!in": "not_in", "=~": "matches", "!~": "not_matches",
}  # fmt: skip
_WORDS = ("exists", "in", *_OPERATORS.values())
_OPERATOR = "|".join(
    [re.escape(o) for o in sorted(_OPERATORS, key=len, reverse=True)]
    + [rf"{w}(?!\w)" for w in sorted(_WORDS, key=len, reverse=True)]
)
_EQUALITY = {"equals", "not_equals"}
_ORDER = _EQUALITY | {"greater_than", "greater_than_equal", "less_than", "less_than_equal"}
_MEMBERSHIP = _EQUALITY | {"in", "not_in", "matches", "not_matches"}

_TESTS: dict[str, Callable] = {
    "equals": lambda value, argument: value == argument,
    "greater_than": lambda value, argument: value > argument,
    "greater_than_equal": lambda value, argument: value >= argument,
    "less_than": lambda value, argument: value < argument,
    "less_than_equal": lambda value, argument: value <= argument,
    "exists": lambda value, argument: True,
    "in": lambda value, argument: value in argument,
    "matches": lambda value, argument: argument.fullmatch(value) is not None,
}


def _version(text: str) -> tuple[int, ...]:
    if not re.fullmatch(r"v?\d+(\.\d+)*.*", text):
        raise ValueError(text)
    return tuple(int(part) for part in re.findall(r"\d+", text))


def _moment(text: str) -> float:
    when = datetime.fromisoformat(text)
    return (when if when.tzinfo else when.replace(tzinfo=timezone.utc)).timestamp()


@dataclass(frozen=True, slots=True)
class _Subject:
    read: Callable[[Instance], tuple]  # no value, one, or several
    operators: frozenset[str]
    convert: Callable[[str], object] = str


_SUBJECTS = {
    "agentConnected": _Subject(lambda i: (str(i.agent_connected).lower(),), frozenset(_MEMBERSHIP)),
    "agentVersion": _Subject(lambda i: (_version(i.agent_version or "0"),), frozenset(_ORDER), _version),
    "ec2InstanceId": _Subject(lambda i: (i.ec2_instance_id,), frozenset(_MEMBERSHIP)),
    "registeredAt": _Subject(lambda i: (i.registered_at,), frozenset(_ORDER), _moment),
    "runningTasksCount": _Subject(lambda i: (i.running_tasks,), frozenset(_ORDER), int),
    "task:group": _Subject(
        lambda i: tuple(g for g, n in i.tasks_by_group.items() if n > 0),
        frozenset(_MEMBERSHIP | {"exists", "not_exists"}),
    ),
}


def _subject(name: str) -> _Subject | None:
    if not name.startswith("attribute:") or name == "attribute:":
        return _SUBJECTS.get(name)
    attribute = name.removeprefix("attribute:")

    def read(instance: Instance) -> tuple:
        value = instance.attribute(attribute)
        return () if value is None else (value,)

    return _Subject(read, frozenset(_ORDER | _MEMBERSHIP | {"exists", "not_exists"}))


class _Parser:
    """Recursive descent over the text; `take` eats one token if it is there."""

    def __init__(self, text: str):
        self.text, self.at = text, 0

    def take(self, token: str) -> str | None:
        found = re.compile(rf"\s*({token})").match(self.text, self.at)
        if not found:
            return None
        self.at = found.end()
        return found.group(1)

    def need(self, token: str, what: str) -> str:
        found = self.take(token)
        if found is None:
            raise self.wrong(f"expected {what}")
        return found

    def wrong(self, why: str) -> EcsError:
        return invalid(f"Invalid expression '{self.text}': {why} at position {self.at}.")

    def whole(self) -> Query:
        query = self.expression()
        if self.text[self.at :].strip():
            raise self.wrong("expected 'and' or 'or'")
        return query

    def expression(self) -> Query:
        parts = [self.conjunction()]
        while self.take(r"\|\||or(?!\w)"):
            parts.append(self.conjunction())
        return parts[0] if len(parts) == 1 else lambda i: any(p(i) for p in parts)

    def conjunction(self) -> Query:
        parts = [self.term()]
        while self.take(r"&&|and(?!\w)"):
            parts.append(self.term())
        return parts[0] if len(parts) == 1 else lambda i: all(p(i) for p in parts)

    def term(self) -> Query:
        if self.take(r"!|not(?!\w)"):
            negated = self.term()
            return lambda i: not negated(i)
        if self.take(r"\("):
            inner = self.expression()
            self.need(r"\)", "')'")
            return inner
        return self.comparison()

    def comparison(self) -> Query:
        name = self.need(r"[A-Za-z][\w:./\\-]*", "a subject")
        subject = _subject(name)
        if subject is None:
            raise self.wrong(f"unknown subject '{name}'")
        written = self.need(_OPERATOR, "an operator")
        operator = _OPERATORS.get(written, written)
        if operator not in subject.operators:
            raise self.wrong(f"'{written}' is not a valid operator for '{name}'")
        try:
            argument = self.argument(operator.removeprefix("not_"), subject)
        except (ValueError, re.error):
            raise self.wrong(f"invalid argument for '{name}'") from None
        test, read = _TESTS[operator.removeprefix("not_")], subject.read
        wanted = not operator.startswith("not_")
        return lambda i: any(test(value, argument) for value in read(i)) is wanted

    def argument(self, operator: str, subject: _Subject):
        if operator == "exists":
            return None
        if operator == "matches":
            return re.compile(self.value(r"[^\s()]+"))
        if operator != "in":
            return subject.convert(self.value())
        self.need(r"\[", "'['")
        values = {subject.convert(self.value())}
        while self.take(","):
            values.add(subject.convert(self.value()))
        self.need(r"\]", "']'")
        return values

    def value(self, bare: str = r"""(?:(?!&&|\|\|)[^\s()\[\],'"])+""") -> str:
        quoted = self.take(r"""'[^']*'|"[^"]*\"""")
        return quoted[1:-1] if quoted else self.need(bare, "an argument")


@lru_cache(maxsize=1024)
def parse(expression: str) -> Query:
    """The expression as a function of an instance. EcsError when it is not valid."""
    return _Parser(expression).whole()


def matches(query: Query, instance: Instance) -> bool:
    return query(instance)
