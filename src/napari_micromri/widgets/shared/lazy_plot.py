"""A widget around one plot. pyqtgraph is loaded, in a thread, when there is first something to show."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Generic, TypeVar

from qtpy.QtCore import QEvent, QTimer
from qtpy.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from napari_micromri.widgets.shared.looking import Looking
from napari_micromri.widgets.shared.theme import take_theme

AXIS_WIDTH, LABEL_ROOM = 46, 12

T = TypeVar("T")


class LazyPlot(QWidget, Generic[T]):
    """Draws what it was last asked to show, soon; what is asked for twice is drawn once.

    Parameters
    ----------
    height
        In pixels; at least these for a plot that ``grows``.
    grows
        Take the height that is left. What the plot would like to have would make a low window scroll.
    after_ms
        How long to wait before drawing, so that several plots don't hold the window together.
    """

    def __init__(self, title: str, tooltip: str, *, height: int, grows: bool = False, after_ms: int = 0) -> None:
        super().__init__()
        self.setToolTip(tooltip)
        self.setMinimumHeight(height)
        if grows:
            self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)
        else:
            self.setMaximumHeight(height)
        self._title = title
        self._plot: Any = None
        self._wanted: T | None = None
        self._shown: T | None = None
        self._library = Looking(_load, self)
        self._library.seen.connect(self._draw_soon)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(after_ms)
        self._soon.timeout.connect(self._draw_now)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)

    def set_title(self, title: str) -> None:
        """Say what is plotted."""
        self._title = title
        if self._plot is not None:
            self._show_heading()

    def _show_heading(self) -> None:
        self._plot.setTitle(self._heading() or None, size="9pt", color=self.palette().text().color())

    def stop(self) -> None:
        """Wait for nothing any more."""
        self._library.stop()
        self._soon.stop()

    def changeEvent(self, event: QEvent) -> None:
        """Follow napari's theme."""
        super().changeEvent(event)
        if self._plot is not None and event.type() in (QEvent.Type.StyleChange, QEvent.Type.PaletteChange):
            self._take_colours()

    def _take_colours(self) -> None:
        take_theme(self._plot, self)

    def _label(self, side: str, text: str) -> None:
        """Name an axis; the one on the left gets room for that beside its figures."""
        self._plot.setLabel(side, text)
        if side == "left":
            self._plot.getAxis(side).setWidth(AXIS_WIDTH + LABEL_ROOM * bool(text))

    def _show(self, content: T) -> None:
        self._wanted = content
        if self._plot is not None:
            self._draw_soon()
        else:
            self._library.look()

    def _draw_soon(self) -> None:
        if self._wanted != self._shown and not self._soon.isActive():  # what comes often is drawn now and then
            self._soon.start()

    def _draw_now(self) -> None:
        if self._wanted is None or self._wanted == self._shown:
            return
        if self._plot is None:
            self._make()
            self._soon.start()  # making it takes long enough for one turn of the window
            return
        before, self._shown = self._shown, self._wanted
        self._draw(before, self._wanted)

    def _draw(self, before: T | None, content: T) -> None:
        """Change the plot from what it shows to what it shall show."""
        raise NotImplementedError

    def _heading(self) -> str:
        return self._title

    def _axes(self) -> dict[str, Any]:
        """Make the axes that aren't pyqtgraph's own; for subclasses."""
        return {}

    def _make(self) -> None:
        from pyqtgraph import PlotWidget

        self._plot = plot = PlotWidget(background=None, axisItems=self._axes())
        plot.setMouseEnabled(x=False, y=False)
        plot.hideButtons()
        plot.setMenuEnabled(False)
        # pyqtgraph lets the label below reach out of the plot, where it would be cut off.
        plot.getPlotItem().layout.setContentsMargins(1, 1, 1, 6)
        plot.showGrid(y=True, alpha=0.2)
        for side in ("left", "bottom"):
            plot.getAxis(side).enableAutoSIPrefix(False)
        plot.getAxis("left").setWidth(AXIS_WIDTH)
        self._take_colours()
        layout = self.layout()
        assert layout is not None  # noqa: S101
        layout.addWidget(plot)


def _load() -> object:
    return import_module("pyqtgraph")
