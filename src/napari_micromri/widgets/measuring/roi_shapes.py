"""The shapes of a ROI layer: copies of them on other slices, and the colours of their kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_micromri.plugin.roi_layers import COLOURS, named

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from napari.layers import Shapes
    from numpy.typing import NDArray

    from napari_micromri.measure.roi import Kind, Roi

    Corners = NDArray[np.float64]
    Copy = tuple[Corners, Roi]


def copies(layer: Shapes, rois: Iterable[tuple[int, Roi | None]], slices: Sequence[int]) -> Iterator[Copy]:
    """Put shapes, given by their places in the layer, onto other slices; flat ones lie on none."""
    for k, roi in rois:
        corners = np.array(layer.data[k], dtype=float)
        if roi is None or corners.shape[1] < 3:
            continue
        axis, own = _slice(corners)
        for index in slices:
            if index != own:
                moved = corners.copy()
                moved[:, axis] = index
                yield moved, roi


def twins(layer: Shapes, copied: Sequence[Copy]) -> set[int]:
    """Find the shapes that stand where copies come, under the same name."""
    new = {(roi.name, roi.kind, *_slice(corners)) for corners, roi in copied}
    names, kinds = named(layer)
    old = enumerate(zip(names, kinds, layer.data, strict=True))
    return {k for k, (name, kind, corners) in old if (name, kind, *_slice(np.asarray(corners))) in new}


def colour(layer: Shapes, kinds: Sequence[Kind]) -> None:
    """Give each shape the colour of its kind."""
    if not kinds:
        return
    wanted, shown = np.array([_rgb(COLOURS[kind]) for kind in kinds]), layer.edge_color[:, :3]
    if wanted.shape != shown.shape or not np.allclose(shown, wanted, atol=0.01):
        layer.edge_color = [COLOURS[kind] for kind in kinds]


def _slice(corners: Corners) -> tuple[int, int]:
    """Give the axis across a shape, and where on it the shape lies."""
    axis = int(np.argmin(np.ptp(corners, axis=0)))
    return axis, round(float(corners[0, axis]))


def _rgb(colour: str) -> tuple[float, ...]:
    return tuple(int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5))
