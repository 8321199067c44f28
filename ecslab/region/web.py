"""Requests to what the region runs, the same on both engines.

A URL names a load balancer by its DNS name, or a task by its address. On Docker
the request is real: it goes to the listener's port on 127.0.0.1, or to the
task. Simulated, the same rules choose the target and the lab app's declared
behaviour answers; no time passes.
"""
from __future__ import annotations

import json
import re
import secrets
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Mapping
from urllib.parse import urlsplit

from ..rules import stickiness
from ..rules.listener import DEFAULT_PORTS, HttpRequest
from ..rules.target_health import HealthCheck
from . import inside, task_calls
from .connect import TRIES
from .balancing import Checked, Decision, Listener, Target, bad_gateway, gateway_timeout

if TYPE_CHECKING:
    from . import Region

SIMULATED_SECONDS = 0.02  # what a simulated answer takes
TIMEOUT = 90.0  # seconds of this machine


@dataclass(frozen=True)
class Response:
    """`status` is 0 when nothing answered at all; `cause` says why an answer is an error. `seconds` are the region's."""

    status: int
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    cause: str = ""
    set_cookies: tuple[str, ...] = ()  # every Set-Cookie header

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies this answer sets."""
        return stickiness.parsed("; ".join(one.partition(";")[0] for one in self.set_cookies))

    def json(self) -> Any:
        return json.loads(self.body)

    def __str__(self) -> str:
        return f"{self.status} {self.body.strip()}" if not self.cause else f"{self.status} ({self.cause})"


def get(region: "Region", url: str, headers: Mapping[str, str] | None = None, method: str = "GET") -> Response:
    """One request. Never raises for what the network or the server does."""
    if region.is_simulated:
        with region.lock:
            region.step()
            answer = simulated(region, url, dict(headers or {}), method)
            region.step()
            return answer
    return _real(region, url, dict(headers or {}), method)


# Docker ---------------------------------------------------------------------------


def local(region: "Region", url: str) -> tuple[str, str]:
    """(the URL that reaches it from this machine, the Host header it was meant for). ValueError says what is unknown."""
    parts = _parts(url)
    listener = _listener(region, parts)
    if listener is None:
        return parts.geturl(), parts.netloc
    port = region.balancing.plane.ports[listener.arn]
    return parts._replace(scheme="http", netloc=f"127.0.0.1:{port}").geturl(), parts.netloc


def _parts(url: str):
    return urlsplit(url if "//" in url else f"http://{url}")


def listener_of(region: "Region", url: str) -> Listener | None:
    """The listener a URL leads to; None for an address. ValueError when its load balancer has none there."""
    return _listener(region, _parts(url))


def _listener(region: "Region", parts) -> Listener | None:
    scheme = (parts.scheme or "http").upper()
    if not (parts.hostname or "").endswith(".elb.amazonaws.com"):
        return None
    port = parts.port or DEFAULT_PORTS.get(scheme, 80)
    found = region.balancing.listener_for(parts.hostname, port)
    if found is None:
        raise ValueError(f"No load balancer listens at {parts.hostname} port {port}.")
    return found


def _real(region: "Region", url: str, headers: dict[str, str], method: str) -> Response:
    where, host = local(region, url)
    trace = headers.setdefault("X-Amzn-Trace-Id", f"Root=1-{secrets.token_hex(12)}")
    headers.setdefault("Host", host)
    request = urllib.request.Request(where, method=method, headers=headers)
    started = time.monotonic()

    def answer(status: int, body: bytes, received, cause: str = "") -> Response:
        seconds = (time.monotonic() - started) * region.speed
        cause = cause or region.balancing.cause_of(trace)
        cookies = tuple(received.get_all("Set-Cookie") or ()) if received else ()
        return Response(status, body.decode(errors="replace"), dict(received), seconds, cause, cookies)

    try:
        with _opener.open(request, timeout=TIMEOUT) as response:
            return answer(response.status, response.read(), response.headers)
    except urllib.error.HTTPError as error:
        return answer(error.code, error.read(), error.headers)
    except (OSError, ValueError) as error:
        return answer(0, b"", {}, str(getattr(error, "reason", error)))


async def real_later(region: "Region", session, url: str, headers: Mapping[str, str]) -> Response:
    """The same from inside an event loop, over an aiohttp session."""
    import asyncio

    from aiohttp import ClientError

    started = time.monotonic()
    trace = f"Root=1-{secrets.token_hex(12)}"
    status, body, received, cause = 0, b"", {}, ""
    try:
        where, host = local(region, url)
        given = {"Host": host, **headers, "X-Amzn-Trace-Id": trace}
        async with session.get(where, headers=given, allow_redirects=False) as answer:
            status, body, received = answer.status, await answer.read(), dict(answer.headers)
    except (ClientError, asyncio.TimeoutError, OSError, ValueError, KeyError) as error:
        status, cause = 0, str(error) or type(error).__name__
    seconds = (time.monotonic() - started) * region.speed
    return Response(status, body.decode(errors="replace"), received, seconds, cause or region.balancing.cause_of(trace))


class _AsItIs(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args):
        return None  # a redirect is an answer like any other


_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _AsItIs)


# Simulated ------------------------------------------------------------------------


def simulated(region: "Region", url: str, headers: Mapping[str, str], method: str = "GET") -> Response:
    """Ask at this moment of virtual time. Called under the region's lock."""
    parts = _parts(url)
    listener = _listener(region, parts)
    path = parts.path or "/"
    full_path = f"{path}?{parts.query}" if parts.query else path
    if listener is None:
        task = next((t for t in region.tasks.present() if t.network and t.network.private_ip == parts.hostname), None)
        answer = region.engine.answer(task.id, parts.port or 80, full_path) if task else None
        if answer is None:
            return Response(0, cause="Connection refused" if task else f"Nothing is at {parts.hostname}.")
        status, body, seconds = _said(region, task, answer)
        return Response(status, body, seconds=SIMULATED_SECONDS + seconds)
    lower = {name.lower(): value for name, value in headers.items()}
    decision = region.balancing.route(
        listener, HttpRequest(method, lower.get("host", parts.netloc), path, parts.query, lower, "127.0.0.1")
    )
    if decision.target is None:
        return _own(region, listener, decision)
    if not region.balancing.lets_in(listener, decision.target):
        return _own(region, listener, gateway_timeout)
    answer = _ask(region, decision.target, decision.target.port, full_path)
    if answer is None:
        return _own(region, listener, bad_gateway)
    if answer.seconds > listener.idle_timeout:
        return _own(region, listener, gateway_timeout)
    status, body, seconds = _said(region, region.balancing.task_of(decision.target), answer)
    seconds += SIMULATED_SECONDS
    region.balancing.traffic.answered(listener.balancer, decision.target, status, seconds)
    kind = "application/json" if body.startswith("{") else "text/plain"
    cookies = (*answer.cookies, *stickiness.added(decision.cookies, answer.cookies))
    received = {"Content-Type": kind, **{"Set-Cookie": cookie for cookie in cookies[:1]}}
    return Response(status, body, received, seconds, set_cookies=cookies)


