"""Bars of LR, DL and HR, and curves over spatial frequency. pyqtgraph is loaded when the first plot is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from napari_micromri.widgets.shared.theme import take_theme

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    Curve = tuple[NDArray[np.float64], NDArray[np.float64]]

COLOURS = {"LR": "#8da0cb", "DL": "#fc8d62", "HR": "#66c2a5"}
OTHER_COLOURS = ("#e78ac3", "#a6d854", "#ffd92f", "#e5c494")
HEIGHT = 190
ROOM_FOR_LEGEND = 0.2
"""Of the height of the bars, above them, so that the legend lies over none."""


def colour_of(label: str, number: int) -> str:
    """Choose the colour of an image: the same in every plot."""
    role = label.split(" ")[0]
    return COLOURS[role] if label in COLOURS else OTHER_COLOURS[number % len(OTHER_COLOURS)]


class Plot(QWidget):
    """Holds one pyqtgraph plot, made when it is first drawn in."""

    def __init__(self, tooltip: str) -> None:
        super().__init__()
        self.setToolTip(tooltip)
        self.setMinimumHeight(HEIGHT)
        # It takes what is left; the height that it would like would make a low window scroll.
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)
        self._plot: Any = None
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)

    def show_bars(self, values: Mapping[str, Mapping[str, float]], images: Sequence[str], title: str) -> None:
        """Draw a group of bars for each region, a bar for each image."""
        from pyqtgraph import BarGraphItem

        plot = self._fresh(title, "")
        width = 0.8 / max(len(images), 1)
        for number, image in enumerate(images):
            places = [k + (number - (len(images) - 1) / 2) * width for k in range(len(values))]
            heights = [of.get(image, 0.0) for of in values.values()]
            colour = colour_of(image, number)
            plot.addItem(BarGraphItem(x=places, height=heights, width=0.92 * width, brush=colour, pen=None))
            plot.plot([], [], pen={"color": colour, "width": 6}, name=image)
        ticks = [(k, _cut(name)) for k, name in enumerate(values)]
        plot.getAxis("bottom").setTicks([ticks if len(ticks) <= 8 else ticks[:: -(-len(ticks) // 8)]])
        plot.setXRange(-0.6, max(len(values), 1) - 0.4)
        heights = [height for of in values.values() for height in of.values()]
        lowest, highest = min(0.0, 0.0, *heights), max(0.0, 0.0, *heights)
        plot.setYRange(lowest, highest + ROOM_FOR_LEGEND * (highest - lowest))

    def show_curves(self, curves: Mapping[str, tuple[Curve, Curve]]) -> None:
        """Draw power ratio (solid) and ring correlation (dashed) over spatial frequency, for each image."""
        from pyqtgraph import mkPen
        from qtpy.QtCore import Qt

        plot = self._fresh("power —, FRC - -", "cycles per pixel of the reference")
        for number, (image, (power, ring)) in enumerate(curves.items()):
            colour = colour_of(image, number)
            plot.plot(*power, pen=mkPen(colour, width=2), name=image)
            plot.plot(*ring, pen=mkPen(colour, width=2, style=Qt.PenStyle.DashLine))
        plot.setXRange(0, 0.5)
        plot.setYRange(0, 1.5 * (1 + 2 * ROOM_FOR_LEGEND), padding=0)

    def show_lines(self, curves: Mapping[str, Curve], left: str, bottom: str) -> None:
        """Draw one curve for each image."""
        from pyqtgraph import mkPen

        plot = self._fresh(left, bottom)
        for number, (image, curve) in enumerate(curves.items()):
            plot.plot(*curve, pen=mkPen(colour_of(image, number), width=2), name=image, connect="finite")
        plot.autoRange()
        low, high = plot.getViewBox().viewRange()[1]
        plot.setYRange(low, high + ROOM_FOR_LEGEND * (high - low), padding=0)

    def empty(self) -> None:
        """Draw nothing."""
        if self._plot is not None:
            self._plot.clear()

    def _fresh(self, left: str, bottom: str) -> Any:
        if self._plot is None:
            self._plot = self._make()
        self._plot.clear()
        self._plot.setLabel("left", left)
        self._plot.setLabel("bottom", bottom)
        self._plot.getAxis("bottom").setTicks(None)  # numbers again, after the names below bars
        return self._plot

    def _make(self) -> Any:
        from pyqtgraph import PlotWidget

        plot = PlotWidget(background=None)
        plot.setMouseEnabled(x=False, y=False)
        plot.hideButtons()
        plot.setMenuEnabled(False)
        # pyqtgraph lets the label below reach out of the plot, where it would be cut off.
        plot.getPlotItem().layout.setContentsMargins(1, 1, 1, 6)
        plot.addLegend(offset=(-5, 5), labelTextSize="8pt", colCount=3)
        plot.showGrid(y=True, alpha=0.2)
        for side in ("left", "bottom"):
            plot.getAxis(side).enableAutoSIPrefix(False)
        take_theme(plot, self)
        self._layout.addWidget(plot)
        return plot

    def changeEvent(self, event: QEvent) -> None:
        """Follow napari's theme."""
        super().changeEvent(event)
        if self._plot is not None and event.type() in (QEvent.Type.StyleChange, QEvent.Type.PaletteChange):
            take_theme(self._plot, self)


def _cut(name: str) -> str:
    return name if len(name) <= 14 else f"{name[:13]}…"
