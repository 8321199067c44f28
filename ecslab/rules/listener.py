"""What a load balancer does with one request: which rule, which group, which target.

Rules are tried in the order of their priority; the first whose every condition
holds decides, and the default rule holds always. A forward goes to one target
group, by weight, and there to one target.

Two choices of ours, where AWS draws at random: of groups by weight the one
furthest behind its share is next, so that any hundred requests show the shares;
and a group's targets take turns in the order in which they were registered.

Sources: Elastic Load Balancing, User Guide for Application Load Balancers,
"Listener rules for your Application Load Balancer", "Target groups for your
Application Load Balancers"; API Reference version 2015-12-01, RuleCondition, Action.
"""
from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Mapping, Sequence
from urllib.parse import parse_qsl

DEFAULT_PORTS = {"HTTP": 80, "HTTPS": 443}


@dataclass(frozen=True)
class HttpRequest:
    """A request as rules see it. Header names are in lower case; `query` is what follows the question mark."""

    method: str = "GET"
    host: str = ""
    path: str = "/"
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    source_ip: str = "127.0.0.1"


@dataclass(frozen=True)
class Rule:
    """`priority` is None for a listener's default rule. Conditions and actions have the shapes of the API."""

    arn: str
    priority: int | None
    conditions: Sequence[Mapping[str, Any]]
    actions: Sequence[Mapping[str, Any]]


def in_order(rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """By priority, the default rule last."""
    return tuple(sorted(rules, key=lambda rule: (rule.priority is None, rule.priority or 0)))


def decide(rules: Sequence[Rule], request: HttpRequest) -> Rule:
    """The rule that takes the request. `rules` are in order and end with the default rule."""
    return next(rule for rule in rules if all(matches(condition, request) for condition in rule.conditions))


# Conditions -------------------------------------------------------------------


def matches(condition: Mapping[str, Any], request: HttpRequest) -> bool:
    """Does one condition hold? It does when any of its values fits."""
    return CONDITIONS[condition["Field"]](condition, request)


def _values(condition: Mapping[str, Any], config: str) -> Sequence[Any]:
    return (condition.get(config) or {}).get("Values") or condition.get("Values") or ()


@lru_cache(maxsize=1024)
def _pattern(text: str, ignore_case: bool) -> re.Pattern:
    """`*` stands for any characters, `?` for one; a backslash takes their meaning away."""
    parts = re.findall(r"\\.|.", text, re.DOTALL)
    words = {"*": ".*", "?": "."}
    return re.compile("".join(words.get(p) or re.escape(p[-1]) for p in parts), re.DOTALL | re.IGNORECASE * ignore_case)


def _fits(value: str, patterns: Sequence[str], ignore_case: bool) -> bool:
    return any(_pattern(p, ignore_case).fullmatch(value) for p in patterns)


def _path(condition, request):
    return _fits(request.path, _values(condition, "PathPatternConfig"), ignore_case=False)


def _host(condition, request):
    host = request.host.rsplit(":", 1)[0]
    return _fits(host, _values(condition, "HostHeaderConfig"), ignore_case=True)


def _header(condition, request):
    config = condition.get("HttpHeaderConfig") or {}
    value = request.headers.get(str(config.get("HttpHeaderName", "")).lower())
    return value is not None and _fits(value, config.get("Values") or (), ignore_case=True)


def _method(condition, request):
    return request.method in _values(condition, "HttpRequestMethodConfig")


def _query(condition, request):
    given = parse_qsl(request.query, keep_blank_values=True)
    return any(
        _fits(value, [wanted.get("Value", "")], True) and ("Key" not in wanted or _fits(key, [wanted["Key"]], True))
        for wanted in _values(condition, "QueryStringConfig")
        for key, value in given
    )


def _source(condition, request):
    address = ipaddress.ip_address(request.source_ip)
    return any(address in ipaddress.ip_network(value, strict=False) for value in _values(condition, "SourceIpConfig"))


CONDITIONS = {
    "path-pattern": _path,
    "host-header": _host,
    "http-header": _header,
    "http-request-method": _method,
    "query-string": _query,
    "source-ip": _source,
}


# Actions ----------------------------------------------------------------------


def weights(action: Mapping[str, Any]) -> dict[str, int]:
    """The target groups of a forward action with their weights."""
    groups = (action.get("ForwardConfig") or {}).get("TargetGroups")
    if not groups:
        return {action["TargetGroupArn"]: 1}
    return {group["TargetGroupArn"]: int(group.get("Weight", 1)) for group in groups}


def next_by_weight(shares: Mapping[str, float], credit: dict[str, float]) -> str | None:
    """Whose turn it is; None when every weight is 0. `credit` is the caller's memory between turns."""
    total = sum(shares.values())
    if total <= 0:
        return None
    for name in [name for name in credit if name not in shares]:
        del credit[name]
    for name, weight in shares.items():
        credit[name] = credit.get(name, 0.0) + weight
    chosen = max((name for name, weight in shares.items() if weight > 0), key=lambda name: credit[name])
    credit[chosen] -= total
    return chosen


def redirect_url(config: Mapping[str, Any], request: HttpRequest, protocol: str, port: int) -> str:
    """The Location of a redirect action: what it leaves out stays as it was."""
    words = {
        "#{protocol}": protocol.lower(),
        "#{host}": request.host.rsplit(":", 1)[0],
        "#{port}": str(port),
        "#{path}": request.path.lstrip("/"),
        "#{query}": request.query,
    }

    def filled(text: str) -> str:
        for word, value in words.items():
            text = text.replace(word, value)
        return text

    scheme = filled(config.get("Protocol") or "#{protocol}").lower()
    location = f"{scheme}://{filled(config.get('Host') or '#{host}')}"
    wanted_port = filled(config.get("Port") or "#{port}")
    if wanted_port != str(DEFAULT_PORTS.get(scheme.upper())):
        location += f":{wanted_port}"
    location += filled(config.get("Path") or "/#{path}")
    query = filled(config.get("Query") or "#{query}")
    return f"{location}?{query}" if query else location
