"""Which slices of a scan are read together, and where their results go."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_micromri.scan import Scan, ScanInfo


@dataclass(frozen=True)
class Batch:
    """Slices that follow each other along the innermost outer axis.

    ``source`` and ``target`` index the scan's and the result's array; both give (N, ., .) after `Plan.to_stack`.
    """

    source: tuple[int | slice, ...]
    target: tuple[int | slice, ...]
    count: int


@dataclass(frozen=True)
class Plan:
    """How a scan is walked through: ``outer`` axes one index at a time, ``plane`` axes whole.

    ``ranges`` holds the chosen indices of each outer axis.
    """

    scan: Scan
    plane: tuple[int, int]
    outer: tuple[int, ...]
    ranges: tuple[range, ...]
    factor: int

    @classmethod
    def of(cls, scan: Scan, select: Mapping[str, range], slice_axis: str, factor: int) -> Plan:
        """Check a choice of slices against a scan.

        Raises
        ------
        InputError
            Pixels that aren't magnitudes, an axis that isn't there or lies in the plane, indices outside, no slices.
        """
        axes = scan.info.axes
        if scan.dtype.kind not in "uifb":
            raise InputError(
                f"'{scan.info.name}' holds {_kind(scan.dtype)}; only magnitudes, which are real, can be denoised."
            )
        plane = tuple(k for k, axis in enumerate(axes) if axis in "zyx" and axis != slice_axis)
        if slice_axis not in ("z", "y", "x") or len(plane) != 2:
            raise InputError(
                f"'{scan.info.name}' with axes {axes} can't be cut into slices along '{slice_axis}'; "
                "two other spatial axes are needed."
            )
        if 0 in scan.shape:
            raise InputError(f"'{scan.info.name}' is empty: its shape is {scan.shape}.")
        outer = tuple(k for k in range(len(axes)) if k not in plane)
        _check_axes(scan, select, "".join(axes[k] for k in outer))
        ranges = tuple(_checked(scan, k, select.get(axes[k])) for k in outer)
        return cls(scan, (plane[0], plane[1]), outer, ranges, factor)

    @property
    def total(self) -> int:
        """Number of slices."""
        return math.prod(len(chosen) for chosen in self.ranges)

    @property
    def selected(self) -> dict[str, range]:
        """Indices of the input that the result has, for each axis that is not in the plane."""
        return {self.scan.info.axes[k]: chosen for k, chosen in zip(self.outer, self.ranges, strict=True)}

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the result."""
        shape = [count * self.factor for count in self.scan.shape]
        for k, chosen in zip(self.outer, self.ranges, strict=True):
            shape[k] = len(chosen)
        return tuple(shape)

    @property
    def info(self) -> ScanInfo:
        """Geometry of the result, and the b-values that are left."""
        info = self.scan.info
        origin = list(info.origin)
        b_values, b_directions = info.b_values, info.b_directions
        for k, chosen in zip(self.outer, self.ranges, strict=True):
            axis = info.axes[k]
            if axis in info.spatial:
                at = info.spatial.index(axis)
                origin[at] += chosen.start * info.voxel_size[at]
            elif axis == "b":
                b_values = b_values and b_values[chosen.start : chosen.stop]
                b_directions = b_directions and b_directions[chosen.start : chosen.stop]
        in_plane = {info.axes[k]: float(self.factor) for k in self.plane}
        return replace(info, origin=tuple(origin), b_values=b_values, b_directions=b_directions).resampled(in_plane)

    def batch(self, done: int, size: int) -> Batch:
        """Give the at most ``size`` slices that follow the first ``done``, in the order of the array."""
        source: list[int | slice] = [slice(None)] * len(self.scan.shape)
        target = source.copy()
        if not self.outer:
            return Batch(tuple(source), tuple(target), 1)
        index = np.unravel_index(done, [len(chosen) for chosen in self.ranges])
        for k, chosen, at in zip(self.outer, self.ranges, index, strict=True):
            source[k], target[k] = chosen[int(at)], int(at)
        fast, start = self.ranges[-1], int(index[-1])
        stop = min(start + size, len(fast))
        source[self.outer[-1]] = slice(fast.start + start, fast.start + stop)
        target[self.outer[-1]] = slice(start, stop)
        return Batch(tuple(source), tuple(target), stop - start)

    def numbers(self, batch: Batch) -> list[int]:
        """Count the slices of a batch as they lie in the whole scan, whatever was chosen of it."""
        first = 0
        for k in self.outer:
            at = batch.source[k]
            first = first * self.scan.shape[k] + (int(at.start) if isinstance(at, slice) else at)
        return list(range(first, first + batch.count))

    def to_stack(self, block: NDArray[Any]) -> NDArray[Any]:
        """Bring what an index of `Batch` gives to (N, height, width)."""
        return np.moveaxis(block, self._stack_axis, 0) if self.outer else block[None]

    def from_stack(self, stack: NDArray[Any]) -> NDArray[Any]:
        """Undo `to_stack`."""
        return np.moveaxis(stack, 0, self._stack_axis) if self.outer else stack[0]

    @property
    def _stack_axis(self) -> int:
        return sum(k < self.outer[-1] for k in self.plane)

    def shortened(self, done: int) -> Plan | None:
        """Cut the plan to the largest leading block that the first ``done`` slices fill; None when there is none.

        The outermost axis with a whole index is cut to its whole ones; the axes before it keep one index.
        """
        ranges = list(self.ranges)
        each = self.total
        for k, chosen in enumerate(self.ranges):
            each //= len(chosen)
            count = done // each
            ranges[k] = chosen[: max(1, count)]
            if count:
                return replace(self, ranges=tuple(ranges))
        return None


def _check_axes(scan: Scan, select: Mapping[str, range], outer: str) -> None:
    unknown = [axis for axis in select if axis not in outer]
    if unknown:
        choice = f"Choose among {', '.join(outer)}." if outer else "It is a single slice."
        raise InputError(f"'{scan.info.name}' has no slices along '{unknown[0]}'. {choice}")


def _checked(scan: Scan, k: int, chosen: range | None) -> range:
    count = scan.shape[k]
    if chosen is None:
        return range(count)
    if chosen.step != 1 or not 0 <= chosen.start < chosen.stop <= count:
        last = f"{chosen.start} to {chosen[-1]}" if len(chosen) else "an empty range"
        raise InputError(
            f"'{scan.info.name}' has {count} indices along '{scan.info.axes[k]}', 0 to {count - 1}, not {last}."
        )
    return chosen


def _kind(dtype: np.dtype[Any]) -> str:
    return "complex numbers" if dtype.kind == "c" else f"values of the type {dtype}"


def fill_gaps(slices: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None]:
    """Convert to float32 and replace what is not finite by 0; the mask says where, None when nowhere."""
    with np.errstate(over="ignore", invalid="ignore"):  # beyond float32 is infinite, hence a gap
        array = slices.astype(np.float32)
    gaps = ~np.isfinite(array)
    if not gaps.any():
        return array, None
    array[gaps] = 0
    return array, gaps
