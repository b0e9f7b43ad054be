"""One contrast for several layers, whatever the units of each: window and level in parts of each layer's own range."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari.components import ViewerModel
    from napari.layers import Image

    Limits = tuple[float, float]

DARKEST, BRIGHTEST = 1.0, 99.5
"""Percentiles of the slice that is shown, which become black and white."""

DRAG = 300.0
"""Pixels that a drag takes to change window or level by the whole range."""


def slice_range(layer: Image) -> Limits | None:
    """Give the darkest and brightest value of the slice that is shown, rare ones left out; None without a contrast."""
    shown = np.asarray(layer._slice.image.raw, dtype=np.float64)  # what is on the screen: no disk is asked again
    values = shown[np.isfinite(shown)]
    if not values.size:
        return None
    low, high = np.percentile(values, (DARKEST, BRIGHTEST))
    return (float(low), float(high)) if high > low else None


def relative(limits: Sequence[float], own: Limits) -> Limits:
    """Write limits in parts of a layer's range."""
    low, high = own
    return (limits[0] - low) / (high - low), (limits[1] - low) / (high - low)


def absolute(parts: Limits, own: Limits) -> Limits:
    """Turn parts of a layer's range back into limits."""
    low, high = own
    return low + parts[0] * (high - low), low + parts[1] * (high - low)


def dragged(parts: Limits, right: float, up: float) -> Limits:
    """Move limits by a drag: to the right widens the window, up makes the image brighter; both in screen pixels."""
    level, window = sum(parts) / 2 - up / DRAG, max(parts[1] - parts[0] + right / DRAG, 0.01)
    return level - window / 2, level + window / 2


class LinkedContrast:
    """Gives layers one contrast, and keeps it one when any of them is changed or Alt is held in a drag."""

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._ranges: dict[Image, Limits] = {}
        self._busy = False

    def match(self, layers: Sequence[Image]) -> int:
        """Show the slice of each layer from its darkest to its brightest value; gives how many were matched."""
        found = {layer: limits for layer in layers if (limits := slice_range(layer)) is not None}
        for layer, limits in found.items():
            _set(layer, limits)
        if self._ranges:
            self.link(layers)
        return len(found)

    def link(self, layers: Sequence[Image]) -> None:
        """Let the others follow when the contrast of one is changed, from what each shows now."""
        self.unlink()
        self._ranges = {layer: (float(layer.contrast_limits[0]), float(layer.contrast_limits[1])) for layer in layers}
        for layer in self._ranges:
            layer.events.contrast_limits.connect(self._follow)
        self._viewer.mouse_drag_callbacks.append(self._drag)

    def unlink(self) -> None:
        """Let each layer have its own contrast again."""
        for layer in self._ranges:
            layer.events.contrast_limits.disconnect(self._follow)
        self._ranges = {}
        if self._drag in self._viewer.mouse_drag_callbacks:
            self._viewer.mouse_drag_callbacks.remove(self._drag)

    def _follow(self, event: Any) -> None:
        if not self._busy and event.source in self._ranges:
            self._apply(relative(event.source.contrast_limits, self._ranges[event.source]), but=event.source)

    def _apply(self, parts: Limits, but: Image | None = None) -> None:
        self._busy = True
        for layer, own in self._ranges.items():
            if layer is not but:
                _set(layer, absolute(parts, own))
        self._busy = False

    def _drag(self, viewer: ViewerModel, event: Any) -> Iterator[None]:
        """Change window and level while Alt is held and the mouse is dragged."""
        if "Alt" not in event.modifiers or not self._ranges:
            return
        layer, own = next(iter(self._ranges.items()))
        start, parts = np.array(event.pos, dtype=float), relative(layer.contrast_limits, own)
        camera = viewer.scene.camera
        before, camera.mouse_pan = camera.mouse_pan, False
        try:
            yield
            while event.type == "mouse_move":
                right, down = np.array(event.pos, dtype=float) - start
                self._apply(dragged(parts, right, -down))
                yield
        finally:
            camera.mouse_pan = before


def _set(layer: Image, limits: Limits) -> None:
    low, high = layer.contrast_limits_range
    layer.contrast_limits_range = (min(low, limits[0]), max(high, limits[1]))
    layer.contrast_limits = limits
