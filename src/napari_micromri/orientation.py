"""How the axes of an array lie along others: those of napari's viewer, or those of another scan."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_micromri.errors import InputError
from napari_micromri.scan import SPATIAL_AXES, Scan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_micromri.scan import ArrayLike

TILT = 1e-4
"""How many voxels an axis may lean per voxel and still run along one of the frame's: 0.03 over a row of 300."""

ROUNDING = 1e-5
"""Headers keep directions to five digits or more, so axes turned by less are one: what lies on an edge stays there."""

MAX_TURN = 0.5
"""Degrees that the axes of two scans may be turned against each other and still be compared, as in a study."""


@dataclass(frozen=True)
class Alignment:
    """How the axes of an array lie along those of a frame, such as napari's viewer: one entry per axis of the frame.

    Parameters
    ----------
    source
        The array's axis that runs along it.
    step
        Distance from one element to the next; negative where the array runs backwards.
    start
        Position of the array's first element.
    """

    source: tuple[int, ...]
    step: tuple[float, ...]
    start: tuple[float, ...]

    @classmethod
    def of(cls, matrix: NDArray[np.float64]) -> Alignment | None:
        """Read the matrix from indices to the frame; None when an axis runs along none of the frame's."""
        linear = matrix[:-1, :-1]
        size = np.abs(linear)
        source = size.argmax(axis=1)
        rows = np.arange(len(linear))
        largest = size[rows, source]
        rest = size.copy()
        rest[rows, source] = 0
        if len(set(source.tolist())) < len(rows) or not (largest > 0).all():
            return None
        if (rest > TILT * largest[:, None]).any():
            return None
        steps = linear[rows, source]
        return cls(tuple(map(int, source)), tuple(map(float, steps)), tuple(map(float, matrix[:-1, -1])))

    @property
    def moved(self) -> tuple[int, ...]:
        """The frame's axes along which another axis of the array runs, or its own backwards."""
        return tuple(
            k for k, (axis, step) in enumerate(zip(self.source, self.step, strict=True)) if axis != k or step < 0
        )

    def arrange(self, array: ArrayLike) -> ArrayLike:
        """Transpose and flip an array, reading nothing, so that its axes are the frame's and run forwards."""
        if not self.moved:
            return array
        turned: ArrayLike = array.transpose(self.source)
        return turned[tuple(slice(None, None, -1 if step < 0 else 1) for step in self.step)]

    def placed(self, shape: Sequence[int]) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Give scale and translate of an array of this shape that was arranged."""
        first = tuple(
            start + min(0.0, step) * (count - 1)
            for start, step, count in zip(self.start, self.step, shape, strict=True)
        )
        return tuple(map(abs, self.step)), first


def to_axes_of(scan: Scan, reference: Scan) -> Scan:
    """Give a scan the axes of another, by their directions: transposed and mirrored where needed, nothing read.

    Where one of the directions is unknown, the axes of both are taken to be the same.

    Raises
    ------
    InputError
        The axes are oblique to each other.
    """
    info, frame = scan.info, reference.info
    if info.direction is None or frame.direction is None or info.spatial != frame.spatial:
        return scan
    turn = np.asarray(frame.direction) @ np.asarray(info.direction).T
    straight = np.round(turn)
    if np.abs(turn - straight).max() > np.sin(np.radians(MAX_TURN)):
        raise InputError(
            f"'{info.name}' and '{frame.name}' are oblique to each other. Compare scans whose axes are parallel."
        )
    if np.abs(turn - straight).max() < ROUNDING:
        turn = straight
    matrix = np.eye(len(turn) + 1)
    matrix[:-1, :-1] = straight * info.voxel_size
    matrix[:-1, -1] = turn @ info.origin
    lies = Alignment.of(matrix)
    if lies is None:  # a flat scan seen from the side
        raise InputError(f"'{info.name}' and '{frame.name}' lie in different planes. Compare scans of one plane.")
    places = [k for k, axis in enumerate(info.axes) if axis in SPATIAL_AXES]
    source, step = list(range(len(info.axes))), [1.0] * len(info.axes)
    for k, place in enumerate(places):
        source[place], step[place] = places[lies.source[k]], lies.step[k]
    data = Alignment(tuple(source), tuple(step), (0.0,) * len(step)).arrange(scan.data)
    size, origin = lies.placed([data.shape[place] for place in places])
    return Scan(data, replace(info, voxel_size=size, origin=origin, direction=frame.direction))
