"""`lab.price`: what if? Sliders for a task's size, count, hours and Spot share, and the break-even with EC2 drawn.

Sizes are only those Fargate has. Instances stay on all month; a Fargate task is paid for its hours.
What is chosen is checked in Python; the front end draws controls and sends where they stand.
"""
from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil
from typing import Any

from ecslab.rules import estimate
from ecslab.rules.errors import EcsError
from ecslab.rules.fargate import FARGATE_SIZES
from ecslab.rules.metering import size_text
from ecslab.rules.pricing import EC2, HOURS_PER_MONTH, dollars
from ecslab.teach.mistakes import Mistake
from ecslab.teach.price_text import crossing_text, estimate_text

from . import _plot

CPUS = tuple(FARGATE_SIZES)
ARCHITECTURES = ("X86_64", "ARM64")
BESIDE = {"X86_64": "m5.large", "ARM64": "m7g.large"}  # the instance to begin with
LAUNCH_TYPES = ("FARGATE", "EC2")
MOST_TASKS, MOST_DRAWN = 100, 200
LEAST_DRAWN = 12
SPOT_STEP = 5  # percent


@dataclass(frozen=True, slots=True)
class Choice:
    """Where the controls stand. `hours` are a month's, `spot` is a share."""

    cpu: int = 512
    memory: int = 1024
    count: int = 4
    hours: int = HOURS_PER_MONTH
    spot: float = 0.0
    arch: str = "X86_64"
    instance_type: str = ""
    launch_type: str = "FARGATE"


def price(**choice: Any) -> None:
    """Show the widget, or its text in a terminal. `choice` says where the controls stand at first: see `Choice`."""
    from ecslab.teach.lab import _show

    first = chosen(**choice)
    _show(lambda: _widget()(first), text(first))


def chosen(**choice: Any) -> Choice:
    """A valid choice. Mistake for an unknown control, or one that can not stand there."""
    unknown = set(choice) - set(Choice.__slots__)
    if unknown:
        raise Mistake(f"lab.price has no {', '.join(sorted(unknown))}. It has: {', '.join(Choice.__slots__)}.")
    one = Choice(**choice)
    one = replace(one, instance_type=one.instance_type or BESIDE.get(one.arch, ""))
    options = {"arch": ARCHITECTURES, "launch_type": LAUNCH_TYPES, "instance_type": _types(one.arch)}
    for name, known in options.items():
        if getattr(one, name) not in known:
            raise Mistake(f"{name} is one of {', '.join(known)}, not {getattr(one, name)}.")
    try:
        _fargate(one)
    except EcsError as error:
        raise Mistake(f"{error.message}\n{estimate.nearest(one.cpu)}" if "configuration" in error.message else error.message) from None
    for name, most in {"count": MOST_TASKS, "hours": HOURS_PER_MONTH}.items():
        if not 1 <= getattr(one, name) <= most:
            raise Mistake(f"{name} is between 1 and {most}, not {getattr(one, name)}.")
    return one


def _types(arch: str) -> tuple[str, ...]:
    return tuple(name for name, kind in EC2.items() if kind.arch == arch and not kind.gpu)


# What it comes to -------------------------------------------------------------


def _fargate(one: Choice, count: int | None = None) -> estimate.Estimate:
    return estimate.fargate(one.cpu, one.memory, count or one.count, one.hours, one.arch, one.spot)


def _instances(one: Choice) -> estimate.Estimate | None:
    """The instances the tasks need; None where one has no room for a single task."""
    each = estimate.fits(one.instance_type, one.cpu, one.memory)
    return estimate.ec2(one.instance_type, ceil(one.count / each)) if each else None


def headline(one: Choice) -> str:
    """Both prices in one sentence."""
    on_ec2 = _instances(one)
    tasks = f"{one.count} task{'s' if one.count != 1 else ''} of {size_text(one.cpu, one.memory)}"
    other = f"{on_ec2.what.removeprefix('EC2: ')} for ${dollars(on_ec2.total):,}" if on_ec2 else f"no {one.instance_type}, which has no room for one"
    return f"{tasks}: ${dollars(_fargate(one).total):,} a month on Fargate, or {other}."


def text(one: Choice) -> str:
    """The widget in plain text."""
    on_ec2 = _instances(one)
    parts = estimate_text(on_ec2 if one.launch_type == "EC2" and on_ec2 else _fargate(one))
    return "\n".join([headline(one), parts, _crossing(one)])


def _crossing(one: Choice) -> str:
    return crossing_text(one.instance_type, one.cpu, one.memory, one.hours, one.spot)


