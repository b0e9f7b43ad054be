"""Bring a slice of one scan to the pixels of another, by where both lie: the one way in which images are compared.

Scans of one animal rarely share a grid. Their pixels differ in size, and their centres by a part of a pixel: a scan
whose k-space was truncated lies half a fine pixel off. Each pixel of the reference is therefore looked up at its place
in mm, rows and columns one after the other, each by one matrix:

- Where both cover the same field of view, edge to edge, ``sinc`` is what zero-filling k-space amounts to.
- Elsewhere it is a Fourier shift of the image mirrored at its edges (a spline would blur what is to be compared, and
  without the mirror the jump from one edge to the opposite one would ring).

Slices are not interpolated: the one that holds the reference's slice in its thickness is taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_micromri.errors import InputError
from napari_micromri.measure.roi import Grid, read_plane, slice_at, slice_position
from napari_micromri.orientation import to_axes_of
from napari_micromri.simulation.resampling import sampling_matrix, upsampling_matrix

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_micromri.scan import Scan
    from napari_micromri.simulation.resampling import Upsampling

    Window = tuple[slice, slice]

FINER = 0.99
"""Pixels smaller than this part of the reference's would have to be thrown away."""

SAME_EDGE = 1e-3
"""Edges that lie apart by less than this part of a pixel are one."""

HOLE = 0.2
"""Weight that pixels without a value may have in one that has a value."""


@dataclass(frozen=True, eq=False)
class Regridder:
    """Brings slices of a scan to the grid of a reference.

    Parameters
    ----------
    scan
        With the axes of the reference; see `Regridder.between`.
    offset
        (y, x) in pixels of the reference: how far the grid of the scan lies off it, as a part of a pixel.
    window
        Rows and columns of the reference that the scan covers.
    """

    scan: Scan
    reference: Scan
    offset: tuple[float, float]
    window: Window
    _rows: NDArray[np.float64]
    _columns: NDArray[np.float64]

    @classmethod
    def between(cls, scan: Scan, reference: Scan, upsampling: Upsampling = "sinc") -> Regridder:
        """Compare the geometry of two scans.

        Parameters
        ----------
        upsampling
            How values between the scan's pixels are found.

        Raises
        ------
        InputError
            The scan has finer pixels than the reference, lies beside it, or is oblique to it.
        """
        scan = to_axes_of(scan, reference)
        own, grid = Grid.of(scan, "yx"), Grid.of(reference, "yx")
        if any(mine < FINER * size for mine, size in zip(own.size, grid.size, strict=True)):
            raise InputError(
                f"'{scan.info.name}' is finer than the reference '{reference.info.name}'. "
                "Choose the finest as reference."
            )
        found = [_axis(own, grid, k, upsampling) for k in range(2)]
        (rows, window_y, offset_y), (columns, window_x, offset_x) = found
        if window_y.start >= window_y.stop or window_x.start >= window_x.stop:
            raise InputError(
                f"'{scan.info.name}' and '{reference.info.name}' don't overlap, so they can't be compared "
                "pixel by pixel."
            )
        return cls(scan, reference, (offset_y, offset_x), (window_y, window_x), rows, columns)

    def plane(self, index: int, at: Mapping[str, int] | None = None) -> NDArray[np.float64] | None:
        """Give the slice that lies at a slice of the reference, (rows, columns) of the reference.

        NaN where the scan doesn't reach, or has no values; None when it has no slice there.
        """
        is_stack = "z" in self.reference.info.spatial
        own = slice_at(self.scan, "z", slice_position(self.reference, "z", index)) if is_stack else index
        if own is None or ("z" not in self.scan.info.spatial and own > 0):
            return None
        given = read_plane(self.scan, "yx", own, at)
        holes = ~np.isfinite(given)
        values = self._rows @ _filled(given, holes) @ self._columns.T
        if holes.any():
            values[np.abs(self._rows) @ holes @ np.abs(self._columns).T > HOLE] = np.nan
        result = np.full_like(values, np.nan)
        result[self.window] = values[self.window]
        return result


def _filled(values: NDArray[np.float64], holes: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Put the nearest value into each hole, so that nothing rings around it."""
    if not holes.any() or holes.all():
        return np.where(holes, 0.0, values)
    from scipy.ndimage import distance_transform_edt

    nearest = distance_transform_edt(holes, return_distances=False, return_indices=True)
    return np.asarray(values[tuple(nearest)])


def _axis(own: Grid, grid: Grid, k: int, mode: Upsampling) -> tuple[NDArray[np.float64], slice, float]:
    """Give matrix, covered pixels and offset along rows or columns."""
    count, fine = own.shape[k], grid.shape[k]
    position = (grid.origin[k] - own.origin[k] + grid.size[k] * np.arange(fine, dtype=np.float64)) / own.size[k]
    covered = np.flatnonzero((position > -0.5 - SAME_EDGE) & (position < count - 0.5 + SAME_EDGE))
    window = slice(int(covered[0]), int(covered[-1]) + 1) if covered.size else slice(0, 0)
    ratio = grid.size[k] / own.size[k]
    expected = (np.arange(fine) + 0.5) * count / fine - 0.5
    if np.abs(position - expected).max() < SAME_EDGE:
        same = upsampling_matrix(count, fine, mode).astype(np.float64) if fine != count else np.eye(count)
        return same, window, 0.0
    off = 0.5 - (position[0] + 0.5) / ratio  # the scan's first edge, in pixels of the reference from its first edge
    return sampling_matrix(position, count, mode), window, float(off - round(off))
