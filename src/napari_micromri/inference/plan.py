"""Which slices of a scan are read together, and where their results go."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

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
            Pixels that are no magnitudes, an axis that isn't there or lies in the plane, indices outside, no slices.
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
        outer = tuple(k for k in range(len(axes)) if k not in plane)
        unknown = [axis for axis in select if axis not in axes or axes.index(axis) not in outer]
        if unknown:
            raise InputError(f"'{scan.info.name}' has no slices along '{unknown[0]}'. Choose among {axes}.")
        ranges = tuple(_checked(scan, k, select.get(axes[k])) for k in outer)
        if 0 in scan.shape:
            raise InputError(f"'{scan.info.name}' is empty: its shape is {scan.shape}.")
        return cls(scan, (plane[0], plane[1]), outer, ranges, factor)

    @property
    def total(self) -> int:
        """Number of slices."""
        return math.prod(len(chosen) for chosen in self.ranges)

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
        b_values = info.b_values
        for k, chosen in zip(self.outer, self.ranges, strict=True):
            axis = info.axes[k]
            if axis in info.spatial:
                at = info.spatial.index(axis)
                origin[at] += chosen.start * info.voxel_size[at]
            elif axis == "b" and b_values is not None:
                b_values = b_values[chosen.start : chosen.stop]
        in_plane = {info.axes[k]: float(self.factor) for k in self.plane}
        return replace(info, origin=tuple(origin), b_values=b_values).resampled(in_plane)

    def batches(self, size: int, done: int = 0) -> Iterator[Batch]:
        """Give the slices after the first ``done`` in batches of at most ``size``, in the order of the array."""
        whole: list[int | slice] = [slice(None)] * len(self.scan.shape)
        if not self.outer:
            if done == 0:
                yield Batch(tuple(whole), tuple(whole), 1)
            return
        *slow, fast = self.ranges
        for number, index in enumerate(np.ndindex(*(len(chosen) for chosen in slow))):
            for start in range(max(0, done - number * len(fast)), len(fast), size):
                stop = min(start + size, len(fast))
                source, target = list(whole), list(whole)
                for k, chosen, at in zip(self.outer, slow, index, strict=False):
                    source[k], target[k] = chosen[at], at
                source[self.outer[-1]] = slice(fast.start + start, fast.start + stop)
                target[self.outer[-1]] = slice(start, stop)
                yield Batch(tuple(source), tuple(target), stop - start)

    def to_stack(self, block: NDArray[Any]) -> NDArray[Any]:
        """Bring what an index of `Batch` gives to (N, height, width)."""
        return np.moveaxis(block, self._stack_axis, 0) if self.outer else block[None]

    def from_stack(self, stack: NDArray[Any]) -> NDArray[Any]:
        """Undo `to_stack`."""
        return np.moveaxis(stack, 0, self._stack_axis) if self.outer else stack[0]

    @property
    def _stack_axis(self) -> int:
        return sum(k < self.outer[-1] for k in self.plane)

    def finished(self, done: int) -> tuple[int, int] | None:
        """Say which part of a stopped result is whole: an axis and how many of its indices; None when nothing is.

        It is the outermost axis with more than one index, so that the part has no holes.
        """
        for k, chosen in zip(self.outer, self.ranges, strict=True):
            if len(chosen) > 1:
                count = done // (self.total // len(chosen))
                return (k, count) if count else None
        return None


def _checked(scan: Scan, k: int, chosen: range | None) -> range:
    count = scan.shape[k]
    if chosen is None:
        return range(count)
    if chosen.step != 1 or not 0 <= chosen.start < chosen.stop <= count:
        last = f"{chosen.start} to {chosen[-1]}" if len(chosen) else "an empty range"
        raise InputError(
            f"'{scan.info.name}' has the indices 0 to {count - 1} along '{scan.info.axes[k]}', not {last}."
        )
    return chosen


def _kind(dtype: np.dtype[Any]) -> str:
    return "complex numbers" if dtype.kind == "c" else f"values of the type {dtype}"


def fill_gaps(slices: Sequence[Any] | NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None]:
    """Convert to float32 and replace what is not finite by 0; the mask says where, None when nowhere."""
    array = np.asarray(slices).astype(np.float32)
    gaps = ~np.isfinite(array)
    if not gaps.any():
        return array, None
    array[gaps] = 0
    return array, gaps
