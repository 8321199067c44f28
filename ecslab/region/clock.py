"""The region's time, in seconds since the epoch.

`WallClock` runs `speed` times as fast as the machine's. `VirtualClock` stands
still until the region moves it, and always starts on the same Monday morning,
so that a simulated run prints the same times again.
"""
from __future__ import annotations

import re
import time

SIMULATED_START = 1767603600.0  # Monday 2026-01-05 09:00:00 UTC

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])")


def seconds(duration: str | float) -> float:
    """`90`, `"90s"`, `"10m"`, `"1h30m"` in seconds. ValueError for anything else."""
    if isinstance(duration, (int, float)):
        return float(duration)
    text = duration.strip().lower()
    parts = _DURATION.findall(text)
    if not parts or _DURATION.sub("", text).strip():
        raise ValueError(f"{duration!r} is no duration. Write for example '30s', '10m', '1h30m'.")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


class WallClock:
    def __init__(self, speed: float = 1.0):
        self.speed = speed
        self._epoch = time.time()
        self._start = time.monotonic()

    def now(self) -> float:
        return self._epoch + (time.monotonic() - self._start) * self.speed


class VirtualClock:
    speed = 1.0

    def __init__(self, start: float = SIMULATED_START):
        self._now = start

    def now(self) -> float:
        return self._now

    def move_to(self, now: float) -> None:
        self._now = max(self._now, now)
