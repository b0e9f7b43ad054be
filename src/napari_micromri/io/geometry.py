"""Between the affine matrices of files and the geometry of a `Scan`.

All vectors here are in RAS+ scanner coordinates and mm: x to the right, y to anterior, z to the head ("superior").
DICOM and ParaVision write left, posterior, head; `LPS_TO_RAS` turns one into the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_micromri.scan import PLANES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from napari_micromri.scan import Direction, ScanInfo

LPS_TO_RAS = np.array([-1.0, -1.0, 1.0])

THICKER = 1.5
"""A voxel this many times longer along one axis than along the others was acquired as a slice."""


class Geometry(NamedTuple):
    """The three geometrical fields of `ScanInfo`, and by how many degrees its axes aren't right angles in the file."""

    voxel_size: tuple[float, ...]
    origin: tuple[float, ...]
    direction: Direction | None
    sheared: float = 0.0


def geometry_from_steps(steps: ArrayLike, first: ArrayLike) -> Geometry:
    """Describe a grid by the way from one voxel to the next.

    Parameters
    ----------
    steps
        ``(n, 3)``: for each spatial array axis, in the order of the array, the vector in mm to the next voxel.
    first
        Position in mm of the centre of the first voxel.

    Raises
    ------
    ValueError
        A step is zero or not finite, or two axes are parallel.

    Notes
    -----
    A sheared grid (a tilted gantry, a registration) is given the nearest axes at right angles.
    """
    vectors, position = np.asarray(steps, dtype=float), np.asarray(first, dtype=float)
    sizes = np.linalg.norm(vectors, axis=1)
    if not (np.isfinite(vectors).all() and np.isfinite(position).all() and (sizes > 0).all() and sizes.max() < 1e9):
        raise ValueError("the voxel size is zero or not finite")
    rows = vectors / sizes[:, None]
    askew = float(np.abs(rows @ rows.T - np.eye(len(rows))).max())
    if askew > 1e-6:
        left, spread, right = np.linalg.svd(rows, full_matrices=False)
        if spread.min() < 0.1:
            raise ValueError("two axes of the voxel grid are parallel")
        rows = left @ right
    return Geometry(
        _floats(sizes), _floats(rows @ position), tuple(_row(r) for r in rows), float(np.degrees(np.arcsin(askew)))
    )


def affine_of(info: ScanInfo) -> NDArray[np.float64]:
    """Affine matrix, 4 x 4, from voxel numbers in the order x, y, z to RAS+ mm.

    An axis that the scan lacks gets the direction that is left and a voxel of 1 mm. An unknown direction becomes the
    unit matrix.
    """
    spatial = info.spatial
    rows = np.eye(3)[::-1][["zyx".index(a) for a in spatial]] if info.direction is None else np.array(info.direction)
    first = np.asarray(info.origin) @ rows
    affine = np.eye(4)
    affine[:3, 3] = first
    for axis, size, row in zip(spatial, info.voxel_size, rows, strict=True):
        affine[:3, "xyz".index(axis)] = size * row
    missing = [k for k, axis in enumerate("xyz") if axis not in spatial]
    if len(missing) == 1:
        k = missing[0]
        affine[:3, k] = 0
        a, b = (affine[:3, j] / np.linalg.norm(affine[:3, j]) for j in ((k + 1) % 3, (k + 2) % 3))
        affine[:3, k] = np.cross(a, b)
    return affine


def slices_first(voxel_size: Sequence[float]) -> tuple[int, ...]:
    """Order of three spatial axes that puts the direction of the slices first.

    That is the one along which voxels are longest, when they are longer by `THICKER` than along both others; else the
    order stays.
    """
    by_size = sorted(range(len(voxel_size)), key=lambda k: -voxel_size[k])
    if len(voxel_size) == 3 and voxel_size[by_size[0]] > THICKER * voxel_size[by_size[1]]:
        return (by_size[0], *(k for k in range(3) if k != by_size[0]))
    return tuple(range(len(voxel_size)))


def plane_of(direction: Direction | None) -> str | None:
    """Name the plane of the slices (the last two axes) by the body axis that their normal is nearest to.

    The body axes are those of the file's own coordinates: a normal from feet to head is transaxial, from back to
    belly coronal, from side to side sagittal. ParaVision's and DICOM's quadruped coordinates keep this meaning (left,
    dorsal, cranial), so a plane across the trunk of a mouse is transaxial however the animal lay. Slices tilted by
    more than 40 degrees have no name.
    """
    if direction is None or len(direction) < 2:
        return None
    rows = np.array(direction)
    normal = np.abs(rows[0] if len(rows) == 3 else np.cross(rows[0], rows[1]))
    nearest = int(normal.argmax())
    return {0: PLANES[2], 1: PLANES[1], 2: PLANES[0]}[nearest] if normal[nearest] > np.cos(np.radians(40)) else None


def _floats(values: NDArray[Any]) -> tuple[float, ...]:
    return tuple(float(v) for v in values)


def _row(values: NDArray[Any]) -> tuple[float, float, float]:
    x, y, z = (float(v) + 0.0 for v in values)
    return x, y, z
