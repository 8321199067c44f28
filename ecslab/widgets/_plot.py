"""Plots that read in light and dark themes, print the same bytes again, and speak to a screen reader.

matplotlib draws; lines and letters take the colour of the page they stand on.
"""
from __future__ import annotations

import html
import io
import re
from typing import Sequence

INK = "#010203"  # replaced by the page's own colour
FAINT = "#010204"
COLOURS = ("#4c78a8", "#f58518", "#54a24b", "#b279a2", "#72b7b2", "#e45756")  # told apart in both themes and by most eyes
RED = "#e45756"
STYLE = {
    "svg.hashsalt": "ecslab",
    "svg.fonttype": "none",
    "font.size": 9,
    "font.family": "sans-serif",
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": FAINT,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
}


class Plot:
    """A finished plot. `label` says in words what the picture shows."""

    def __init__(self, svg: str, label: str):
        self.svg, self.label = svg, label

    def _repr_html_(self) -> str:
        return f'<div class="ecslab-plot" style="max-width:60em">{self.svg}</div>'

    def __repr__(self) -> str:
        return self.label


def drawn(draw, label: str, *, rows: int = 1, size: Sequence[float] = (8, 2.6), **layout) -> Plot:
    """`draw` gets the axes (a list when `rows` is more than one) and paints."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.subplots(rows, 1, sharex=rows > 1, **layout)
        draw(axes)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return Plot(_of_the_page(out.getvalue(), label), label)


def _of_the_page(svg: str, label: str) -> str:
    svg = svg[svg.index("<svg") :]
    svg = svg.replace(f"stroke: {FAINT}", "stroke: currentColor; stroke-opacity: 0.25").replace(INK, "currentColor")
    svg = svg.replace(FAINT, "currentColor")
    svg = re.sub(r'width="[\d.]+pt" height="[\d.]+pt"', 'width="100%"', svg, count=1)
    words = html.escape(label, quote=True)
    return svg.replace("<svg", f'<svg role="img" aria-label="{words}" style="color:var(--jp-content-font-color1, currentColor)"', 1)