def _said(region: "Region", task, answer) -> tuple[int, str, float]:
    """(status, body, seconds) of an app's answer; one that asks another service first really asks it."""
    word, value = answer.then or ("", "")
    if word in task_calls.WORDS:
        return *task_calls.said(region, task, word, str(value)), answer.seconds
    if word != "call":
        return answer.status, answer.body, answer.seconds
    host, _, path = str(value).partition("/")
    name, _, port = host.partition(":")
    response = call(region, task, name, int(port or 80), f"/{path}")
    return (200 if response.status == 200 else 502), response.body or response.cause, response.seconds


def call(region: "Region", task, name: str, port: int, path: str) -> Response:
    """A request from inside a task, in virtual time: its name is resolved as the task would."""
    if name.endswith(".elb.amazonaws.com"):
        return simulated(region, f"http://{name}:{port}{path}", {})
    endpoint = next((e for e in task.endpoints if (e.name, e.port) == (name, port)), None)
    if endpoint is not None:
        return _through(region, task, endpoint, path)
    if any(e.name == name for e in task.endpoints):
        return Response(0, cause=f"no answer from {name} port {port}")
    found = region.discovery.records(name, "A")
    address = name if re.fullmatch(r"[0-9.]+", name) else found[0][0] if found else None
    if address is None:
        return Response(0, cause=f"cannot resolve {name}")
    if not region.reach.ask(task.id, address, port):
        return Response(0, cause=f"no answer from {name} port {port}")
    answer = simulated(region, f"http://{address}:{port}{path}", {})
    return answer if answer.status else Response(0, cause=f"no answer from {name} port {port}")


