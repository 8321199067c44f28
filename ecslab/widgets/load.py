"""`lab.load`: requests at a rate, with a progress bar while they run and a picture of every answer after."""
from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from ..region.clock import seconds
from . import _plot

if TYPE_CHECKING:
    from ..region import Region
    from ..region.load import Report

LONG = 1.5  # seconds of the learner's, from which on a progress bar is worth it
MOST_BARS = 120


def load(region: "Region", url: str, rps: float = 5, for_: str | float = "1m", headers: dict | None = None) -> "Report":
    """Send `rps` requests in each second of the region's time, for so long. Shows a picture, returns the report."""
    from ..teach.lab import in_notebook

    span = seconds(for_)
    wall = 0.0 if region.is_simulated else span / region.speed
    if not in_notebook():
        return region.load(url, rps, for_, headers)
    from IPython.display import display

    done = threading.Event()
    if wall > LONG:
        handle = display(_Bar(0, span), display_id=True)
        threading.Thread(target=_progress, args=(region, handle, span, done), daemon=True).start()
        try:
            report = region.load(url, rps, for_, headers)
        finally:
            done.set()
        handle.update(picture(report))
    else:
        report = region.load(url, rps, for_, headers)
        display(picture(report))
    return report


class _Bar:
    def __init__(self, now: float, span: float):
        self.now, self.span = now, span

    def _repr_html_(self) -> str:
        return f'<label>Sending requests <progress max="{self.span:g}" value="{self.now:g}"></progress> {self.now:.0f} of {self.span:.0f} s</label>'

    def __repr__(self) -> str:
        return f"Sending requests: {self.now:.0f} of {self.span:.0f} s"


def _progress(region: "Region", handle, span: float, done: threading.Event) -> None:
    started = region.clock.now()
    while not done.wait(0.5):
        handle.update(_Bar(min(span, region.clock.now() - started), span))


def picture(report: "Report") -> _plot.Plot:
    """Answers over time: a bar for each moment, coloured by the version that answered, failures in red."""
    step = max(1, -(-len(report.by_second) // MOST_BARS))
    moments = range(0, len(report.by_second), step)
    names = sorted(report.by_version)

    def draw(axes) -> None:
        heights = [0.0] * len(moments)
        for name, colour in zip(names, _plot.COLOURS * 3):
            values = [sum(report.versions_by_second[s].get(name, 0) for s in _seconds(report, m, step)) / step for m in moments]
            axes.bar(moments, values, width=0.9 * step, bottom=heights, color=colour, label=f"version {name}", align="edge")
            heights = [a + b for a, b in zip(heights, values)]
        failed = [sum(report.by_second[s][1] for s in _seconds(report, m, step)) / step for m in moments]
        if any(failed):
            axes.bar(moments, failed, width=0.9 * step, bottom=heights, color=_plot.RED, hatch="//", label="failed", align="edge")
        axes.set(xlabel="seconds", ylabel="answers per second", title=f"{report.sent} requests, {report.failed} failed")
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1))

    return _plot.drawn(draw, " ".join(str(report).split()))


def _seconds(report: "Report", start: int, step: int) -> range:
    return range(start, min(start + step, len(report.by_second)))
