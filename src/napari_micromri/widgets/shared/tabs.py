"""Let our docks open as tabs of one area: below each other they would push the window beyond a laptop's screen."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakSet

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QDockWidget, QMainWindow

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

_ours: WeakSet[QDockWidget] = WeakSet()


def open_as_tab(widget: QWidget) -> None:
    """Put the dock that napari makes around a widget behind those of ours that are open, and show it."""
    widget.installEventFilter(_Watch(widget))


class _Watch(QObject):
    """Waits for the widget to be put into a dock, and the dock into a window: napari does so one after the other."""

    def __init__(self, widget: QWidget) -> None:
        super().__init__(widget)
        self._widget = widget

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Look when the widget is shown; nothing is kept from it."""
        if event.type() == QEvent.Type.Show:
            self._widget.removeEventFilter(self)
            self._join()
        return False

    def _join(self) -> None:
        dock = _dock_around(self._widget)
        window = None if dock is None else dock.parentWidget()
        if dock is None or not isinstance(window, QMainWindow):
            return
        area = window.dockWidgetArea(dock)
        for other in _ours:
            here = other.parentWidget() is window and not other.isHidden() and not other.isFloating()
            if here and window.dockWidgetArea(other) == area:
                window.tabifyDockWidget(other, dock)
                dock.raise_()
                break
        _ours.add(dock)


def _dock_around(widget: QWidget) -> QDockWidget | None:
    around: QWidget | None = widget
    while around is not None and not isinstance(around, QDockWidget):
        around = around.parentWidget()
    return around
