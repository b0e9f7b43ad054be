"""Which pixels of a grid a region covers, and how much of each.

By the rule ``centre`` a pixel belongs to a region or doesn't: it does when its centre lies inside. A centre on the edge
belongs to the side of the larger coordinate, so that two rectangles side by side share no pixel. By the rule ``area``
each pixel counts by the part of it that is covered, computed exactly for polygons that don't cross themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np

from napari_micromri.measure.roi import PRECISION, ellipse_axes, outline

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_micromri.measure.roi import Grid, Roi

Rule: TypeAlias = Literal["centre", "area"]
RULES: tuple[Rule, ...] = get_args(Rule)


@dataclass(frozen=True, eq=False)
class Coverage:
    """The covered part of a grid, cut to the smallest window.

    Parameters
    ----------
    top, left
        First row and column of the window.
    weights
        (rows, columns), 0 to 1.
    outside
        A part of the region lies outside the grid.
    """

    top: int
    left: int
    weights: NDArray[np.float64]
    outside: bool

    @property
    def window(self) -> tuple[slice, slice]:
        """The window as an index."""
        rows, columns = self.weights.shape
        return slice(self.top, self.top + rows), slice(self.left, self.left + columns)


def cover(roi: Roi, grid: Grid, rule: Rule = "centre") -> Coverage:
    """Find the pixels of a grid that a region covers."""
    points = grid.pixels(outline(roi))
    low, high = points.min(axis=0), points.max(axis=0)
    # Pixels reach half a pixel around their centres.
    first = np.maximum(np.floor(low + 0.5), 0).astype(int)
    last = np.minimum(np.ceil(high + 0.5), grid.shape).astype(int)
    outside = bool((low < -0.5).any() or (high > np.array(grid.shape) - 0.5).any())
    rows, columns = (max(int(n), 0) for n in last - first)
    if not rows or not columns:
        return Coverage(0, 0, np.zeros((0, 0)), outside)
    if rule == "area":
        weights = covered_areas(points + 0.5 - first, (rows, columns))
    else:
        y, x = np.arange(first[0], last[0])[:, None], np.arange(first[1], last[1])[None, :]
        weights = (_in_ellipse(roi, grid, y, x) if roi.shape == "ellipse" else _in_polygon(points, y, x)).astype(float)
    return Coverage(int(first[0]), int(first[1]), weights, outside)


def full_mask(roi: Roi, grid: Grid, rule: Rule = "centre") -> NDArray[np.float64]:
    """Give the coverage on the whole grid: (rows, columns), 0 to 1."""
    mask = np.zeros(grid.shape)
    found = cover(roi, grid, rule)
    mask[found.window] = found.weights
    return mask


def covered_areas(points: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.float64]:
    """Compute the part of each pixel that a polygon covers; pixel (i, j) reaches from (i, j) to (i + 1, j + 1).

    Each edge is cut where it crosses a line of the grid. A piece adds, to its pixel, the area between itself and the
    pixel's far side, and to all pixels of its row beyond, its height; both are signed, so that what an edge adds too
    much the opposite edge takes away (Green's theorem).
    """
    rows, columns = shape
    inside, beyond = np.zeros((rows, columns + 2)), np.zeros((rows, columns + 2))
    for start, end in zip(points, np.roll(points, -1, axis=0), strict=True):
        if start[0] == end[0]:
            continue
        pieces = start + _cuts(start, end, shape)[:, None] * (end - start)
        height, middle = np.diff(pieces[:, 0]), (pieces[1:] + pieces[:-1]) / 2
        row = np.floor(middle[:, 0]).astype(int)
        kept = (row >= 0) & (row < rows)
        x = np.clip(middle[kept, 1], 0, columns)
        column = np.floor(x).astype(int)
        np.add.at(inside, (row[kept], column), height[kept] * (1 - (x - column)))
        np.add.at(beyond, (row[kept], column + 1), height[kept])
    signed = inside + np.cumsum(beyond, axis=1)
    return np.clip(np.abs(np.round(signed[:, :columns], PRECISION * 2)), 0, 1)


def _cuts(start: NDArray[np.float64], end: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.float64]:
    """Say at which parts of an edge, from 0 to 1, it crosses lines of the grid."""
    cuts = [np.array([0.0, 1.0])]
    for a, b, count in zip(start, end, shape, strict=True):
        if a != b:
            lines = np.arange(max(np.ceil(min(a, b)), 0), min(np.floor(max(a, b)), count) + 1)
            cuts.append((lines - a) / (b - a))
    return np.unique(np.clip(np.concatenate(cuts), 0, 1))


def crosses_itself(roi: Roi) -> bool:
    """Tell whether two edges of a polygon cross, which leaves open what is inside."""
    if roi.shape != "polygon" or len(roi.vertices) < 4:
        return False
    start = np.asarray(roi.vertices, dtype=np.float64)
    end = np.roll(start, -1, axis=0)
    side_of_start = _turn(start[:, None], end[:, None], start[None])
    side_of_end = _turn(start[:, None], end[:, None], end[None])
    apart = (side_of_start * side_of_end) < 0
    return bool((apart & apart.T).any())


def _turn(a: NDArray[np.float64], b: NDArray[np.float64], c: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(
        (b[..., 0] - a[..., 0]) * (c[..., 1] - a[..., 1]) - (b[..., 1] - a[..., 1]) * (c[..., 0] - a[..., 0])
    )


def _in_polygon(points: NDArray[np.float64], y: NDArray[np.int_], x: NDArray[np.int_]) -> NDArray[np.bool_]:
    """Count how often the polygon winds around each centre."""
    turns = np.zeros((y.shape[0], x.shape[1]), dtype=int)
    for start, end in zip(points, np.roll(points, -1, axis=0), strict=True):
        if start[0] == end[0]:
            continue
        crossed = (start[0] <= y) != (end[0] <= y)
        where = np.round(start[1] + (y - start[0]) * (end[1] - start[1]) / (end[0] - start[0]), PRECISION)
        turns += np.where(crossed & (x < where), int(np.sign(end[0] - start[0])), 0)
    return np.asarray(turns != 0)


def _in_ellipse(roi: Roi, grid: Grid, y: NDArray[np.int_], x: NDArray[np.int_]) -> NDArray[np.bool_]:
    centre, across, along = ellipse_axes(grid.pixels(np.asarray(roi.vertices, dtype=np.float64)))
    area = across[0] * along[1] - across[1] * along[0]
    if area == 0:
        return np.zeros((y.shape[0], x.shape[1]), dtype=bool)
    dy, dx = y - centre[0], x - centre[1]
    a = (dy * along[1] - dx * along[0]) / area
    b = (dx * across[0] - dy * across[1]) / area
    return np.asarray(a**2 + b**2 <= 1)
