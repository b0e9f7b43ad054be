"""A plot of curves over the epochs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from qtpy.QtCore import Qt

from napari_micromri.widgets.shared.lazy_plot import LazyPlot
from napari_micromri.widgets.shared.theme import readable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtGui import QColor

    from napari_micromri.curves import Chart, Line

LARGE, SMALL = 190, 125
DOTS_UP_TO = 3
"""A curve of so few points is shown as dots, too."""

Lines: TypeAlias = "tuple[tuple[Line, ...], bool, tuple[str, str]]"
"""Curves, whether the scale is logarithmic, and labels of the axes across and up."""


class CurvePlot(LazyPlot[Lines]):
    """Shows curves; those that stay are changed in place, which takes a few milliseconds.

    Parameters
    ----------
    named
        Name the curves in the title, in their colours.
    epochs
        The axis across counts epochs.
    """

    def __init__(
        self,
        title: str,
        tooltip: str,
        *,
        height: int = LARGE,
        named: bool = False,
        epochs: bool = True,
        after_ms: int = 0,
    ) -> None:
        super().__init__(title, tooltip, height=height, after_ms=after_ms)
        self._named, self._epochs = named, epochs
        self._curves: dict[str, Any] = {}
        self._stars: dict[str, Any] = {}

    @property
    def labels(self) -> list[str]:
        """The curves that are shown."""
        return list(self._curves)

    def show_lines(
        self, lines: Sequence[Line], *, logarithmic: bool = True, labels: tuple[str, str] = ("", "")
    ) -> None:
        """Show these curves and no others; without any, nothing at all."""
        self.setVisible(bool(lines))
        if lines or self._plot is not None:
            self._show((tuple(lines), logarithmic, labels))
        else:
            self._wanted = None

    def show_chart(self, chart: Chart) -> None:
        """Show a chart with the labels of its axes."""
        self.show_lines(chart.lines, logarithmic=chart.log, labels=(chart.x_label, chart.y_label))

    def _draw(self, before: Lines | None, content: Lines) -> None:
        lines, logarithmic, labels = content
        for label in set(self._curves) - {line.label for line in lines}:
            self._remove(label)
        if before is None or before[1] != logarithmic:
            self._plot.setLogMode(y=logarithmic)
        known = before[2] if before is not None else ("", "")
        for side, label, shown in zip(("bottom", "left"), labels, known, strict=True):
            if label != shown:
                self._label(side, label)
        if before is None or [line.label for line in before[0]] != [line.label for line in lines]:
            self._show_heading()
        for line in lines:
            self._draw_line(line)

    def _take_colours(self) -> None:
        super()._take_colours()
        if self._shown is not None:
            self._show_heading()
            for line in self._shown[0]:
                self._draw_line(line)

    def _draw_line(self, line: Line) -> None:
        from pyqtgraph import mkPen

        curve = self._curves.get(line.label)
        if curve is None:
            curve = self._curves[line.label] = self._plot.plot(symbolSize=5)
        style = Qt.PenStyle.DashLine if line.dashed else Qt.PenStyle.SolidLine
        few = len(line.x) <= DOTS_UP_TO and not line.dashed
        colour = readable(line.colour, self)
        pen = mkPen(colour, width=2, style=style)
        curve.setData(line.x, line.y, pen=pen, symbol="o" if few else None, symbolBrush=colour)
        self._draw_star(line, colour)

    def _draw_star(self, line: Line, colour: QColor) -> None:
        star = self._stars.get(line.label)
        if star is None:
            if line.star is None:
                return
            star = self._stars[line.label] = self._plot.plot(pen=None, symbol="star", symbolSize=13, symbolPen="w")
            star.setZValue(10)
        star.setSymbolBrush(colour)
        star.setData(*([value] for value in line.star) if line.star is not None else ([], []))

    def _remove(self, label: str) -> None:
        for items in (self._curves, self._stars):
            if (item := items.pop(label, None)) is not None:
                self._plot.removeItem(item)

    def _heading(self) -> str:
        """Name the curves in their colours, above the plot, where they hide nothing."""
        lines = self._wanted[0] if self._named and self._wanted is not None else ()
        first = {line.colour: line.label for line in reversed(lines)}
        names = [
            f'<span style="color: {readable(line.colour, self).name()}">{first.pop(line.colour)}</span>'
            for line in lines
            if line.colour in first
        ]
        return ": ".join(part for part in (self._title, " ".join(names)) if part)

    def _axes(self) -> dict[str, Any]:
        from napari_micromri.widgets.shared.axes import EpochAxis, FigureAxis

        return {"left": FigureAxis("left")} | ({"bottom": EpochAxis("bottom")} if self._epochs else {})
