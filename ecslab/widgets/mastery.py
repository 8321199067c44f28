"""`lab.mastery`: how well each topic or objective is known, day by day: one row each, a line within its band."""
from __future__ import annotations

from ecslab.teach.bank import Bank
from ecslab.teach.mastery import DAY, Mastery, mastery_over_time
from ecslab.teach.progress import Progress

from . import _plot

ROW = 0.36  # inches
KNOWN, WEAK = _plot.COLOURS[0], _plot.COLOURS[1]
TALL = 0.8  # of a row: 100 percent


def picture(store: Progress, bank: Bank, by: str = "topic", days: int = 30) -> _plot.Plot:
    """Weakest at the top. Bands are one standard deviation either way."""
    history = mastery_over_time(store, bank, by, days)
    moments = [(at - history[-1][0]) / DAY for at, _ in history]
    past = [{one.name: one for one in known} for _, known in history]
    rows = sorted(history[-1][1], key=lambda one: (one.mean, one.name), reverse=True)
    if not rows:
        return _plot.Plot("", "Nothing recorded yet.")

    def draw(axes) -> None:
        for base, one in enumerate(rows):
            known = [(day, then[one.name]) for day, then in zip(moments, past) if one.name in then]
            _row(axes, base, known, WEAK if one.weak else KNOWN)
        axes.set(xlim=(-days, 0), ylim=(-0.1, len(rows)), xlabel="days ago", title=f"Mastery by {by}: each row from 0 to 100 %, with its likely band")
        axes.xaxis.set_major_formatter(lambda day, _: f"{abs(day):g}")
        axes.set_yticks([base + TALL / 2 for base in range(len(rows))], [one.name for one in rows])
        values = axes.secondary_yaxis("right")
        values.set_yticks(axes.get_yticks(), [f"{one.mean:.0%}{' weak' if one.weak else ''}" for one in rows])
        for side in (axes, values):
            side.tick_params(axis="y", length=0)
            side.spines[["left", "right"]].set_visible(False)
        axes.grid(False)

    return _plot.drawn(draw, _words(rows, by), size=(8, 0.8 + ROW * len(rows)))


def _row(axes, base: int, known: list[tuple[float, Mastery]], colour: str) -> None:
    days = [day for day, _ in known]
    low, high = ([base + TALL * one.band[end] for _, one in known] for end in (0, 1))
    axes.axhline(base, color=_plot.FAINT, linewidth=0.6)
    axes.fill_between(days, low, high, color=colour, alpha=0.2, linewidth=0)
    axes.plot(days, [base + TALL * one.mean for _, one in known], color=colour, linewidth=2)
    axes.plot(days[-1:], [base + TALL * known[-1][1].mean], "o", color=colour, markersize=4, clip_on=False)


def _words(rows: list[Mastery], by: str) -> str:
    """The same in words, for who can not see the picture."""
    told = [f"{one.name} {one.mean:.0%}{' (weak)' if one.weak else ''}" for one in reversed(rows)]
    return f"Mastery by {by}, weakest first: {', '.join(told)}."
