"""The charts of our reports: matplotlib draws them, pages hold them as pictures.

Only figures of matplotlib's own classes are used, never ``pyplot``: that keeps one state for the whole process, which
in napari belongs to the person's console, and may be called from the main thread only.
"""

from __future__ import annotations

import base64
import io
import math
from typing import TYPE_CHECKING, Any

from napari_micromri.quiet import quiet

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GREY, SKY, ORANGE, BLUE, GREEN, PINK, SAND, BLACK = (
    *("#7a7a7a", "#56b4e9", "#d55e00", "#0072b2"),
    *("#009e73", "#cc79a7", "#b8860b", "#000000"),
)
"""Okabe and Ito's, which most colour-blind people tell apart."""

STYLE: dict[str, Any] = {
    # Names of others aren't formulas.
    "text.parse_math": False,
    # Text stays text: small files, and whoever takes a chart into a drawing program can change it.
    "svg.fonttype": "none",
    # Equal charts are equal files.
    "svg.hashsalt": "napari-micromri",
    "font.size": 9,
    "axes.titlesize": "medium",
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e9ec",
    "legend.frameon": False,
}


def our_style() -> AbstractContextManager[None]:
    """Draw and save charts in this block: with our style, whatever the person's own plots look like."""
    from matplotlib import style

    return style.context(["default", STYLE])


def new_figure(width: float, height: float, *, columns: int = 1, rows: int = 1) -> tuple[Figure, list[Axes]]:
    """Make a figure, in inches, with its axes row by row."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


def use_logarithm(axes: Axes, which: str) -> None:
    """Let the ``x`` or ``y`` axis of finished axes be logarithmic, with plain figures at its ticks."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set(**{f"{which}scale": "log"})
    axis = axes.xaxis if which == "x" else axes.yaxis
    low, high = sorted(axis.get_view_interval())
    decades = math.log10(high / low)
    steps = (1, 2, 3, 4, 5, 6, 7, 8, 9) if decades < 0.5 else (1, 2, 5) if decades < 2 else (1,)
    axis.set_major_locator(LogLocator(subs=steps))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def svg_source(figure: Figure) -> str:
    """Give a figure as an address for ``<img src>``: in there no script runs, whatever a name may hold."""
    stream = io.BytesIO()
    with quiet():  # of letters that matplotlib's own font lacks: the browser has them
        figure.savefig(stream, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
