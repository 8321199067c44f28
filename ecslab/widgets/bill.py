"""`lab.month`: where the money goes: what a month at the rate of this moment costs, part by part."""
from __future__ import annotations

from typing import TYPE_CHECKING

from ..rules.pricing import HOURS_PER_MONTH, dollars
from . import _plot

if TYPE_CHECKING:
    from ..region import Region
    from ..region.bill import Bill

BAR = 0.34  # inches


def month(region: "Region", by: str = "product") -> _plot.Plot:
    """By "product", or by "service": what it is there for."""
    return picture(region.bill(by))


def picture(bill: "Bill") -> _plot.Plot:
    """A bar for each group, the dearest on top."""
    parts = sorted(((amount, name) for name, amount in bill.months().items() if amount), reverse=True)
    if not parts:
        return _plot.Plot("", "Nothing that costs anything is running.")
    parts.reverse()  # bars are drawn from the bottom up

    def draw(axes) -> None:
        bars = axes.barh([name for _, name in parts], [float(amount) for amount, _ in parts], color=_plot.COLOURS[0], height=0.7)
        axes.bar_label(bars, [f"${amount:,}" for amount, _ in parts], padding=4, fontsize=8)
        axes.set(xlabel="dollars a month", title=f"A month at this rate: ${dollars(bill.monthly):,}", xlim=(0, float(parts[-1][0]) * 1.15))
        axes.tick_params(axis="y", length=0)
        axes.grid(True, axis="x")
        axes.grid(False, axis="y")

    told = ", ".join(f"{name} ${amount:,}" for amount, name in reversed(parts))
    words = f"A month of {HOURS_PER_MONTH} hours at this rate costs ${dollars(bill.monthly):,}: {told}."
    return _plot.drawn(draw, words, size=(8, 0.9 + BAR * len(parts)))
