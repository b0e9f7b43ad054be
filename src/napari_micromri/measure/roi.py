"""Regions of interest in millimetres, so that one region means the same tissue on a coarse and on a fine scan.

World coordinates
-----------------
A coordinate is one in mm along the scan's own axes, as `ScanInfo` defines it: the centre of voxel ``k`` lies at
``origin + k * size``, and the voxel reaches half a size to either side. A region lies in the plane of two axes and has
a range along the third; it belongs to every slice whose extent holds a part of that range.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np

from napari_micromri.errors import InputError
from napari_micromri.scan import SPATIAL_AXES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_micromri.scan import Scan

Kind: TypeAlias = Literal["roi", "background"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Shape: TypeAlias = Literal["rectangle", "ellipse", "polygon"]
SHAPES: tuple[Shape, ...] = get_args(Shape)
Point: TypeAlias = tuple[float, float]
Box: TypeAlias = tuple[tuple[float, float], tuple[float, float]]
"""First and last coordinate in mm along the two axes of a plane."""

NORMALS = {"yx": "z", "zx": "y", "zy": "x"}
"""The axis across each plane."""

FARTHEST = 1e15
"""In mm; beyond it a region says nothing of pixels, and numbers overflow."""

PRECISION = 6
"""Decimals of a pixel (of a slice) that count: what falls on an edge does so on every machine."""


@dataclass(frozen=True)
class Roi:
    """A region of interest or of background.

    Parameters
    ----------
    name
        For people and tables; regions of one name on several slices are the same tissue.
    shape
        ``rectangle`` and ``ellipse`` have four vertices, the corners of the (perhaps turned) rectangle around them;
        ``polygon`` has three or more.
    vertices
        (n, 2) coordinates in mm, along ``axes``.
    depth
        First and last coordinate in mm along the third axis; a single slice has twice the same. None is everywhere.
    axes
        The two axes of the plane, among ``yx``, ``zx`` and ``zy``.

    Raises
    ------
    InputError
        Too few vertices, coordinates that are not numbers, an unknown kind, shape or plane.
    """

    name: str
    vertices: tuple[Point, ...]
    kind: Kind = "roi"
    shape: Shape = "rectangle"
    depth: tuple[float, float] | None = None
    axes: str = "yx"

    def __post_init__(self) -> None:
        if self.kind not in KINDS or self.shape not in SHAPES or self.axes not in NORMALS:
            raise InputError(
                f"'{self.name}' is a {self.kind} {self.shape} in the plane {self.axes}; known are {', '.join(KINDS)}, "
                f"{', '.join(SHAPES)} and the planes yx, zx, zy."
            )
        count = len(self.vertices)
        if (count != 4 and self.shape != "polygon") or count < 3 or any(len(point) != 2 for point in self.vertices):
            raise InputError(f"'{self.name}' is a {self.shape} with {count} corners, which enclose no area.")
        if not np.isfinite(self.vertices).all() or not np.isfinite(self.depth or (0, 0)).all():
            raise InputError(f"'{self.name}' has a coordinate that is not a number.")
        if max(np.abs(self.vertices).max(), *np.abs(self.depth or (0, 0))) > FARTHEST:
            raise InputError(f"'{self.name}' has a coordinate beyond {FARTHEST:g} mm, where no scanner is.")
        if self.depth is not None and self.depth[0] > self.depth[1]:
            object.__setattr__(self, "depth", (self.depth[1], self.depth[0]))

    @property
    def normal(self) -> str:
        """The axis across the plane."""
        return NORMALS[self.axes]

    @property
    def box(self) -> Box:
        """The smallest rectangle around the region."""
        low, high = outline(self).min(axis=0), outline(self).max(axis=0)
        return (float(low[0]), float(high[0])), (float(low[1]), float(high[1]))


@dataclass(frozen=True)
class Grid:
    """The pixels of a scan in one plane: their number, size in mm, and the centre of the first."""

    shape: tuple[int, int]
    size: Point
    origin: Point

    @classmethod
    def of(cls, scan: Scan, axes: str) -> Grid:
        """Take the grid of a plane.

        Raises
        ------
        InputError
            The scan doesn't have both axes.
        """
        if not set(axes) <= set(scan.info.spatial):
            raise InputError(f"'{scan.info.name}' has no plane {axes}; its axes are {scan.info.axes}.")
        places = [scan.info.spatial.index(axis) for axis in axes]
        rows, columns = (scan.shape[scan.info.axes.index(axis)] for axis in axes)
        sizes = [scan.info.voxel_size[k] for k in places]
        origins = [scan.info.origin[k] for k in places]
        return cls((rows, columns), (sizes[0], sizes[1]), (origins[0], origins[1]))

    @property
    def pixel_area(self) -> float:
        """In mm^2."""
        return self.size[0] * self.size[1]

    def pixels(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn coordinates (n, 2) in mm into pixels, where whole numbers are centres."""
        return np.round((points - self.origin) / self.size, PRECISION)


