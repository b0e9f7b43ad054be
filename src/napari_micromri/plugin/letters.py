"""Letters at the edges of the canvas that say which way the body lies, and flips of the view that leave the data alone.

napari's own text overlays show them: they follow the theme, and stand in each cell of the grid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from napari_micromri.orientation import Alignment
from napari_micromri.plugin.layers import METADATA_KEY
from napari_micromri.plugin.transforms import layer_to_world
from napari_micromri.scan import ScanInfo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_HUMAN, _ANIMAL = ("RL", "AP", "SI"), ("RL", "AP", "HF")
_LEANS = 0.35
"""A second letter says what more than this of a unit vector points to: 20 degrees."""

_EDGES = {"top": "top_center", "bottom": "bottom_center", "left": "middle_left", "right": "middle_right"}
_FONT_SIZE = 12
_OF_LAYERS = ("visible", "scale", "affine", "rotate", "metadata")
_following: WeakKeyDictionary[Any, LettersOfViewer] = WeakKeyDictionary()


def letters_of(layer: Any, displayed: Sequence[int], ndim: int) -> dict[int, tuple[str, str]] | None:
    """Tell to which sides of the body the axes of the canvas lead.

    Parameters
    ----------
    layer
        A layer of napari.
    displayed
        The viewer's axes that are shown.
    ndim
        Of the viewer.

    Returns
    -------
    For each axis the letters at its beginning and at its end; None where the layer doesn't say how it lies.
    """
    info = layer.metadata.get(METADATA_KEY)
    if not isinstance(info, ScanInfo) or info.direction is None or len(info.axes) != layer.ndim:
        return None
    lies = Alignment.of(layer_to_world(layer))
    found = {}
    for axis in displayed:
        own = axis - (ndim - layer.ndim)
        if lies is None or own < 0 or info.axes[lies.source[own]] not in info.spatial:
            return None
        way = np.array(info.direction[info.spatial.index(info.axes[lies.source[own]])]) * np.sign(lies.step[own])
        names = _ANIMAL if info.quadruped else _HUMAN
        found[axis] = _side(-way, names), _side(way, names)
    return found


def _side(way: NDArray[np.float64], names: tuple[str, str, str]) -> str:
    """Name where a vector in RAS+ coordinates points to, by one letter or by two."""
    order = np.argsort(-np.abs(way), kind="stable")[:2]
    return "".join(names[k][0 if way[k] > 0 else 1] for k in order if abs(way[k]) > _LEANS)


def show_letters(viewer: Any) -> None:
    """Show letters in a viewer from now on; done once for each."""
    model = getattr(viewer, "__wrapped__", viewer)
    if model not in _following:
        _following[model] = LettersOfViewer(model)


class LettersOfViewer:
    """Keeps four overlays up to date; the active layer is shown, or else the uppermost visible one that knows."""

    def __init__(self, viewer: Any) -> None:
        from weakref import ref

        from napari.components.overlays import TextOverlay

        self._viewer = ref(viewer)
        overlays = viewer.canvas.overlays
        self.overlays = {
            edge: TextOverlay(position=place, font_size=_FONT_SIZE, gridded=True) for edge, place in _EDGES.items()
        }
        for edge, overlay in self.overlays.items():
            overlays[f"micromri_{edge}"] = overlay
        events = viewer.layers.events
        for event in (
            viewer.dims.events.order,
            viewer.dims.events.ndisplay,
            viewer.dims.events.ndim,
            viewer.scene.camera.events.orientation,
            viewer.layers.selection.events.active,
            events.inserted,
            events.removed,
            events.reordered,
        ):
            event.connect(self.refresh)
        events.inserted.connect(lambda event: self._watch(event.value))
        for layer in viewer.layers:
            self._watch(layer)
        self.refresh()

    def _watch(self, layer: Any) -> None:
        """Hear of what a layer tells its list nothing of."""
        for name in _OF_LAYERS:
            getattr(layer.events, name).connect(self.refresh)

    def refresh(self, event: object = None) -> None:
        """Write the letters that fit what is shown."""
        viewer = self._viewer()
        texts = {} if viewer is None else _texts(viewer)
        for edge, overlay in self.overlays.items():
            overlay.text = texts.get(edge, "")
            overlay.visible = edge in texts


def _texts(viewer: Any) -> dict[str, str]:
    """Tell which letters stand at which edge; none in 3-D, where there are no edges."""
    displayed = tuple(viewer.dims.displayed)
    if len(displayed) != 2:
        return {}
    active = viewer.layers.selection.active
    layers = [layer for layer in ([active] if active else []) + list(reversed(viewer.layers)) if layer.visible]
    found = next((f for layer in layers if (f := letters_of(layer, displayed, viewer.dims.ndim))), None)
    if found is None:
        return {}
    vertical, horizontal = (str(way) for way in viewer.scene.camera.orientation2d)
    (up, down), (left, right) = (found[axis] for axis in displayed)
    if vertical == "up":
        up, down = down, up
    if horizontal == "left":
        left, right = right, left
    return {"top": up, "bottom": down, "left": left, "right": right}


def flip_left_right() -> None:
    """Layers > Visualize > Flip view left-right."""
    _flip(horizontally=True)


def flip_up_down() -> None:
    """Layers > Visualize > Flip view up-down."""
    _flip(horizontally=False)


def _flip(*, horizontally: bool) -> None:
    import napari

    viewer = napari.current_viewer()
    if viewer is not None:
        flip(viewer, horizontally=horizontally)


def flip(viewer: Any, *, horizontally: bool) -> None:
    """Mirror what is seen by turning the camera's axis; no layer changes, and letters follow."""
    show_letters(viewer)
    camera = viewer.scene.camera
    vertical, horizontal = (str(way) for way in camera.orientation2d)
    if horizontally:
        camera.orientation2d = (vertical, "left" if horizontal == "right" else "right")
    else:
        camera.orientation2d = ("up" if vertical == "down" else "down", horizontal)
