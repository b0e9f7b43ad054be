"""Soft-edged shapes in space and the slice that they are painted on.

Positions are in mm along three body axes: ``a`` from the back to the belly, ``s`` from head to tail, ``l`` from right
to left, with the origin in the middle of the field of view.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.float32]

PLANE_AXES = {"coronal": (0, 1, 2), "transaxial": (1, 0, 2), "sagittal": (2, 1, 0)}
"""For each plane the body axis (a s l) across the slices, along the rows' order, and along the columns' order."""


@dataclass(frozen=True)
class Slice:
    """A grid of points in one plane through the body.

    ``fixed``, ``down`` and ``right`` are body axes; ``rows`` and ``columns`` the pixels' positions along the last two,
    ``pixel`` mm apart.
    """

    fixed: int
    down: int
    right: int
    position: float
    pixel: float
    rows: Image
    columns: Image

    @classmethod
    def through(cls, plane: str, position: float, shape: tuple[int, int], pixel: float) -> Slice:
        """Lay a slice of ``shape`` pixels of ``pixel`` mm around the origin, at ``position`` mm across the plane."""
        lines = [((np.arange(n) - (n - 1) / 2) * pixel).astype(np.float32) for n in shape]
        return cls(*PLANE_AXES[plane], position, pixel, *lines)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.rows), len(self.columns)

    @cached_property
    def points(self) -> tuple[Image, Image, Image]:
        """Coordinates a, s, l: arrays that broadcast to the slice's shape."""
        found = {
            self.fixed: np.full((1, 1), self.position, dtype=np.float32),
            self.down: self.rows[:, None],
            self.right: self.columns[None, :],
        }
        return found[0], found[1], found[2]

    def window(self, centre: Image, reach: float) -> tuple[slice, slice] | None:
        """Pixels within ``reach`` mm of a point along both axes; None when the slice passes further off."""
        if abs(float(centre[self.fixed]) - self.position) > reach:
            return None
        spans = [
            np.searchsorted(line, (centre[axis] - reach, centre[axis] + reach)).tolist()
            for line, axis in ((self.rows, self.down), (self.columns, self.right))
        ]
        window = (slice(*spans[0]), slice(*spans[1]))
        return None if any(w.start == w.stop for w in window) else window

    def cropped(self, window: tuple[slice, slice]) -> Slice:
        """Keep the pixels of a window."""
        return replace(self, rows=self.rows[window[0]], columns=self.columns[window[1]])


class Shape(Protocol):
    """A region of space."""

    def depth(self, where: Slice) -> tuple[tuple[slice, slice], Image] | None:
        """Give a window of the slice and how deep in mm each of its pixels lies inside; None when they don't meet."""
        ...


@dataclass(frozen=True)
class Blob:
    """An ellipsoid, squarer with a higher ``power``, turned by the rows of ``frame`` and dented by ``wobble``."""

    centre: Image
    radii: Image
    frame: Image = field(default_factory=lambda: np.eye(3, dtype=np.float32))
    power: float = 2.0
    wobble: float = 0.0
    phase: float = 0.0

    def depth(self, where: Slice) -> tuple[tuple[slice, slice], Image] | None:
        """Implement `Shape`."""
        window = where.window(self.centre, 1.3 * float(self.radii.max()))
        if window is None:
            return None
        offset = [x - c for x, c in zip(where.cropped(window).points, self.centre, strict=True)]
        q = [
            sum(f * o for f, o in zip(row, offset, strict=True)) / r
            for row, r in zip(self.frame, self.radii, strict=True)
        ]
        rho = sum(np.abs(k) ** self.power for k in q) ** (1 / self.power) + np.float32(1e-6)
        if self.wobble:
            waves = sum(np.sin(3 * k + self.phase + n) for n, k in enumerate(q))
            rho = rho * (1 + self.wobble * waves)
        distance = np.sqrt(sum(o**2 for o in offset))
        # Along the ray from the centre, which is close to the true distance near the surface.
        return window, distance * (1 / rho - 1)


@dataclass(frozen=True)
class Tube:
    """A chain of balls, dense enough to look like one: a vessel, a bone, a loop of bowel."""

    path: Image
    radii: Image

    def depth(self, where: Slice) -> tuple[tuple[slice, slice], Image] | None:
        """Implement `Shape`."""
        offset = self.path[:, where.fixed] - where.position
        near = np.abs(offset) < self.radii + 2 * where.pixel
        if not near.any():
            return None
        path, radii, offset = self.path[near], self.radii[near], offset[near]
        low, high = path.min(axis=0), path.max(axis=0)
        reach = np.float32((high - low).max() / 2 + radii.max() + 2 * where.pixel)
        window = where.window((low + high) / 2, float(reach))
        if window is None:
            return None
        local = where.cropped(window)
        result = np.full(local.shape, -1e3, dtype=np.float32)
        for point, radius, off in zip(path, radii, offset, strict=True):
            _stamp(result, local, point, float(radius), float(off))
        return window, result


def _stamp(result: Image, where: Slice, point: Image, radius: float, off: float) -> None:
    window = where.window(point, radius + 2 * where.pixel)
    if window is None:
        return
    rows = where.rows[window[0]] - point[where.down]
    columns = where.columns[window[1]] - point[where.right]
    inside = radius - np.sqrt(rows[:, None] ** 2 + columns[None, :] ** 2 + off**2)
    np.maximum(result[window], inside, out=result[window])


class Tissue(NamedTuple):
    """What a shape is made of: its signal, and how much grain and how many fibres its texture has (relative)."""

    signal: float
    grain: float = 0.0
    fibre: float = 0.0


@dataclass(frozen=True)
class Part:
    """A shape made of a tissue, in a wall of another; kept within a named region and noted as one.

    ``thickness`` is that of the wall, in mm; it lies inside the shape.
    """

    shape: Shape
    tissue: Tissue
    wall: Tissue | None = None
    thickness: float = 0.25
    within: str | None = None
    region: str | None = None


class Canvas:
    """A slice being painted: signal, texture strength, and named regions that later shapes can be kept within."""

    def __init__(self, where: Slice) -> None:
        self.where = where
        self.layers = np.zeros((3, *where.shape), dtype=np.float32)
        self.regions: dict[str, Image] = {}

    def fill(self, coverage: Image, tissue: Tissue, window: tuple[slice, slice] = (slice(None), slice(None))) -> None:
        """Put a tissue over what is there, as far as ``coverage`` (0..1) says."""
        for layer, value in zip(self.layers, tissue, strict=True):
            layer[window] += coverage * (np.float32(value) - layer[window])

    def paint(self, part: Part) -> None:
        """Put a part's wall and then what is inside, within its region, and note the inside as (part of) a region."""
        found = part.shape.depth(self.where)
        if found is None or (part.within is not None and part.within not in self.regions):
            return
        window, depth = found
        allowed = self.regions[part.within][window] if part.within is not None else np.float32(1)
        if part.wall is not None:
            self.fill(self.soft(depth) * allowed, part.wall, window)
            depth = depth - np.float32(part.thickness)
        coverage = self.soft(depth) * allowed
        self.fill(coverage, part.tissue, window)
        if part.region is not None:
            noted = self.regions.setdefault(part.region, np.zeros(self.where.shape, dtype=np.float32))
            np.maximum(noted[window], coverage, out=noted[window])

    def soft(self, depth: Image) -> Image:
        """Turn depth in mm into the part of a pixel that is covered."""
        soft: Image = np.clip(depth / np.float32(1.3 * self.where.pixel) + np.float32(0.5), 0, 1)
        return soft