def outline(roi: Roi, corners: int = 180) -> NDArray[np.float64]:
    """Walk around a region: (n, 2) points in mm; an ellipse as a polygon of the same area."""
    vertices = np.asarray(roi.vertices, dtype=np.float64)
    if roi.shape != "ellipse":
        return vertices
    centre, across, along = ellipse_axes(vertices)
    angle = 2 * np.pi * np.arange(corners) / corners
    stretch = np.sqrt(2 * np.pi / corners / np.sin(2 * np.pi / corners))
    around = stretch * (np.cos(angle)[:, None] * across + np.sin(angle)[:, None] * along)
    return np.asarray(centre + around, dtype=np.float64)


def ellipse_axes(
    corners: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Give the centre and the two half axes of the ellipse in a rectangle of four corners."""
    return corners.mean(axis=0), (corners[1] - corners[0]) / 2, (corners[3] - corners[0]) / 2


def slice_at(scan: Scan, axis: str, position: float) -> int | None:
    """Tell which slice's extent holds a position in mm; None outside the scan. A flat scan's only slice is 0."""
    count, size, origin = _stack(scan, axis)
    index = _index(position, size, origin) if size else 0
    return index if 0 <= index < count else None


def slice_position(scan: Scan, axis: str, index: int) -> float:
    """Give the centre of a slice in mm; 0 for a flat scan."""
    _, size, origin = _stack(scan, axis)
    return origin + index * size


def slices_of(roi: Roi, scan: Scan) -> range:
    """List the slices of a scan that a region belongs to; empty when it lies beside the scan."""
    count, size, origin = _stack(scan, roi.normal)
    if roi.depth is None or not size:
        return range(count)
    first, last = (_index(z, size, origin) for z in roi.depth)
    return range(max(first, 0), min(last, count - 1) + 1)


def _stack(scan: Scan, axis: str) -> tuple[int, float, float]:
    """Give number, thickness and first centre of the slices along an axis; a flat scan has one of thickness 0."""
    if axis not in scan.info.axes:
        return 1, 0.0, 0.0
    k = scan.info.spatial.index(axis)
    return scan.data.shape[scan.info.axes.index(axis)], scan.info.voxel_size[k], scan.info.origin[k]


def _index(position: float, size: float, origin: float) -> int:
    return math.floor(round((position - origin) / size + 0.5, PRECISION))


def read_plane(scan: Scan, axes: str, index: int, at: Mapping[str, int] | None = None) -> NDArray[np.float64]:
    """Read one slice (rows, columns) of a plane; ``at`` says which time and diffusion weighting, by default the first.

    Raises
    ------
    InputError
        The scan doesn't have the plane, or its pixels are complex.
    """
    Grid.of(scan, axes)
    if scan.dtype.kind not in "uifb":
        raise InputError(f"'{scan.info.name}' holds {scan.dtype} pixels; magnitudes are measured, so convert it first.")
    at = at or {}
    place = tuple(
        slice(None) if axis in axes else index if axis in SPATIAL_AXES else min(at.get(axis, 0), count - 1)
        for axis, count in zip(scan.info.axes, scan.shape, strict=True)
    )
    return scan.read(place).astype(np.float64, copy=False)
