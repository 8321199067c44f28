"""The right size: the cheapest Fargate size that keeps headroom at what a task used at most.

Fargate bills what was asked for, so what is never used is paid all the same. Peaks count and
not averages: a task needs room for its worst minute. A task that used all its CPU may have
wanted more, so its peak says only that the size is too small.

Source: AWS Fargate Pricing; Developer Guide, "Amazon ECS task definition parameters" (task size).
"""
from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from .errors import invalid
from .estimate import check_number, check_size
from .metering import size_text
from .pricing import HOURS_PER_MONTH, cheapest_size, dollars, fargate_hourly

HEADROOM = 0.2
AT_ITS_LIMIT = 0.99  # of the CPU it has


@dataclass(frozen=True, slots=True)
class RightSize:
    """`cpu_peak` in units and `memory_peak` in MiB are those of one task. `best_cpu` is None where no size is enough."""

    cpu: int
    memory: int
    cpu_peak: float
    memory_peak: float
    headroom: float
    arch: str
    tasks: int
    best_cpu: int | None
    best_memory: int | None

    @property
    def monthly_saving(self) -> Decimal:
        """Dollars a month, of all tasks; less than nothing where the size is too small."""
        if self.best_cpu is None:
            return Decimal(0)
        now, then = fargate_hourly(self.cpu, self.memory, self.arch), fargate_hourly(self.best_cpu, self.best_memory, self.arch)
        return (now - then) * self.tasks * HOURS_PER_MONTH

    @property
    def throttled(self) -> bool:
        """All its CPU was used: what it would have used with more is not known."""
        return self.cpu_peak >= self.cpu * AT_ITS_LIMIT

    def __str__(self) -> str:
        told = [f"At its peak a task used {self.cpu_peak:g} of {self.cpu} CPU units and {self.memory_peak:g} of {self.memory} MiB."]
        if self.throttled:
            told.append("Its CPU was at its limit: with more it may use more.")
        if self.best_cpu is None:
            return "\n".join([*told, f"No Fargate size leaves {self.headroom:.0%} free."])
        told.append(f"Cheapest with {self.headroom:.0%} free: {size_text(self.best_cpu, self.best_memory)} (cpu {self.best_cpu}, memory {self.best_memory}).")
        return "\n".join([*told, self._change()])

    def _change(self) -> str:
        saving, tasks = self.monthly_saving, f"{self.tasks} task{'s' if self.tasks != 1 else ''}"
        if (self.best_cpu, self.best_memory) == (self.cpu, self.memory):
            return "That is the size it has."
        if saving < 0:
            return f"The size it has is too small: the right one costs ${dollars(-saving):,} more a month for {tasks}."
        return f"That saves ${dollars(saving):,} a month for {tasks}."


def right_size(
    cpu: int, memory: int, cpu_peak: float, memory_peak: float, headroom: float = HEADROOM, arch: str = "X86_64", tasks: int = 1
) -> RightSize:
    """The cheapest Fargate size for these peaks. EcsError for a size Fargate does not have, or senseless amounts."""
    check_size(cpu, memory, arch)
    for name, value in (("headroom", headroom), ("cpu peak", cpu_peak), ("memory peak", memory_peak)):
        check_number(name, value)
    if not 0 <= headroom < 1:
        raise invalid(f"headroom is a share from 0 to less than 1, not {headroom:g}.")
    if cpu_peak < 0 or memory_peak < 0:
        raise invalid("Peaks can not be less than 0.")
    best = cheapest_size(cpu_peak, memory_peak, headroom, arch)
    return RightSize(
        cpu, memory, cpu_peak, memory_peak, headroom, arch, tasks, best.cpu if best else None, best.memory if best else None
    )
