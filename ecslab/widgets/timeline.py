"""`lab.timeline`: a service's deployments as a picture: tasks against the band, and the shares of traffic."""
from __future__ import annotations

from typing import TYPE_CHECKING

from . import _plot

if TYPE_CHECKING:
    from ..region import Region
    from ..region.timeline import Timeline

MARKED = {  # an event's words -> what is written at its line
    "deployment completed": "completed",
    "rolling back": "rollback",
}


def timeline(region: "Region", service: str, cluster: str | None = None, last: str | float | None = None) -> _plot.Plot:
    """The past of a service's deployments. `last` ("10m") leaves out what is longer ago."""
    from ..region.clock import seconds

    found = region.timeline(service, cluster)
    return picture(found, None if last is None else seconds(last))


def picture(found: "Timeline", last: float | None = None) -> _plot.Plot:
    if not found.samples:
        return _plot.Plot("", f"{found.service}: nothing has happened yet.")
    end = found.now
    start = max(found.samples[0].at, end - last) if last else found.samples[0].at
    samples = [s for s in found.samples if s.at >= start]
    before = found.at(start)
    if before is not None and before not in samples:
        samples.insert(0, before)
    times = [max(0.0, s.at - start) for s in samples] + [end - start]
    names = [name for name in found.revisions if any(name in s.tasks for s in samples)]
    labels = _labels([found.revisions[name] for name in names])
    weighted = any(s.traffic for s in samples)

    def steps(values):
        return [*values, values[-1]]

    def draw(axes) -> None:
        tasks = axes[0] if weighted else axes
        top = max(s.upper for s in samples)
        tasks.fill_between(
            times, steps([s.lower for s in samples]), steps([s.upper for s in samples]), step="post",
            color=_plot.FAINT, alpha=0.08, label="band", linewidth=0,
        )  # fmt: skip
        tasks.step(times, steps([s.desired for s in samples]), where="post", color=_plot.INK, linestyle=":", label="desired")
        for name, label, colour in zip(names, labels, _plot.COLOURS * 20):
            counts = [s.tasks.get(name) for s in samples]
            present = [c.running + c.pending if c else 0 for c in counts]
            tasks.fill_between(times, steps(present), step="post", color=colour, alpha=0.25, linewidth=0)
            tasks.step(times, steps([c.healthy if c else 0 for c in counts]), where="post", color=colour, linewidth=2, label=f"{label} healthy")
        for event in found.events:
            word = next((word for text, word in MARKED.items() if text in event.message), None)
            if word and event.at >= start:
                tasks.axvline(event.at - start, color=_plot.RED if word != "completed" else _plot.INK, linewidth=0.8, linestyle="--")
                tasks.annotate(word, (event.at - start, top), rotation=90, va="top", ha="right", fontsize=7)
        tasks.set(ylabel="tasks", title=f"service {found.service}", ylim=(0, top * 1.08 + 0.1))
        tasks.yaxis.get_major_locator().set_params(integer=True)
        tasks.legend(loc="upper left", bbox_to_anchor=(1, 1))
        if weighted:
            shares = axes[1]
            for name, label, colour in zip(names, labels, _plot.COLOURS * 20):
                values = [s.traffic.get(name, 0) for s in samples]
                shares.step(times, steps(values), where="post", color=colour, linewidth=2, label=label)
            shares.set(ylabel="% of traffic", ylim=(-3, 105))
        (axes[1] if weighted else tasks).set_xlabel("seconds")

    size = (8, 4.2) if weighted else (8, 2.8)
    return _plot.drawn(draw, f"Timeline of service {found.service}. {_words(found, samples, start)}", rows=2 if weighted else 1, size=size)


def _labels(revisions: list[str]) -> list[str]:
    """Task definitions as deployments are told apart: a revision that is deployed again is numbered."""
    return [f"{name} (no. {revisions[: n + 1].count(name)})" if revisions.count(name) > 1 else name for n, name in enumerate(revisions)]


def _words(found: "Timeline", samples, start: float) -> str:
    """The same in words, for who can not see the picture."""
    told = []
    for event in found.events:
        word = next((word for text, word in MARKED.items() if text in event.message), None)
        if word and event.at >= start:
            told.append(f"{word} after {event.at - start:.0f} s")
    last = samples[-1]
    now = ", ".join(f"{found.revisions.get(name, name)}: {count.running} running, {count.healthy} healthy" for name, count in last.tasks.items())
    return f"{'; '.join(told) or 'no deployment has ended'}. Now {now or 'no tasks'}, {last.desired} desired."
