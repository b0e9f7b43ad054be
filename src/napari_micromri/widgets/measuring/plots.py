"""Bars of LR, DL and HR, and curves."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt

from napari_micromri.widgets.shared.lazy_plot import LazyPlot

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

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


@dataclass(frozen=True, eq=False)
class Drawing:
    """Labels of the axes up and across, and what draws between them."""

    left: str
    bottom: str
    draw: Callable[[Any], None]


EMPTY = Drawing("", "", lambda _: None)


class Plot(LazyPlot[Drawing]):
    """Shows bars or curves, with a legend."""

    def __init__(self, tooltip: str) -> None:
        super().__init__("", tooltip, height=HEIGHT, grows=True)

    def show_bars(self, values: Mapping[str, Mapping[str, float]], images: Sequence[str], title: str) -> None:
        """Draw a group of bars for each region, a bar for each image."""
        self._show(Drawing(title, "", partial(_draw_bars, values, images)))

    def show_curves(self, curves: Mapping[str, tuple[Curve, Curve]]) -> None:
        """Draw power ratio (solid) and ring correlation (dashed) over spatial frequency, for each image."""
        labels = "power —, FRC - -", "cycles per pixel of the reference"
        self._show(Drawing(*labels, partial(_draw_curves, curves)))

    def show_lines(self, curves: Mapping[str, Curve], left: str, bottom: str) -> None:
        """Draw one curve for each image."""
        self._show(Drawing(left, bottom, partial(_draw_lines, curves)))

    def empty(self) -> None:
        """Draw nothing."""
        if self._wanted is not None:
            self._show(EMPTY)

    def _make(self) -> None:
        super()._make()
        self._plot.getAxis("left").setWidth(None)  # as wide as its numbers, which may have six digits
        self._plot.addLegend(offset=(-5, 5), labelTextSize="8pt", colCount=3)

    def _draw(self, before: Drawing | None, content: Drawing) -> None:
        del before
        plot = self._plot
        plot.clear()
        plot.setLabel("left", content.left)
        plot.setLabel("bottom", content.bottom)
        plot.getAxis("bottom").setTicks(None)  # numbers again, after the names below bars
        content.draw(plot)


def _draw_bars(values: Mapping[str, Mapping[str, float]], images: Sequence[str], plot: Any) -> None:
    from pyqtgraph import BarGraphItem

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


def _draw_curves(curves: Mapping[str, tuple[Curve, Curve]], plot: Any) -> None:
    for number, (image, (power, ring)) in enumerate(curves.items()):
        colour = colour_of(image, number)
        plot.plot(*power, pen={"color": colour, "width": 2}, name=image)
        plot.plot(*ring, pen={"color": colour, "width": 2, "style": Qt.PenStyle.DashLine})
    plot.setXRange(0, 0.5)
    plot.setYRange(0, 1.5 * (1 + 2 * ROOM_FOR_LEGEND), padding=0)


def _draw_lines(curves: Mapping[str, Curve], plot: Any) -> None:
    for number, (image, curve) in enumerate(curves.items()):
        plot.plot(*curve, pen={"color": colour_of(image, number), "width": 2}, name=image, connect="finite")
    plot.autoRange()
    low, high = plot.getViewBox().viewRange()[1]
    plot.setYRange(low, high + ROOM_FOR_LEGEND * (high - low), padding=0)


def _cut(name: str) -> str:
    return name if len(name) <= 14 else f"{name[:13]}…"
