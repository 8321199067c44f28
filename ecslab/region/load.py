"""Requests at a steady rate, and a report of every answer.

On Docker they are real requests, sent on time whether or not earlier ones have
been answered. Simulated, each is asked at its own moment of virtual time. The
rate is per second of the region's time on both engines.
"""
from __future__ import annotations

import asyncio
import json
import math
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Mapping
from urllib.parse import urlsplit

from . import web
from .clock import seconds

if TYPE_CHECKING:
    from . import Region

MOST_AT_ONCE = 256
HIGHEST_RATE = 10_000.0
ANSWER_WITHIN = 90.0  # seconds of this machine
KEPT_FAILURES = 20


@dataclass(frozen=True)
class Failure:
    """An answer that was no success. `second` counts from the start of the load."""

    second: float
    status: int
    cause: str

    def __str__(self) -> str:
        return f"{self.second:.0f} s: {self.status or 'no answer'}{f' ({self.cause})' if self.cause else ''}"


@dataclass(frozen=True)
class Report:
    """What a load saw. Counts of answers; latencies in milliseconds of region time; failures, the first ones in order."""

    url: str
    rps: float
    seconds: float
    sent: int
    by_status: Mapping[int, int]
    by_version: Mapping[str, int]
    by_target: Mapping[str, int]
    latencies: Mapping[str, float]
    failures: tuple[Failure, ...]
    by_second: tuple[tuple[int, int], ...] = field(repr=False, default=())  # (succeeded, failed), second by second
    versions_by_second: tuple[Mapping[str, int], ...] = field(repr=False, default=())

    @property
    def failed(self) -> int:
        """Answers of 500 and above, and requests that got none."""
        return sum(count for status, count in self.by_status.items() if _is_failure(status))

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        rows = [
            f"{self.sent} requests in {self.seconds:.0f} s, {self.failed} failed",
            f"  by status   {_counts(self.by_status)}",
            f"  by version  {_counts(self.by_version, self.sent)}",
            f"  by target   {len(self.by_target)} tasks: {_counts(dict(enumerate(sorted(self.by_target.values(), reverse=True), 1)))}",
            f"  latency     p50 {self.latencies['p50']:.0f} ms, p90 {self.latencies['p90']:.0f} ms, p99 {self.latencies['p99']:.0f} ms",
        ]
        if self.failures:
            rows.append(f"  first failure after {self.failures[0]}")
        return "\n".join(rows)


def _counts(counts: Mapping, whole: int = 0) -> str:
    shares = (f"{key}: {n}" + (f" ({100 * n / whole:.0f} %)" if whole else "") for key, n in counts.items())
    return ", ".join(shares) or "none"


def _is_failure(status: int) -> bool:
    return status == 0 or status >= 500


