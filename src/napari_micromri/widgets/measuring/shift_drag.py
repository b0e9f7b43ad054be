"""Hold Shift and drag over a scan: the dock Measure CNR opens with a region there, without a click on any button."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import numpy as np
from napari.layers import Image

from napari_micromri.widgets.measuring.command import begin_measuring

if TYPE_CHECKING:
    from collections.abc import Iterator

SMALLEST = 5
"""Pixels of the screen; a shorter drag is a click."""

_listening: WeakSet[Any] = WeakSet()


def measure_by_dragging(viewer: Any) -> None:
    """Let regions be drawn in a viewer with Shift held from now on; done once for each."""
    model = getattr(viewer, "__wrapped__", viewer)
    if model not in _listening:
        _listening.add(model)
        model.mouse_drag_callbacks.append(_drag)


def _drag(viewer: Any, event: Any) -> Iterator[None]:
    """Show napari's zoom box while the mouse is dragged, and make it a region at the end."""
    active = viewer.layers.selection.active
    flat = viewer.dims.ndisplay == 2 and isinstance(active, Image) and active.mode == "pan_zoom"
    if "Shift" not in event.modifiers or not flat or len(event.position) < 2:
        return
    box, start, first = viewer.canvas.overlays._zoom_box, event.position, event.pos[::-1]
    box.position, box.visible = (first, first), True
    yield
    while event.type == "mouse_move":
        box.position = (first, event.pos[::-1])
        yield
    box.visible = False
    if np.abs(np.subtract(event.pos[::-1], first)).min() >= SMALLEST:
        begin_measuring(viewer, rectangle(start, event.position, viewer.dims.displayed))


def rectangle(start: Any, end: Any, displayed: Any) -> Any:
    """Give the four corners in world coordinates between two places on one slice."""
    corners = np.repeat(np.array([start], dtype=float), 4, axis=0)
    row, column = displayed
    corners[2:, row] = end[row]
    corners[1:3, column] = end[column]
    return corners
