"""Curves as numbers, without Qt: docks draw them with pyqtgraph, files are drawn with matplotlib."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_micromri.charts import new_figure, use_logarithm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Line:
    """A curve; ``star`` is the place of the best point."""

    label: str
    colour: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    dashed: bool = False
    star: tuple[float, float] | None = None


@dataclass(frozen=True)
class Chart:
    """Curves over one axis."""

    title: str
    x_label: str
    y_label: str
    lines: tuple[Line, ...]
    log: bool = False

    @property
    def heading(self) -> str:
        """Title and names of the curves in their colours, as HTML; curves of one colour are named by the first."""
        named = {line.colour: line.label for line in reversed(self.lines)}
        names = [f'<span style="color: {c}">{html.escape(label)}</span>' for c, label in reversed(named.items())]
        return f"<b>{html.escape(self.title)}</b>: {', '.join(names)}"


def draw(title: str, charts: Sequence[Chart]) -> Figure:
    """Draw charts beside and below each other, two in a row; within `charts.our_style`."""
    columns = min(2, len(charts))
    rows = -(-len(charts) // columns)
    figure, panels = new_figure(5.2 * columns, 3.6 * rows, columns=columns, rows=rows)
    figure.suptitle(title)
    for axes, chart in zip(panels, charts, strict=False):
        for line in chart.lines:
            axes.plot(line.x, line.y, "--" if line.dashed else "-", color=line.colour, label=line.label)
        axes.set(title=chart.title, xlabel=chart.x_label, ylabel=chart.y_label)
        if chart.log:
            use_logarithm(axes, "y")
        axes.legend()
    return figure
