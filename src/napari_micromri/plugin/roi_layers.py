"""Between regions in mm and a napari Shapes layer, both ways. Needs neither napari nor Qt.

The layer has the spatial axes of the scan that it was made for, and counts in that scan's pixels: a region stays on its
slice, is seen at every time and diffusion weighting, and follows whichever plane is shown. Kind and name of each region
are the features ``kind`` and ``name``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from napari_micromri.errors import InputError
from napari_micromri.measure.roi import KINDS, SHAPES, Roi
from napari_micromri.plugin.layers import mm_per
from napari_micromri.scan import SPATIAL_AXES

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from napari_micromri.measure.roi import Kind
    from napari_micromri.plugin.layers import LayerData
    from napari_micromri.scan import Scan

ROIS_KEY = "micromri_rois"
"""Marks the layer in its metadata."""

COLOURS: dict[Kind, str] = {"roi": "#ffb000", "background": "#35b5ff"}
"""Told apart by people who see colours differently, and seen on black, grey and white."""

NAMES: dict[Kind, str] = {"roi": "ROI", "background": "background"}
LAYER_NAME = "ROIs"


class ShapesLike(Protocol):
    """What is needed of a Shapes layer."""

    data: Any
    shape_type: Any
    features: Any
    scale: Any
    translate: Any
    units: Any
    axis_labels: Any


@dataclass(frozen=True)
class Reading:
    """What stands in a layer.

    Parameters
    ----------
    rois
        One entry per shape; None for what is no region.
    problems
        Why some are none, in sentences.
    """

    rois: tuple[Roi | None, ...]
    problems: tuple[str, ...] = ()

    @property
    def usable(self) -> tuple[Roi, ...]:
        """The regions alone."""
        return tuple(roi for roi in self.rois if roi is not None)


def roi_layer(scan: Scan, rois: Sequence[Roi] = ()) -> LayerData:
    """Make the layer that regions are drawn in, over a scan.

    Raises
    ------
    InputError
        The scan has no rows and columns.
    """
    axes = scan.info.spatial
    if len(axes) < 2:
        raise InputError(f"'{scan.info.name}' has no slices to draw on; its axes are {scan.info.axes}.")
    shapes = [shape for roi in rois for shape in roi_to_shapes(roi, scan)]
    # Else the lines would be as thick as a pixel, which is much on a small scan and nothing on a large one.
    width = max(scan.shape[scan.info.axes.index(axis)] for axis in axes) / 300
    attributes = {
        "name": LAYER_NAME,
        "ndim": len(axes),
        "scale": scan.info.voxel_size,
        "translate": scan.info.origin,
        "units": ("millimeter",) * len(axes),
        "axis_labels": tuple(axes),
        "shape_type": [kind for kind, _, _ in shapes],
        "features": features([(roi.name, roi.kind) for _, _, roi in shapes]),
        "edge_color": [COLOURS[roi.kind] for _, _, roi in shapes] or COLOURS["roi"],
        "face_color": "transparent",
        "edge_width": width,
        "opacity": 0.9,
        "text": {
            "string": "{name}",
            "color": "white",
            "size": 9,
            "anchor": "upper_left",
            "translation": (0.0,) * len(axes),
        },
        "metadata": {ROIS_KEY: True},
    }
    return [corners for _, corners, _ in shapes], attributes, "shapes"


def features(named: Sequence[tuple[str, str]]) -> dict[str, NDArray[np.object_]]:
    """Make the layer's table of names and kinds."""
    return {
        "name": np.array([name for name, _ in named], dtype=object),
        "kind": np.array([kind for _, kind in named], dtype=object),
    }


def roi_to_shapes(roi: Roi, scan: Scan) -> list[tuple[str, NDArray[np.float64], Roi]]:
    """Make a region's shapes, in a scan's pixels: one for each slice that it lies on, as napari draws on slices."""
    from napari_micromri.measure.roi import slices_of

    axes, info = scan.info.spatial, scan.info
    if not set(roi.axes) <= set(axes):
        return []
    shapes: list[tuple[str, NDArray[np.float64], Roi]] = []
    for index in slices_of(roi, scan):
        corners = np.full((len(roi.vertices), len(axes)), float(index))
        for k, axis in enumerate(roi.axes):
            place = axes.index(axis)
            millimetres = np.array([point[k] for point in roi.vertices])
            corners[:, place] = (millimetres - info.origin[place]) / info.voxel_size[place]
        shapes.append((roi.shape, corners, roi))
    return shapes


