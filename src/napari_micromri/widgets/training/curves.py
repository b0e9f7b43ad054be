"""A plot of curves over the epochs. pyqtgraph is loaded, in a thread, when the first curve is shown."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_micromri.widgets.training.looking import Looking

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_micromri.widgets.training.curve_lines import Line

LARGE, SMALL = 190, 125
AXIS_WIDTH = 46
DOTS_UP_TO = 3
"""A curve of so few points is shown as dots, too."""


class CurvePlot(QWidget):
    """Shows curves; those that stay are changed in place, which takes a few milliseconds.

    ``after_ms`` is how long to wait before drawing, so that several plots don't hold the window together.
    """

    def __init__(
        self, title: str, tooltip: str, *, height: int = LARGE, named: bool = False, after_ms: int = 0
    ) -> None:
        super().__init__()
        self.setToolTip(tooltip)
        self.setFixedHeight(height)
        self._title, self._named = title, named
        self._plot: Any = None
        self._curves: dict[str, Any] = {}
        self._stars: dict[str, Any] = {}
        self._wanted: tuple[Sequence[Line], bool] | None = None
        self._shown: tuple[Sequence[Line], bool] | None = None
        self._library = Looking(_load, self)
        self._library.seen.connect(self._draw_soon)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(after_ms)
        self._soon.timeout.connect(self._draw)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)

    @property
    def labels(self) -> list[str]:
        """The curves that are shown."""
        return list(self._curves)

    def set_title(self, title: str) -> None:
        """Say what is plotted."""
        self._title = title
        if self._plot is not None:
            self._plot.setTitle(self._heading(), size="9pt")

    def show_lines(self, lines: Sequence[Line], *, logarithmic: bool = True) -> None:
        """Show these curves and no others; without any, nothing at all."""
        self.setVisible(bool(lines))
        self._wanted = (tuple(lines), logarithmic)
        if self._plot is not None:
            self._draw_soon()
        elif lines:
            self._library.look()

    def stop(self) -> None:
        """Wait for nothing any more."""
        self._library.stop()
        self._soon.stop()

    def _draw_soon(self) -> None:
        if self._wanted != self._shown:
            self._soon.start()

    def _draw(self) -> None:
        if self._wanted is None or self._wanted == self._shown:
            return
        if self._plot is None:
            self._make()
        before, (lines, logarithmic) = self._shown, self._wanted
        self._shown = self._wanted
        for label in set(self._curves) - {line.label for line in lines}:
            self._remove(label)
        if before is None or before[1] != logarithmic:
            self._plot.setLogMode(y=logarithmic)
        if before is None or [line.label for line in before[0]] != [line.label for line in lines]:
            self._plot.setTitle(self._heading(), size="9pt")
        for line in lines:
            self._draw_line(line)

    def _draw_line(self, line: Line) -> None:
        from pyqtgraph import mkPen

        curve = self._curves.get(line.label)
        if curve is None:
            curve = self._curves[line.label] = self._plot.plot(symbolSize=5)
        style = Qt.PenStyle.DashLine if line.dashed else Qt.PenStyle.SolidLine
        few = len(line.x) <= DOTS_UP_TO and not line.dashed
        pen = mkPen(line.colour, width=2, style=style)
        curve.setData(line.x, line.y, pen=pen, symbol="o" if few else None, symbolBrush=line.colour)
        self._draw_star(line)

    def _draw_star(self, line: Line) -> None:
        star = self._stars.get(line.label)
        if star is None:
            if line.star is None:
                return
            star = self._stars[line.label] = self._plot.plot(
                pen=None, symbol="star", symbolSize=13, symbolBrush=line.colour, symbolPen="w"
            )
            star.setZValue(10)
        star.setData(*([value] for value in line.star) if line.star is not None else ([], []))

    def _remove(self, label: str) -> None:
        for items in (self._curves, self._stars):
            if (item := items.pop(label, None)) is not None:
                self._plot.removeItem(item)

    def _heading(self) -> str:
        """Name the curves in their colours, above the plot, where they hide nothing."""
        lines = self._wanted[0] if self._named and self._wanted is not None else ()
        names = [f'<span style="color: {line.colour}">{line.label}</span>' for line in lines]
        return ": ".join(part for part in (self._title, " ".join(names)) if part)

    def _make(self) -> None:
        from pyqtgraph import PlotWidget

        from napari_micromri.widgets.training.axes import EpochAxis, FigureAxis

        axes = {"bottom": EpochAxis("bottom"), "left": FigureAxis("left")}
        self._plot = plot = PlotWidget(background=None, axisItems=axes)
        plot.setMouseEnabled(x=False, y=False)
        plot.hideButtons()
        plot.setMenuEnabled(False)
        plot.showGrid(y=True, alpha=0.2)
        colour = self.palette().text().color()
        for side in ("left", "bottom"):
            axis = plot.getAxis(side)
            axis.setPen(colour)
            axis.setTextPen(colour)
            axis.enableAutoSIPrefix(False)
        plot.getAxis("left").setWidth(AXIS_WIDTH)
        layout = self.layout()
        assert layout is not None  # noqa: S101
        layout.addWidget(plot)


def _load() -> object:
    return import_module("pyqtgraph")
