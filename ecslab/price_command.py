"""`ecslab price`: what tasks and instances would cost, from the dated price table. Needs no region."""
from __future__ import annotations

from typing import Callable

import click

from .rules import estimate
from .rules import right_size as sizing
from .rules.errors import EcsError
from .rules.pricing import FARGATE, HOURS_PER_MONTH, INCLUDED_EPHEMERAL_GIB
from .rules.task_size import parse_cpu, parse_memory

CPU = click.option("--cpu", required=True, help='CPU units, or for instance "0.5 vCPU".')
MEMORY = click.option("--memory", required=True, help='MiB, or for instance "1 GB".')
COUNT = click.option("--count", type=int, default=1, show_default=True)
HOURS = click.option("--hours", type=float, default=HOURS_PER_MONTH, show_default=True, help="Hours each.")
ARCH = click.option("--arch", type=click.Choice(list(FARGATE), case_sensitive=False), default="X86_64", show_default=True)


@click.group()
def price() -> None:
    """What it would cost: Fargate, EC2, both beside each other, the right size."""


@price.command()
@CPU
@MEMORY
@COUNT
@HOURS
@ARCH
@click.option("--spot", type=float, default=0.0, show_default=True, help="Share on Fargate Spot, from 0 to 1.")
@click.option("--ephemeral", type=int, default=INCLUDED_EPHEMERAL_GIB, show_default=True, help="GiB of storage of each task.")
def fargate(cpu: str, memory: str, count: int, hours: float, arch: str, spot: float, ephemeral: int) -> None:
    """Tasks on Fargate."""
    from .teach.price_text import estimate_text

    _say(cpu, memory, lambda c, m: estimate_text(estimate.fargate(c, m, count, hours, arch, spot, ephemeral)))


@price.command()
@click.argument("instance_type")
@COUNT
@HOURS
def ec2(instance_type: str, count: int, hours: float) -> None:
    """Instances, on demand."""
    from .teach.price_text import estimate_text

    _say(None, None, lambda *_: estimate_text(estimate.ec2(instance_type, count, hours)))


@price.command()
@CPU
@MEMORY
@COUNT
@HOURS
def compare(cpu: str, memory: str, count: int, hours: float) -> None:
    """Every way to run the same tasks, cheapest first."""
    from .teach.price_text import compare_text

    _say(cpu, memory, lambda c, m: compare_text(estimate.compare(c, m, count, hours), c, m, count, hours))


@price.command("right-size")
@CPU
@MEMORY
@click.option("--cpu-peak", required=True, help="CPU units, or a share of --cpu as 35%.")
@click.option("--memory-peak", required=True, help="MiB, or a share of --memory as 35%.")
@click.option("--headroom", type=float, default=0.2, show_default=True, help="Share that stays free at the peak.")
@COUNT
@ARCH
def right_size(cpu: str, memory: str, cpu_peak: str, memory_peak: str, headroom: float, count: int, arch: str) -> None:
    """The cheapest Fargate size for what is really used."""
    def found(c: int, m: int) -> str:
        peaks = _peak(cpu_peak, c), _peak(memory_peak, m)
        return str(sizing.right_size(c, m, *peaks, headroom, arch, count))

    _say(cpu, memory, found)


def _peak(text: str, whole: int) -> float:
    share = text.strip().endswith("%")
    try:
        number = float(text.strip().rstrip("%"))
    except ValueError:
        raise click.BadParameter(f"{text!r} is neither a number nor a share such as 35%.") from None
    return round(whole * number / 100, 3) if share else number


def _say(cpu: str | None, memory: str | None, answer: Callable[[int, int], str]) -> None:
    """Say what `answer` returns for a size, or why ECS would refuse it."""
    from .cli import Trouble

    units = parsed = None
    try:
        if cpu is not None:
            units, parsed = parse_cpu(cpu), parse_memory(memory)
        click.echo(answer(units, parsed))
    except EcsError as error:
        hint = f"\n{estimate.nearest(units)}" if "No Fargate configuration" in error.message else ""
        raise Trouble(f"{error.message}{hint}") from None
