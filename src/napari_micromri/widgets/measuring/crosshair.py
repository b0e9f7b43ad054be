"""Lines that cross at the cursor's place in each of several images beside each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Vectors

from napari_micromri.widgets.results import RESULT_KEY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.components import ViewerModel
    from napari.layers import Image, Layer
    from numpy.typing import NDArray

COLOUR = "#ffd24d"
GAP, THICKNESS = 0.03, 0.004
"""Parts of the image: how far from the cursor the lines begin, so that they hide nothing, and how thick they are."""


def arms(point: Sequence[float], displayed: Sequence[int], extent: NDArray[np.float64]) -> NDArray[np.float64]:
    """Draw four lines from beside a point to the edges of an image.

    Parameters
    ----------
    point
        In the viewer's coordinates, one for each of its axes.
    displayed
        The two axes that are shown.
    extent
        (2, axes): the image's first and last corner.

    Returns
    -------
    (up to 4, 2, axes), beginnings and ends; none where the point lies outside the image.
    """
    low, high = extent
    shown = list(displayed)
    here = np.asarray(point, dtype=np.float64)
    if np.any(here[shown] < low[shown]) or np.any(here[shown] > high[shown]):
        return np.zeros((0, 2, len(here)))
    gap = GAP * float(np.max(high[shown] - low[shown]))
    found = []
    for axis in shown:
        for edge, way in ((low[axis], -1), (high[axis], 1)):
            begin, end = here.copy(), here.copy()
            begin[axis] += way * gap
            end[axis] = edge
            if way * (edge - begin[axis]) > 0:
                found.append((begin, end))
    return np.array(found).reshape(-1, 2, len(here))


class Crosshair:
    """Draws lines over images that lie beside each other, in layers that others add, until it is told to stop."""

    def __init__(self, viewer: ViewerModel, images: Sequence[Image], like: Layer) -> None:
        self._viewer = viewer
        self._images = images
        self.layers = [_empty(image, like) for image in images]
        viewer.cursor.events.position.connect(self.follow)
        viewer.dims.events.point.connect(self.follow)

    def stop(self) -> None:
        """Take the lines away."""
        self._viewer.cursor.events.position.disconnect(self.follow)
        self._viewer.dims.events.point.disconnect(self.follow)
        for layer in self.layers:
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)

    def follow(self, _event: object = None) -> None:
        """Cross where the cursor is."""
        dims, cursor = self._viewer.dims, self._viewer.cursor.position
        displayed = dims.displayed
        if len(displayed) != 2 or len(cursor) != dims.ndim:
            return
        point = [cursor[k] if k in displayed else dims.point[k] for k in range(dims.ndim)]
        for image, layer in zip(self._images, self.layers, strict=True):
            extent = _of_all_axes(np.asarray(image.extent.world), dims.ndim)
            lines = arms(point, displayed, extent)
            vectors = np.array([[layer.world_to_data(end) for end in line] for line in lines]).reshape(-1, 2, dims.ndim)
            vectors[:, 1] -= vectors[:, 0]
            layer.data = vectors


def _of_all_axes(extent: NDArray[np.float64], ndim: int) -> NDArray[np.float64]:
    """Put axes that only other layers have in front."""
    missing = ndim - extent.shape[1]
    return np.hstack([np.zeros((2, missing)), extent])


def _empty(image: Image, like: Layer) -> Vectors:
    layer = Vectors(
        np.zeros((0, 2, like.ndim)),
        ndim=like.ndim,
        name=f"cursor on {image.name}",
        edge_color=COLOUR,
        edge_width=THICKNESS * float(np.ptp(np.asarray(image.extent.world)[:, -2:], axis=0).max() / like.scale[-1]),
        vector_style="line",
        scale=like.scale,
        translate=like.translate,
        units=like.units,
        axis_labels=like.axis_labels,
        metadata={RESULT_KEY: "copy"},
    )
    layer.editable = False
    return layer
