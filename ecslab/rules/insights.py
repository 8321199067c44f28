"""Logs Insights queries: fields, display, filter, parse, stats, sort, dedup and limit over log events.

A query is a row of commands, each of which takes rows and gives rows. Functions other
than the aggregates of `stats` and `bin` are not known here, and said so. A field that a
row lacks is missing: it equals nothing and sorts last.

Source: CloudWatch Logs User Guide, "CloudWatch Logs Insights language query syntax",
"Supported logs and discovered fields".
"""
from __future__ import annotations

import json
import operator
import re
from datetime import datetime, timezone
from functools import lru_cache
from typing import Any, Callable, Iterable, Mapping

from lark import Lark, Transformer, UnexpectedInput
from lark.exceptions import VisitError

Row = dict[str, Any]
Command = Callable[[list[Row]], list[Row]]

MOST = 10_000  # rows, where a query does not say
SHOWN = ("@timestamp", "@message")  # where it does not say either
COMMANDS = ("fields", "display", "filter", "parse", "stats", "sort", "dedup", "limit")
UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}  # milliseconds
COMPARED = {"=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
GRAMMAR = r"""
start: command ("|" command)*
?command: _FIELDS names -> fields | _DISPLAY names -> display | _FILTER any -> filter | _SORT key ("," key)* -> sort
    | _DEDUP names -> dedup | _LIMIT INT -> limit | _PARSE name STRING _AS names -> glob | _PARSE name REGEX -> groups
    | _STATS total ("," total)* (_BY group ("," group)*)? -> stats
names: name ("," name)*
key: name (ASC | DESC)?
total: FUNCTION "(" [name | STAR] ")" [alias]
alias: _AS name
group: name -> by_field | _BIN "(" INT UNIT ")" [alias] -> by_bin
?any: every (_OR every)*
?every: one (_AND one)*
?one: _NOT one -> negated | "(" any ")" | name COMPARE value -> compare | name _NOT _LIKE pattern -> unlike
    | name (_LIKE | _MATCHES) pattern -> like | name _IN "[" value ("," value)* "]" -> among
pattern: STRING | REGEX
value: STRING | NUMBER
name: NAME | QUOTED
NAME: /@?[A-Za-z_][\w.]*/
QUOTED: /`[^`]+`/
FUNCTION: /(count_distinct|count|sum|avg|min|max)\b/i
STAR: "*"
ASC: /asc\b/i
DESC: /desc\b/i
UNIT: /(ms|s|m|h|d|w)\b/
COMPARE: "!=" | "<=" | ">=" | "=" | "<" | ">"
STRING: /"(\\.|[^"\\])*"|'(\\.|[^'\\])*'/
REGEX: /\/(\\.|[^\/\\])+\//
_MATCHES.2: "=~"
%import common.SIGNED_NUMBER -> NUMBER
%import common (INT, WS)
%ignore WS
%ignore /#[^\n]*/
""" + "".join(f"_{word.upper()}.2: /{word}\\b/i\n" for word in (*COMMANDS, "as", "by", "bin", "or", "and", "not", "like", "in"))


class Malformed(ValueError):
    """A query that is not understood, and why."""


def query(text: str, events: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    """The rows that a query finds, newest first where it does not sort. Raises Malformed.

    `events` have @timestamp in milliseconds, @message, @logStream, @log and @ptr.
    """
    commands = _parsed(text)
    rows = sorted((_discovered(event) for event in events), key=lambda row: -row["@timestamp"])
    shown: tuple[str, ...] = ()
    for kind, names, run in commands:
        rows = run(rows)
        shown = (*shown, *names) if kind == "fields" else names or shown
    kinds = {kind for kind, _, _ in commands}
    if "limit" not in kinds:
        rows = rows[:MOST]
    if "stats" not in kinds:
        shown = (*(shown or SHOWN), "@ptr")
    return [{name: _text(name, row[name]) for name in shown if row.get(name) is not None} for row in rows]


def _parsed(text: str) -> list[tuple[str, tuple[str, ...], Command]]:
    for part in re.findall(r"(?:^|\|)\s*([A-Za-z]+)", re.sub(r"""(["'/])(?:\\.|(?!\1).)*\1|#[^\n]*""", "", text)):
        if part.lower() not in COMMANDS:
            raise Malformed(f"ecslab's Logs Insights does not know {part}: it knows {', '.join(COMMANDS)}.")
    grammar = _grammar()
    try:
        return _Commands().transform(grammar.parse(text)).children
    except UnexpectedInput as error:
        raise Malformed(f"ecslab's Logs Insights does not understand the query here: {error.get_context(text).strip() or 'at its end'}") from None
    except VisitError as error:
        if isinstance(error.orig_exc, Malformed):
            raise error.orig_exc from None
        raise


@lru_cache
def _grammar() -> Lark:
    return Lark(GRAMMAR, parser="lalr")


def _discovered(event: Mapping[str, Any]) -> Row:
    """An event with the fields of its message, where that is a JSON object."""
    try:
        found = json.loads(event["@message"]) if event["@message"].lstrip().startswith("{") else {}
    except ValueError:
        found = {}
    return {**_flat(found), **event}


def _flat(found: Mapping, before: str = "") -> Row:
    flat: Row = {}
    for name, value in found.items():
        flat |= _flat(value, f"{before}{name}.") if isinstance(value, Mapping) else {before + name: value}
    return flat


def _text(name: str, value: Any) -> str:
    if name == "@timestamp" or isinstance(value, _Moment):
        return datetime.fromtimestamp(value / 1000, timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    if isinstance(value, float):
        return f"{value:.4f}".rstrip("0").rstrip(".")
    return value if isinstance(value, str) else json.dumps(value)


class _Moment(int):
    """The beginning of a `bin`, in milliseconds."""


def _number(value: Any) -> float | None:
    try:
        return None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return None


def _order(value: Any) -> tuple[int, float, str]:
    number = _number(value)
    return (0, number, "") if number is not None else (1, 0.0, str(value))


def _same_kind(left: Any, right: Any) -> tuple[Any, Any]:
    numbers = _number(left), _number(right)
    return numbers if None not in numbers else (str(left), str(right))


AGGREGATES: dict[str, Callable[[list], Any]] = {
    "count": len,
    "count_distinct": lambda values: len({str(v) for v in values}),
    "sum": lambda values: sum(n for v in values if (n := _number(v)) is not None),
    "avg": lambda values: sum(found) / len(found) if (found := [n for v in values if (n := _number(v)) is not None]) else None,
    "min": lambda values: min(values, key=_order, default=None),
    "max": lambda values: max(values, key=_order, default=None),
}


class _Commands(Transformer):
    """Each command becomes (its kind, the names it shows, what it does to rows)."""

    def STRING(self, token):
        return re.sub(r"\\(.)", r"\1", token[1:-1])

    def REGEX(self, token):
        try:
            return re.compile(re.sub(r"\(\?<(?![=!])", "(?P<", token[1:-1].replace(r"\/", "/")))
        except re.error as error:
            raise Malformed(f"{token} is not a regular expression: {error}.") from None

    def name(self, children):
        return children[0].strip("`")

    def alias(self, children):
        return children[0]

    def names(self, children):
        return tuple(children)

    def value(self, children):
        return str(children[0])

    def pattern(self, children):
        return children[0] if isinstance(children[0], re.Pattern) else re.compile(re.escape(children[0]))

    # Conditions

    def any(self, tests):
        return lambda row: any(test(row) for test in tests)

    def every(self, tests):
        return lambda row: all(test(row) for test in tests)

    def negated(self, children):
        return lambda row: not children[0](row)

    def compare(self, children):
        name, sign, value = children
        return lambda row: row.get(name) is not None and COMPARED[sign](*_same_kind(row[name], value))

    def like(self, children):
        name, pattern = children
        return lambda row: row.get(name) is not None and pattern.search(str(row[name])) is not None

    def unlike(self, children):
        found = self.like(children)
        return lambda row: not found(row)

    def among(self, children):
        name, *values = children
        return lambda row: row.get(name) is not None and any(operator.eq(*_same_kind(row[name], value)) for value in values)

    # Commands

    def fields(self, children):
        return "fields", children[0], lambda rows: rows

    def display(self, children):
        return "display", children[0], lambda rows: rows

    def filter(self, children):
        return "filter", (), lambda rows: [row for row in rows if children[0](row)]

    def key(self, children):
        return children[0], len(children) < 2 or children[1].lower() == "desc"

    def sort(self, keys):
        def ordered(rows: list[Row]) -> list[Row]:
            for name, descending in reversed(keys):
                has = [row for row in rows if row.get(name) is not None]
                lacks = [row for row in rows if row.get(name) is None]
                rows = sorted(has, key=lambda row: _order(row[name]), reverse=descending) + lacks
            return rows

        return "sort", (), ordered

    def dedup(self, children):
        def first(rows: list[Row]) -> list[Row]:
            kept: dict[tuple, Row] = {}
            for row in rows:
                kept.setdefault(tuple(str(row.get(name)) for name in children[0]), row)
            return list(kept.values())

        return "dedup", (), first

    def limit(self, children):
        most = int(children[0])
        if not 1 <= most <= MOST:
            raise Malformed(f"limit must be between 1 and {MOST}.")
        return "limit", (), lambda rows: rows[:most]

    def glob(self, children):
        name, pattern, names = children
        parts = pattern.split("*")
        if len(parts) - 1 != len(names):
            raise Malformed(f"parse has {len(parts) - 1} * and {len(names)} names.")
        found = re.compile("(.*?)".join(map(re.escape, parts)) + ("$" if pattern.endswith("*") else ""), re.DOTALL)
        return "parse", (), lambda rows: [{**row, **(dict(zip(names, m.groups())) if (m := found.search(str(row.get(name, "")))) else {})} for row in rows]

    def groups(self, children):
        name, pattern = children
        return "parse", (), lambda rows: [{**row, **(m.groupdict() if (m := pattern.search(str(row.get(name, "")))) else {})} for row in rows]

    def total(self, children):
        """(is it a group, its name, what it is of a row or of rows)"""
        function, of, alias = children[0], str(children[1] or ""), children[2]
        if function.lower() != "count" and of in ("", "*"):
            raise Malformed(f"{function} needs a field.")
        compute = AGGREGATES[function.lower()]
        if of in ("", "*"):
            return False, alias or f"{function}({of})", len
        return False, alias or f"{function}({of})", lambda rows: compute([row[of] for row in rows if row.get(of) is not None])

    def by_field(self, children):
        return True, children[0], lambda row: row.get(children[0])

    def by_bin(self, children):
        count, unit, alias = children
        width = int(count) * UNITS[unit]
        if width < 1:
            raise Malformed("bin needs a period above 0.")
        return True, alias or f"bin({count}{unit})", lambda row: _Moment(row["@timestamp"] // width * width)

    def stats(self, children):
        groups = [(name, of) for is_group, name, of in children if is_group]
        totals = [(name, of) for is_group, name, of in children if not is_group]

        def counted(rows: list[Row]) -> list[Row]:
            found: dict[tuple, list[Row]] = {}
            for row in rows:
                found.setdefault(tuple(of(row) for _, of in groups), []).append(row)
            return [
                {**{name: value for (name, _), value in zip(groups, key)}, **{name: of(some) for name, of in totals}} for key, some in found.items()
            ]

        return "stats", tuple(name for name, _ in (*groups, *totals)), counted