class Load:
    """A load that runs until `stop`. Use `Region.load`, or `Region.start_load` to go on working meanwhile."""

    def __init__(self, region: "Region", url: str, rps: float, headers: Mapping[str, str] | None = None):
        if not 0 < rps <= HIGHEST_RATE:
            raise ValueError(f"rps must be more than 0 and at most {HIGHEST_RATE:.0f}, not {rps}.")
        if not urlsplit(url if "//" in url else f"http://{url}").hostname:
            raise ValueError(f"{url!r} is no URL. Write for example 'http://' + load_balancer['DNSName'].")
        self.region, self.url, self.rps = region, url, rps
        self._headers = dict(headers or {})
        self._started = region.clock.now()
        self._ended: float | None = None
        self._sent = 0
        self._by_status: Counter = Counter()
        self._by_version: Counter = Counter()
        self._by_target: Counter = Counter()
        self._latencies: list[float] = []
        self._failures: list[Failure] = []
        self._by_second: dict[int, list[int]] = {}
        self._versions: dict[int, Counter] = {}
        self._lock = threading.Lock()
        if region.is_simulated:
            web.listener_of(region, url)  # a name nobody has is said at once
            region.wake_at(self._started, self._send)
        else:
            web.local(region, url)
            self._done = threading.Event()
            self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="ecslab-load", daemon=True)
            self._thread.start()

    def __enter__(self) -> "Load":
        return self

    def __exit__(self, *_exception) -> None:
        self.stop()

    @property
    def sent(self) -> int:
        return self._sent

    def stop(self) -> Report:
        """No more requests; those on their way are waited for."""
        if self._ended is None:
            self._ended = self.region.clock.now()
            if not self.region.is_simulated:
                self._done.set()
                self._thread.join(timeout=ANSWER_WITHIN)
        return self.report()

    def report(self) -> Report:
        """What has been seen so far."""
        with self._lock:
            end = self._ended if self._ended is not None else self.region.clock.now()
            latencies = sorted(self._latencies)
            length = max(self._by_second, default=-1) + 1
            return Report(
                url=self.url,
                rps=self.rps,
                seconds=end - self._started,
                sent=self._sent,
                by_status=dict(sorted(self._by_status.items())),
                by_version=dict(sorted(self._by_version.items())),
                by_target=dict(self._by_target),
                latencies={f"p{p}": 1000 * _percentile(latencies, p) for p in (50, 90, 99)},
                failures=tuple(sorted(self._failures, key=lambda f: f.second)),
                by_second=tuple(tuple(self._by_second.get(n, (0, 0))) for n in range(length)),
                versions_by_second=tuple(dict(self._versions.get(n, {})) for n in range(length)),
            )

    def _count(self, at: float, answer: web.Response) -> None:
        with self._lock:
            second = int(at - self._started)
            failed = _is_failure(answer.status)
            self._by_status[answer.status] += 1
            self._by_second.setdefault(second, [0, 0])[failed] += 1
            if answer.status:
                self._latencies.append(answer.seconds)
            if failed and len(self._failures) < KEPT_FAILURES:
                self._failures.append(Failure(at - self._started, answer.status, answer.cause))
            who = _who(answer.body)
            if "version" in who:
                self._by_version[who["version"]] += 1
                self._versions.setdefault(second, Counter())[who["version"]] += 1
            if "task" in who:
                self._by_target[who["task"]] += 1

    # Simulated ----------------------------------------------------------------------

    def _send(self) -> None:
        if self._ended is not None:
            return
        now = self.region.clock.now()
        self._sent += 1
        self._count(now, web.simulated(self.region, self.url, self._headers))
        self.region.wake_at(self._started + self._sent / self.rps, self._send)

    # Docker ---------------------------------------------------------------------------

    async def _run(self) -> None:
        from aiohttp import ClientSession, ClientTimeout, TCPConnector

        speed = self.region.speed
        timeout = ClientTimeout(total=ANSWER_WITHIN)
        begun = time.monotonic()
        async with ClientSession(connector=TCPConnector(limit=MOST_AT_ONCE), timeout=timeout) as session:
            waiting: set[asyncio.Task] = set()
            while not self._done.is_set() and not self.region.is_stopped:
                due = begun + self._sent / (self.rps * speed)
                pause = due - time.monotonic()
                if pause > 0:
                    await asyncio.sleep(min(pause, 0.1))
                    continue
                if len(waiting) >= MOST_AT_ONCE:
                    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                self._sent += 1
                task = asyncio.ensure_future(self._one(session))
                waiting.add(task)
                task.add_done_callback(waiting.discard)
            if waiting:
                await asyncio.wait(waiting, timeout=ANSWER_WITHIN)

    async def _one(self, session) -> None:
        at = self.region.clock.now()
        self._count(at, await web.real_later(self.region, session, self.url, self._headers))


def run(region: "Region", url: str, rps: float, for_: str | float, headers: Mapping[str, str] | None = None) -> Report:
    """Send for that long, letting the region's time pass, and report."""
    span = seconds(for_)
    load = Load(region, url, rps, headers)
    region.run_for(max(0.0, span - 1e-6))
    return load.stop()


def _percentile(ordered: list[float], percent: int) -> float:
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)] if ordered else 0.0


def _who(body: str) -> dict:
    """What the lab app says of itself in its answer."""
    if not body.startswith("{"):
        return {}
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return {key: str(found[key]) for key in ("version", "task") if key in found}
