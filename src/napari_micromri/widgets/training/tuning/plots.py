"""The plots of a tuning: dots that can be clicked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal

from napari_micromri.tuning.points import Scatter
from napari_micromri.widgets.shared.lazy_plot import LazyPlot
from napari_micromri.widgets.training.tuning.words import COLOURS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_micromri.tuning.points import Dot, Mark

HEIGHT = 190
BEST, LINE = "#fc8d62", "#a8a8a8"
SYMBOLS: Mapping[Mark, tuple[str, int, str, bool]] = {
    "above": ("t1", 10, COLOURS["done"], True),
    "below": ("t", 10, COLOURS["done"], True),
    "pruned": ("x", 9, COLOURS["pruned"], True),
    "running": ("o", 9, COLOURS["running"], False),
    "random": ("o", 9, COLOURS["done"], False),
    "suggested": ("o", 9, COLOURS["done"], True),
    "given": ("d", 12, COLOURS["done"], True),
    "best": ("star", 15, BEST, True),
}
"""Symbol, size, colour and whether it is filled; later ones lie on top."""


class ScatterPlot(LazyPlot[Scatter]):
    """Shows trials as dots; ``clicked`` sends the number of one.

    Parameters
    ----------
    whole
        The axis below counts.
    """

    clicked = Signal(int)

    def __init__(self, title: str, tooltip: str, *, whole: bool = False, after_ms: int = 0) -> None:
        super().__init__(title, tooltip, height=HEIGHT, after_ms=after_ms)
        self._whole = whole
        self._items: dict[Mark, Any] = {}
        self._line: Any = None
        self._level: Any = None
        self._ring: Any = None

    @property
    def shown(self) -> Scatter | None:
        """What is drawn."""
        return self._shown

    def show_scatter(self, scatter: Scatter) -> None:
        """Show these dots and no others; without any, nothing at all."""
        self.setVisible(bool(scatter.dots))
        if scatter.dots or self._plot is not None:
            self._show(scatter)

    def _draw(self, before: Scatter | None, content: Scatter) -> None:
        plot = self._plot
        if self._line is None:
            self._make_items()
        plot.setTitle(f"{self._title or content.left}", size="9pt")
        plot.setLogMode(x=content.log_x, y=content.log_y)
        plot.getAxis("bottom").setLabel(content.bottom)
        plot.getAxis("bottom").setTicks([list(content.ticks)] if content.ticks else None)
        self._line.setData([x for x, _ in content.line], [y for _, y in content.line])
        ends = [dot.x for dot in content.dots] if content.level is not None else []
        self._level.setData([min(ends), max(ends)] if ends else [], [content.level] * 2 if ends else [])
        for mark, item in self._items.items():
            _put(item, [dot for dot in content.dots if dot.mark == mark])
        _put(self._ring, [dot for dot in content.dots if dot.trial == content.chosen])
        if content.limits is not None:
            plot.setYRange(*content.limits, padding=0.04)
        else:
            plot.enableAutoRange(y=True)
        if content.ticks:
            plot.setXRange(-0.5, len(content.ticks) - 0.5, padding=0)
        elif self._whole and content.dots:
            last = max([dot.x for dot in content.dots] + [x for x, _ in content.line])
            plot.setXRange(-0.5, last + 0.5, padding=0)
        else:
            plot.enableAutoRange(x=True)

    def _make_items(self) -> None:
        from pyqtgraph import mkPen

        self._line = self._plot.plot(pen=mkPen(LINE, width=1))
        self._level = self._plot.plot(pen=mkPen(LINE, width=1, style=Qt.PenStyle.DashLine))
        for number, (mark, (symbol, size, colour, filled)) in enumerate(SYMBOLS.items()):
            item = self._items[mark] = self._plot.plot(
                pen=None,
                symbol=symbol,
                symbolSize=size,
                symbolPen=mkPen(colour, width=1 if filled else 2),
                symbolBrush=colour if filled else None,
            )
            item.setZValue(number + 1)
            item.sigPointsClicked.connect(self._take_click)
            item.scatter.opts.update(hoverable=True, tip=lambda x, y, data: data.text)
        self._ring = self._plot.plot(pen=None, symbol="o", symbolSize=17, symbolBrush=None)
        self._take_colours()

    def _take_colours(self) -> None:
        super()._take_colours()
        if self._ring is not None:
            from pyqtgraph import mkPen

            self._ring.setSymbolPen(mkPen(self.palette().text().color(), width=2))

    def _take_click(self, item: object, points: Sequence[Any]) -> None:
        del item
        if len(points):
            self.clicked.emit(points[0].data().trial)

    def _axes(self) -> dict[str, Any]:
        from napari_micromri.widgets.shared.axes import EpochAxis, FigureAxis

        return {"bottom": EpochAxis("bottom") if self._whole else FigureAxis("bottom"), "left": FigureAxis("left")}


def _put(item: Any, dots: Sequence[Dot]) -> None:
    # An item without points keeps nothing to click on, so it is given its data even when there are none.
    item.setData([dot.x for dot in dots], [dot.y for dot in dots], data=list(dots))
