"""Between regions in mm and a napari Shapes layer, both ways. Needs neither napari nor Qt.

The layer has the spatial axes of the scan that it was made for, and counts in that scan's pixels: a region stays on its
slice, is seen at every time and diffusion weighting, and follows whichever plane is shown. Kind and name of each region
are the features ``kind`` and ``name``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from napari_micromri.errors import InputError
from napari_micromri.measure.roi import KINDS, PRECISION, SHAPES, Roi
from napari_micromri.orientation import Alignment
from napari_micromri.plugin.layers import mm_per
from napari_micromri.plugin.transforms import layer_to_world
from napari_micromri.scan import SPATIAL_AXES, Scan

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from napari_micromri.measure.roi import Kind
    from napari_micromri.plugin.layers import LayerData

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
    units: Any
    axis_labels: Any
    ndim: int
    scale: Any
    translate: Any
    rotate: Any
    shear: Any
    affine: Any


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


def roi_to_shapes(roi: Roi, scan: Scan, layer: ShapesLike | None = None) -> list[tuple[str, NDArray[np.float64], Roi]]:
    """Make a region's shapes, one for each slice that it lies on, as napari draws on slices.

    They count in a scan's pixels, or in those of a layer, which may have been made for another scan, or moved.

    Raises
    ------
    InputError
        The layer has another number of dimensions than the scan.
    """
    from napari_micromri.measure.roi import slice_position, slices_of

    axes = scan.info.spatial
    if not set(roi.axes) <= set(axes):
        return []
    if layer is not None and layer.ndim != len(axes):
        raise InputError(
            f"The ROI layer has {layer.ndim} dimensions and '{scan.info.name}' {len(axes)}. Save its ROIs, delete the "
            "layer, and load them again."
        )
    if layer is None:
        inverse = np.linalg.inv(_matrix(scan.info.voxel_size, scan.info.origin))
    else:
        inverse = np.linalg.inv(to_mm(layer))
        scan = _on_grid_of(layer, scan)
    shapes: list[tuple[str, NDArray[np.float64], Roi]] = []
    for index in slices_of(roi, scan):
        corners = np.full((len(roi.vertices), len(axes) + 1), 1.0)
        corners[:, :-1] = slice_position(scan, roi.normal, index)
        for k, axis in enumerate(roi.axes):
            corners[:, axes.index(axis)] = [point[k] for point in roi.vertices]
        # Whole numbers of slices: napari lets a shape be clicked only exactly on the slice that is shown.
        shapes.append((roi.shape, np.round(corners @ inverse[:-1].T, PRECISION), roi))
    return shapes


def _matrix(size: Sequence[float], origin: Sequence[float]) -> NDArray[np.float64]:
    matrix = np.diag([*size, 1.0])
    matrix[:-1, -1] = origin
    return matrix


def _on_grid_of(layer: ShapesLike, scan: Scan) -> Scan:
    """Give a scan's field of view the slices of a layer, unless those are turned against its axes."""
    lies = Alignment.of(to_mm(layer))
    if lies is None:
        return scan
    size, shape = np.abs(lies.step), dict(zip(scan.info.axes, scan.shape, strict=True))
    first = np.array([low for low, _ in scan.extent]) + size / 2
    origin = lies.start + np.round((first - lies.start) / size) * size
    for k, (axis, (low, high)) in enumerate(zip(scan.info.spatial, scan.extent, strict=True)):
        shape[axis] = max(1, round((high - low) / size[k]))
    empty = np.broadcast_to(np.float32(0), tuple(shape.values()))
    return Scan(empty, replace(scan.info, voxel_size=tuple(map(float, size)), origin=tuple(map(float, origin))))


def read_rois(layer: ShapesLike) -> Reading:
    """Read the regions out of a layer, where they are drawn; what is no region is named, never measured.

    The whole transform of the layer counts, also a rotation within the plane.

    Raises
    ------
    InputError
        The layer isn't drawn over a scan: it has other axes than z, y and x.
    """
    axes = _axes(layer)
    matrix = to_mm(layer).tobytes()
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
                roi = _roi(raw.tobytes(), str(shape), name, kind, axes, matrix)
            except InputError as error:
                problems.append(str(error))
        rois.append(roi)
    problems += [f"Left out: {count} {_counted(shape, count)}, which has no area." for shape, count in strange.items()]
    return Reading(tuple(rois), tuple(problems))


def to_mm(layer: ShapesLike) -> NDArray[np.float64]:
    """Give the layer's transform in mm, (axes + 1, axes + 1)."""
    return np.diag([*(mm_per(unit) for unit in layer.units), 1.0]) @ layer_to_world(layer)


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
def _roi(raw: bytes, shape: str, name: str, kind: Kind, axes: str, transform: bytes) -> Roi:
    """Make a region of the bytes of its corners (n, axes); the axis along which they don't move is the one across.

    While one shape of a thousand is dragged, the others are known.
    """
    matrix = np.frombuffer(transform).reshape(len(axes) + 1, -1)
    linear = matrix[:-1, :-1]
    corners = np.frombuffer(raw).reshape(-1, len(axes)) @ linear.T + matrix[:-1, -1]
    depth = None
    plane = axes
    if len(axes) == 3:
        moves = np.ptp(corners, axis=0) / np.linalg.norm(linear, axis=1)  # in slices
        across = int(np.argmin(moves))
        if moves[across] > 0.5:
            raise InputError(f"'{name or 'A shape'}' spans several slices. Draw it again on one slice.")
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
