"""A diffusion series seen as IVIM needs it: one volume per b-value, read slice by slice; and maps as scans."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri.errors import InputError
from napari_micromri.ivim.b_values import b_values_of, check_b_values
from napari_micromri.ivim.signal import PARAMETERS
from napari_micromri.scan import Scan
from napari_micromri.words import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from napari_micromri.scan import ScanInfo

SAMPLE_SLICES = 8
"""Slices that a model learns noise and prior from."""


@dataclass(frozen=True)
class Series:
    """A scan whose volumes have b-values.

    Parameters
    ----------
    scan
        Axes b, t or both before the spatial ones; with both, every repetition has the scan's b-values.
    b_values
        One per volume, in s/mm^2.
    mask
        (z, y, x) or (y, x) like a volume, or None.
    """

    scan: Scan
    b_values: tuple[float, ...]
    mask: NDArray[np.bool_] | None = None

    @classmethod
    def of(cls, scan: Scan, b_values: Sequence[float] | None = None, mask: Scan | None = None) -> Series:
        """Take a scan with its own b-values or given ones.

        Raises
        ------
        InputError
            No axis of volumes, b-values that don't match the volumes, or a mask on another grid.
        """
        outer = [n for n, axis in zip(scan.shape, scan.info.axes, strict=True) if axis in "tb"]
        if b_values is None or not outer:
            b_values = b_values_of(scan)
        values, volumes = np.asarray(b_values, dtype=float).ravel(), int(np.prod(outer))
        if len(outer) == 2 and len(values) == scan.shape[scan.info.axes.index("b")]:
            by_axis = values[None, :] if scan.info.axes.index("t") < scan.info.axes.index("b") else values[:, None]
            values = np.broadcast_to(by_axis, outer).ravel()
        check_b_values(values, volumes, perfusion=False)
        drawn = None if mask is None else np.nan_to_num(check_same_grid(mask, scan)) != 0
        return cls(scan, tuple(values.tolist()), drawn)

    @property
    def grid(self) -> tuple[int, ...]:
        """Shape of one volume."""
        return _grid(self.scan)

    @property
    def slices(self) -> int:
        """Number of slices."""
        return self.grid[0] if len(self.grid) == 3 else 1

    def read(self, number: int) -> NDArray[Any]:
        """Read one slice of all volumes, (volumes, y, x).

        Raises
        ------
        ReadError
            The operating system refused.
        """
        where = tuple(number if axis == "z" else slice(None) for axis in self.scan.info.axes)
        signals = self.scan.read(where)
        axes = [axis for axis in self.scan.info.axes if axis != "z"]
        order = sorted(range(len(axes)), key=lambda k: axes[k] in "yx")  # sorted keeps equals in their order
        return signals.transpose(order).reshape(len(self.b_values), *self.grid[-2:])

    def mask_of(self, number: int) -> NDArray[np.bool_] | None:
        """Give the mask of a slice."""
        if self.mask is None:
            return None
        return self.mask if self.mask.ndim == 2 else self.mask[number]

    def filled(self) -> list[int]:
        """List the slices that have something to fit.

        Raises
        ------
        InputError
            None has.
        """
        if self.mask is None:
            return list(range(self.slices))
        found = [k for k in range(self.slices) if np.any(self.mask_of(k))]
        if not found:
            raise InputError("The mask is empty: there is no voxel to fit.")
        return found

    def sample(self) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
        """Read some slices, evenly spread, with their masks: (volumes, slices, y, x) and (slices, y, x)."""
        filled = self.filled()
        chosen = [filled[k] for k in np.unique(np.linspace(0, len(filled) - 1, SAMPLE_SLICES).round().astype(int))]
        masks = None if self.mask is None else np.stack([np.asarray(self.mask_of(k)) for k in chosen])
        return np.stack([self.read(k) for k in chosen], axis=1), masks

    def map_info(self, name: str, step: Mapping[str, Any]) -> ScanInfo:
        """Describe a map of this scan."""
        info = self.scan.info
        quantity = info.quantity if name == "S0" else "map"
        spatial = replace(info, axes=info.spatial, b_values=None, name=f"{info.name} {name}", quantity=quantity)
        parameter = PARAMETERS.get(name.removesuffix("_sd"))
        unit = "mm^2/s" if name.startswith("D") else "fraction" if parameter and parameter.name == "f" else ""
        return spatial.with_step({"step": "ivim", "map": name, "unit": unit} | dict(step))


def stack_scans(scans: Sequence[Scan], b_values: Sequence[float]) -> Scan:
    """Make one series of scans that hold one volume each, in the order of the b-values; nothing is read.

    Raises
    ------
    InputError
        Another number of b-values, a scan of several volumes, or scans on different grids.
    """
    import dask.array as da

    first = scans[0]
    if len(scans) != len(b_values):
        raise InputError(f"{counted(len(b_values), 'b-value')} for {counted(len(scans), 'image')}: give one for each.")
    for scan in scans:
        if set(scan.info.axes) & set("tb"):
            raise InputError(f"'{scan.info.name}' holds several volumes. Take images of one volume each.")
        if not _lies_on(scan, first, scan.shape):
            raise InputError(f"'{scan.info.name}' and '{first.info.name}' aren't on one grid.")
    data = da.stack([da.asarray(scan.data) for scan in scans])
    names = [scan.info.source or scan.info.name for scan in scans]
    info = replace(
        first.info,
        name=f"{first.info.name} and {len(scans) - 1} more",
        source=None,
        axes=f"b{first.info.axes}",
        b_values=tuple(map(float, b_values)),
        b_directions=None,
        time_step=None,
    )
    return Scan(data, info.with_step({"step": "stack", "scans": names}))


def check_same_grid(other: Scan, scan: Scan) -> NDArray[Any]:
    """Read a mask or labels, which must lie on the grid of a scan's volumes.

    Raises
    ------
    InputError
        Another shape, voxel size or place.
    """
    mine, theirs = scan.info, other.info
    values = other.read()
    values = values.squeeze(tuple(k for k, axis in enumerate(theirs.axes) if axis in "tb" and other.shape[k] == 1))
    if not _lies_on(other, scan, values.shape):
        raise InputError(
            f"'{theirs.name}' ({' × '.join(map(str, values.shape))}) isn't on the grid of "
            f"'{mine.name}' ({' × '.join(map(str, _grid(scan)))}). Make it from a volume of this scan."
        )
    return np.asarray(values)


def _grid(scan: Scan) -> tuple[int, ...]:
    return tuple(n for n, axis in zip(scan.shape, scan.info.axes, strict=True) if axis in "zyx")


def _lies_on(other: Scan, scan: Scan, shape: tuple[int, ...]) -> bool:
    mine, theirs = scan.info, other.info
    same = shape == _grid(scan) and np.allclose(mine.voxel_size, theirs.voxel_size, rtol=1e-3)
    if same and mine.direction is not None and theirs.direction is not None:
        off = np.abs(np.subtract(mine.origin, theirs.origin)) / mine.voxel_size
        same = bool((off < 0.1).all()) and np.allclose(mine.direction, theirs.direction, atol=1e-2)
    return bool(same)