def read_rois(layer: ShapesLike) -> Reading:
    """Read the regions out of a layer; what is no region is named, never measured.

    Raises
    ------
    InputError
        The layer isn't drawn over a scan: it has other axes than z, y and x.
    """
    axes = _axes(layer)
    lengths = np.array([mm_per(unit) for unit in layer.units])
    scale, translate = (tuple(map(float, np.asarray(a) * lengths)) for a in (layer.scale, layer.translate))
    names, kinds = named(layer)
    rois: list[Roi | None] = []
    strange: dict[str, int] = {}
    problems = []
    for corners, shape, name, kind in zip(layer.data, layer.shape_type, names, kinds, strict=True):
        roi = None
        if str(shape) not in SHAPES:
            strange[str(shape)] = strange.get(str(shape), 0) + 1
        else:
            try:
                raw = np.asarray(corners, dtype=np.float64)
                roi = _roi(raw.tobytes(), str(shape), name, kind, axes, scale, translate)
            except InputError as error:
                problems.append(str(error))
        rois.append(roi)
    problems += [f"Left out: {count} {_counted(shape, count)}, which has no area." for shape, count in strange.items()]
    return Reading(tuple(rois), tuple(problems))


def _counted(shape: str, count: int) -> str:
    return shape if count == 1 else f"shapes of type {shape}"


def _axes(layer: ShapesLike) -> str:
    labels = [str(label).strip().lower() for label in layer.axis_labels]
    count = len(labels)
    if count not in (2, 3):
        raise InputError(f"ROIs are drawn in two or three dimensions, not {count}. Make a ROI layer with the buttons.")
    axes = "".join(labels)
    return axes if axes in ("yx", "zyx") else SPATIAL_AXES[-count:]


def named(layer: ShapesLike) -> tuple[list[str], list[Kind]]:
    """Give names and kinds of all shapes, whatever the person or another plugin did to the table of features."""
    count = len(layer.data)
    table = layer.features
    names = [str(name) for name in table["name"]] if "name" in table else [""] * count
    kinds = [str(kind) for kind in table["kind"]] if "kind" in table else ["roi"] * count
    known: list[Kind] = [next((one for one in KINDS if one == kind), "roi") for kind in kinds]
    return [("" if name in ("nan", "None") else name) for name in names], known


@lru_cache(maxsize=20_000)
def _roi(
    raw: bytes, shape: str, name: str, kind: Kind, axes: str, scale: tuple[float, ...], translate: tuple[float, ...]
) -> Roi:
    """Make a region of the bytes of its corners (n, axes); the axis along which they don't move is the one across.

    While one shape of a thousand is dragged, the others are known.
    """
    corners = np.frombuffer(raw).reshape(-1, len(axes)) * scale + translate
    depth = None
    plane = axes
    if len(axes) == 3:
        moves = np.ptp(corners, axis=0) / scale
        across = int(np.argmin(moves))
        if moves[across] > 0.5:
            raise InputError(f"'{name or 'A shape'}' lies across several slices. Draw it anew on one slice.")
        position = float(np.median(corners[:, across]))
        depth = (position, position)
        plane = axes[:across] + axes[across + 1 :]
        corners = np.delete(corners, across, axis=1)
    if np.ptp(corners, axis=0).min() == 0:
        raise InputError(f"'{name or 'A shape'}' is empty. Delete it, or draw it larger.")
    vertices = tuple((float(a), float(b)) for a, b in corners)
    return Roi(name or NAMES[kind], vertices, kind=kind, shape=shape, depth=depth, axes=plane)  # type: ignore[arg-type]


def next_name(kind: Kind, taken: Collection[str]) -> str:
    """Choose a name that isn't taken."""
    number = 1
    while f"{NAMES[kind]} {number}" in taken:
        number += 1
    return f"{NAMES[kind]} {number}"


def complete_names(layer: ShapesLike, new: Collection[int]) -> list[str]:
    """Name what was just drawn or pasted: what has no name, or one that stands on its slice already."""
    names, kinds = named(layer)
    places = [_place(corners) for corners in layer.data]
    taken = set(names)
    for k in sorted(new):
        twin = any(names[m] == names[k] and places[m] == places[k] for m in range(len(names)) if m != k)
        if not names[k] or twin:
            names[k] = next_name(kinds[k], taken)
            taken.add(names[k])
    return names


def _place(corners: Any) -> tuple[int, int]:
    """Say which axis a shape lies across, and on which slice."""
    array = np.asarray(corners)
    if array.shape[1] < 3:
        return 0, 0
    across = int(np.argmin(np.ptp(array, axis=0)))
    return across, round(float(array[0, across]))
