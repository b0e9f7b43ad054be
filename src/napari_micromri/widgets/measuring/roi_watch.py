"""Follows one Shapes layer while shapes are drawn, moved and changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari.layers import Shapes

FOLLOW_MS = 30
"""While a shape is dragged, changes are reported no more often than this."""


class ShapesWatch(QObject):
    """Sends ``changed`` a moment after shapes changed, also while one is dragged.

    napari sends its event when a drawing begins and none while it is dragged, so the mouse is followed as well.
    """

    changed = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._layer: Shapes | None = None
        self.dragging = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(FOLLOW_MS)
        self._timer.timeout.connect(self.changed)

    @property
    def waiting(self) -> bool:
        """Something changed that hasn't been reported yet."""
        return self._timer.isActive()

    def watch(self, layer: Shapes | None) -> None:
        """Follow a layer in place of the one before; None follows none."""
        if self._layer is not None:
            self._disconnect(self._layer)
        self._layer = layer
        if layer is not None:
            for event in _events(layer):
                event.connect(self.note)
            layer.mouse_drag_callbacks.append(self._follow)

    def stop(self) -> None:
        """Follow nothing, and report nothing any more."""
        self.watch(None)
        self._timer.stop()

    def note(self, _event: object = None) -> None:
        """Report a change in a moment."""
        # A running timer is left alone: what is dragged is followed rather than waited for.
        if not self._timer.isActive():
            self._timer.start()

    def _disconnect(self, layer: Shapes) -> None:
        for event in _events(layer):
            event.disconnect(self.note)
        if self._follow in layer.mouse_drag_callbacks:
            layer.mouse_drag_callbacks.remove(self._follow)

    def _follow(self, _layer: Shapes, event: object) -> Generator[None]:
        """Report every step of a drag, and its end."""
        yield
        while getattr(event, "type", "") == "mouse_move":
            self.dragging = True
            self.note()
            yield
        self.dragging = False
        self.note()


def _events(layer: Shapes) -> tuple[Any, ...]:
    events = layer.events
    return events.data, events.scale, events.translate, events.rotate, events.shear, events.affine, events.units
