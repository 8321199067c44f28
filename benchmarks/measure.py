"""Repeating a measurement, and one line of the table."""
from __future__ import annotations

import statistics
import time
from typing import Callable


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def alternating(ours: Callable[[], float], other: Callable[[], float], times: int) -> tuple[float, float]:
    """The medians of two measurements taken in turn, so that both see the same machine. The first pair warms up."""
    pairs = [(ours(), other()) for _ in range(times + 1)][1:]
    return statistics.median(p[0] for p in pairs), statistics.median(p[1] for p in pairs)


def row(name: str, ours: float, other: float | None, goal: str, difference: bool = False) -> str:
    result = "" if other is None else f"{(ours - other) * 1000:+.0f} ms" if difference else f"x {ours / other:.2f}"
    return f"{name:24} {ours * 1000:8.1f}ms {'' if other is None else f'{other * 1000:8.1f}ms':>10} {result:>12}  {goal}"