def picture(one: Choice) -> _plot.Plot:
    """A month's dollars by number of tasks: Fargate a straight line, instances a staircase."""
    each = estimate.fits(one.instance_type, one.cpu, one.memory)
    last = min(MOST_DRAWN, max(LEAST_DRAWN, 2 * one.count, 4 * each))
    counts = range(1, last + 1)
    single, instance = float(_fargate(one, 1).total), float(EC2[one.instance_type].hourly * HOURS_PER_MONTH)
    on_fargate = [n * single for n in counts]
    on_ec2 = [ceil(n / each) * instance for n in counts] if each else []
    pays_off = [n for n, ours, theirs in zip(counts, on_fargate, on_ec2) if theirs <= ours]

    def draw(axes) -> None:
        axes.plot(counts, on_fargate, color=_plot.COLOURS[0], linewidth=2, label="Fargate")
        if on_ec2:
            axes.step(counts, on_ec2, where="mid", color=_plot.COLOURS[1], linewidth=2, label=f"{one.instance_type}, left on")
        if pays_off:
            axes.plot(pays_off, [on_ec2[n - 1] for n in pays_off], "o", color=_plot.COLOURS[1], markersize=6, label="instances cost no more")
        axes.axvline(one.count, color=_plot.INK, linewidth=0.8, linestyle="--")
        axes.annotate(f" {one.count} chosen", (one.count, axes.get_ylim()[1]), va="top", fontsize=8)
        axes.set(xlabel=f"tasks of {size_text(one.cpu, one.memory)}, {one.hours} hours a month", ylabel="dollars a month", ylim=(0, None), xlim=(1, last + 0.5))
        axes.set_title("Fargate against instances, by number of tasks")
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1))

    return _plot.drawn(draw, f"Dollars a month by number of tasks. {headline(one)} {_crossing(one)}", size=(8, 3))


# The widget ---------------------------------------------------------------------


def moved(one: Choice, name: str, value: Any) -> Choice:
    """The choice after a control was moved. ValueError for what no control can send."""
    control = next((c for c in controls(one) if c["name"] == name), None)
    if control is None:
        raise ValueError(f"no control {name!r}")
    if control["kind"] == "select":
        if value not in control["options"]:
            raise ValueError(f"{name} has no {value!r}")
    elif type(value) is not int or not control["least"] <= value <= control["most"]:
        raise ValueError(f"{name} can not stand at {value!r}")
    return _CONTROLS[name](one, value)


def _with_cpu(one: Choice, place: int) -> Choice:
    """Another CPU size, with the memory nearest to what it was."""
    cpu = CPUS[place]
    return replace(one, cpu=cpu, memory=min(FARGATE_SIZES[cpu], key=lambda size: (abs(size - one.memory), size)))


_CONTROLS = {
    "launch_type": lambda one, value: replace(one, launch_type=value),
    "arch": lambda one, value: replace(one, arch=value, instance_type=BESIDE[value]),
    "instance_type": lambda one, value: replace(one, instance_type=value),
    "cpu": _with_cpu,
    "memory": lambda one, place: replace(one, memory=FARGATE_SIZES[one.cpu][place]),
    "count": lambda one, value: replace(one, count=value),
    "hours": lambda one, value: replace(one, hours=value),
    "spot": lambda one, value: replace(one, spot=value / 100),
}


def controls(one: Choice) -> list[dict]:
    """What the front end draws: name, label, kind, where it stands and how that is said."""
    memories = FARGATE_SIZES[one.cpu]
    return [
        _select("launch_type", "Show the bill of", one.launch_type, LAUNCH_TYPES),
        _select("arch", "Architecture", one.arch, ARCHITECTURES),
        _select("instance_type", "Instance type", one.instance_type, _types(one.arch)),
        _slider("cpu", "Task CPU", CPUS.index(one.cpu), 0, len(CPUS) - 1, f"{one.cpu / 1024:g} vCPU"),
        _slider("memory", "Task memory", memories.index(one.memory), 0, len(memories) - 1, f"{one.memory / 1024:g} GB"),
        _slider("count", "Tasks", one.count, 1, MOST_TASKS, str(one.count)),
        _slider("hours", "Hours a month", one.hours, 1, HOURS_PER_MONTH, f"{one.hours} h"),
        _slider("spot", "On Fargate Spot", round(one.spot * 100), 0, 100, f"{one.spot:.0%}", SPOT_STEP),
    ]


def _select(name: str, label: str, value: str, options: tuple[str, ...]) -> dict:
    return {"kind": "select", "name": name, "label": label, "value": value, "options": list(options)}


def _slider(name: str, label: str, value: int, least: int, most: int, said: str, step: int = 1) -> dict:
    return {"kind": "slider", "name": name, "label": label, "value": value, "least": least, "most": most, "step": step, "said": said}


def view(one: Choice) -> dict:
    on_ec2 = _instances(one)
    shown = on_ec2 if one.launch_type == "EC2" and on_ec2 else _fargate(one)
    return {
        "controls": controls(one),
        "headline": headline(one),
        "what": shown.what,
        "rows": [
            [line.what, f"{line.quantity:,.0f} {line.unit}", f"${line.rate.normalize():f}", f"${dollars(line.amount):,}"] for line in shown.lines
        ],
        "sum": f"${dollars(shown.hourly, 5)} an hour, ${dollars(shown.total):,} a month",
        "crossing": _crossing(one),
        "plot": picture(one).svg,
    }


def _widget():
    from ._kit import Panel, source

    class PriceWidget(Panel):
        _esm = source("dom.js", "price.js")
        _css = source("panel.css", "price.css")

        def __init__(self, first: Choice):
            super().__init__(text(first))
            self._choice = first
            self.view = view(first)

        def act(self, message: dict) -> None:
            try:
                self._choice = moved(self._choice, message.get("name"), message.get("value"))
            except ValueError:
                return  # nothing a control can send
            self.view = view(self._choice)

    return PriceWidget
