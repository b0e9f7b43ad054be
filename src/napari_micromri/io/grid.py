"""From the axes of a file to those of a scan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri.io.geometry import geometry_from_steps, plane_of, slices_first
from napari_micromri.io.lazy import check_dtype, check_sizes, lazy_slices
from napari_micromri.io.naming import plane_in, region_in
from napari_micromri.scan import ScanInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import dask.array as da
    from numpy.typing import NDArray

    from napari_micromri.io.geometry import Geometry

    Reader = Callable[[tuple[Any, ...]], NDArray[Any]]

STRAIGHT = 0.1
"""Degrees by which axes may be off right angles without a word: rounded directions are."""


def describe_grid(
    path: Path,
    name: str,
    geometry: Geometry,
    spatial: Sequence[int],
    *,
    known: bool = True,
    outer: Mapping[str, int] | None = None,
    **said: Any,
) -> tuple[ScanInfo, list[int]]:
    """Describe a scan, and tell for each of its axes which axis of the file it is.

    The axis along which voxels are longest becomes z, since it is the direction in which slices were acquired.

    Parameters
    ----------
    geometry
        Of the axes ``spatial``.
    spatial
        The file's axes in space, two or three, the slowest first.
    known
        Whether the file says how its axes lie in the scanner.
    outer
        The file's other axes by their letters ``t`` and ``b``.
    said
        Further fields of the `ScanInfo`.
    """
    outer = outer or {}
    order = slices_first(geometry.voxel_size)
    direction = tuple(geometry.direction[k] for k in order) if known and geometry.direction else None
    words = [said.get("protocol"), name]
    info = ScanInfo(
        name=name,
        axes="".join(outer) + "zyx"[-len(spatial) :],
        voxel_size=tuple(geometry.voxel_size[k] for k in order),
        origin=tuple(geometry.origin[k] for k in order),
        direction=direction,
        plane=plane_in(words) or plane_of(direction),
        region=region_in(words),
        source=str(path),
        **said,
    )
    if geometry.sheared > STRAIGHT:
        info = info.with_warnings(
            [f"{path} has axes {geometry.sheared:.2g} degrees off right angles, which is not shown."]
        )
    return info, [*outer.values(), *(spatial[k] for k in order)]


def geometry_of_affine(affine: NDArray[Any], spatial: int = 3) -> Geometry:
    """Geometry in the order of the axes backwards, of an affine matrix from voxel numbers to RAS+ mm."""
    return geometry_from_steps(affine[:3, :spatial].T[::-1], affine[:3, 3])


def lazy_grid(
    read: Reader, shape: Sequence[int], file_axes: Sequence[int], dtype: np.dtype[Any], path: Path
) -> da.Array:
    """Make a lazy array of slices with the axes of the scan.

    Parameters
    ----------
    read
        Given an index of the file, whole numbers but for two axes in full, returns the slice with those two in the
        order of the file.
    shape
        Of the file.
    """
    check_dtype(dtype, path)
    sizes = [int(shape[axis]) for axis in file_axes]
    check_sizes(sizes, path, itemsize=dtype.itemsize)

    def read_slice(index: tuple[int, ...]) -> NDArray[Any]:
        where: list[Any] = [0] * len(shape)
        for axis, number in zip(file_axes, (*index, slice(None), slice(None)), strict=True):
            where[axis] = number
        found = read(tuple(where))
        return np.ascontiguousarray(found.T if file_axes[-2] > file_axes[-1] else found)

    return lazy_slices(read_slice, sizes, dtype)