def from_inside(region: "Region", task_id: str, container: str, url: str) -> Response:
    """A GET that a container makes, in virtual time: to its own task, to what ECS tells a task, or to another place."""
    parts = _parts(url)
    task = region.tasks.by_id(task_id)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    name, port = parts.hostname or "", parts.port or 80
    if (name, port) == (inside.ADDRESS, 80):
        told = inside.Inside(region, task, container).get(path)
        return Response(told.status, told.body)
    if name not in ("localhost", "127.0.0.1"):
        return call(region, task, name, port, path)
    answer = region.engine.answer(task_id, port, path, on_localhost_of=container)
    if answer is None:
        return Response(0, cause="Connection refused")
    status, body, seconds = _said(region, task, answer)
    return Response(status, body, seconds=seconds)


def _own(region: "Region", listener: Listener, decision: Decision) -> Response:
    if decision.status >= 500:
        region.balancing.traffic.failed(listener.balancer, decision.status)
    cause = decision.cause if decision.status >= 500 else ""
    return Response(decision.status, decision.body, decision.headers, SIMULATED_SECONDS, cause)


def _ask(region: "Region", target: Target, port: int, path: str):
    """What the target's container answers, None when nothing listens."""
    task = region.balancing.task_of(target)
    if task is None:
        return None
    if task.network is None:
        bindings = [b for facts in task.facts.values() for b in facts.get("networkBindings", ())]
        port = next((b["containerPort"] for b in bindings if b["hostPort"] == port), port)
    return region.engine.answer(task.id, port, path)


def _through(region: "Region", task, endpoint, path: str) -> Response:
    """A request through Service Connect, in virtual time: another task is tried when one fails."""
    tried: set[str] = set()
    last = Response(0, cause=f"no task of {endpoint.discovery_name} answers")
    while len(tried) < TRIES and (target := region.connect.next_target(endpoint, tried)) is not None:
        tried.add(target.id)
        if region.reach.ask(task.id, target.id, endpoint.container_port):
            answer = region.engine.answer(target.id, endpoint.container_port, path)
            status = answer.status if answer is not None and answer.seconds <= endpoint.timeout else 0
            region.connect.answered(endpoint, target, status)
            if status:
                last = Response(status, answer.body, seconds=SIMULATED_SECONDS + answer.seconds)
            if status and status < 500:
                break
    return last


class SimulatedPlane:
    """Health checks in virtual time: the answer is there at once."""

    def __init__(self, region: "Region"):
        self._region = region

    def open(self, listeners: Mapping[str, Listener]) -> None:
        pass

    def check(self, target: Target, check: HealthCheck) -> None:
        port = target.port if check.port == "traffic-port" else int(check.port)
        if not self._region.balancing.reachable(target):
            outcome: int | str = "timeout"
        else:
            answer = _ask(self._region, target, port, check.path)
            if answer is None:
                outcome = "refused"
            elif check.protocol == "TCP":
                outcome = "open"
            else:
                outcome = "timeout" if answer.seconds > check.timeout else answer.status
        self._region.observe(Checked("", target=target, outcome=outcome))

    def close(self) -> None:
        pass
