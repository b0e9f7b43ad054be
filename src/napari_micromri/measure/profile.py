"""Values along a line through a scan, and how sharp the edge on it is.

A line is kept in mm, as regions are, so that it means the same tissue on a coarse and on a fine scan.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_micromri.errors import InputError
from napari_micromri.measure.roi import Grid, read_plane, slice_at

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_micromri.measure.roi import Point
    from napari_micromri.scan import Scan

PER_PIXEL = 4
"""Samples along each pixel of the line."""

NORMAL_10_90 = 2.5631031310892007
"""Width between 10 % and 90 % of a step that is blurred by a normal distribution, in standard deviations."""

CLEAR_EDGE = 3.0
"""An edge must be higher than the scatter around its curve by this factor, or its width means nothing."""


@dataclass(frozen=True, eq=False)
class Profile:
    """Values of one image along a line.

    Parameters
    ----------
    distance
        From the start of the line, in mm.
    values
        In the units of the scan; NaN where the line leaves it.
    edge_width
        10-90 % width in mm of the edge on the line; NaN where there is none that is clear.
    """

    image: str
    distance: NDArray[np.float64]
    values: NDArray[np.float64]
    edge_width: float


def line_profile(
    scan: Scan, start: Point, end: Point, position: float, *, axes: str = "yx", at: Mapping[str, int] | None = None
) -> Profile:
    """Sample one slice along a line, linearly between the centres of its own pixels.

    Parameters
    ----------
    start, end
        In mm, along ``axes``.
    position
        Of the slice, in mm along the third axis.
    at
        Which time and diffusion weighting; by default the first.

    Raises
    ------
    InputError
        The line has no length, or the scan has no such plane or slice.
    """
    from scipy.ndimage import map_coordinates

    grid = Grid.of(scan, axes)
    index = slice_at(scan, {"yx": "z", "zx": "y", "zy": "x"}[axes], position)
    if index is None:
        raise InputError(f"'{scan.info.name}' has no slice at {position:.4g} mm.")
    ends = np.array((start, end), dtype=np.float64)
    length = float(np.linalg.norm(ends[1] - ends[0]))
    if not length > 0:
        raise InputError("The line has no length. Drag it over an edge.")
    count = max(2, math.ceil(PER_PIXEL * length / min(grid.size)) + 1)
    distance = np.linspace(0.0, length, count)
    points = grid.pixels(ends[0] + np.outer(distance / length, ends[1] - ends[0]))
    values = map_coordinates(read_plane(scan, axes, index, at), points.T, order=1, mode="nearest")
    outside = ((points < -0.5) | (points > np.array(grid.shape) - 0.5)).any(axis=1)
    values[outside] = np.nan
    return Profile(scan.info.name, distance, values, edge_width(distance, values))


def edge_width(distance: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    """Give the distance over which an edge goes from 10 to 90 %, by the blurred step that fits best.

    A step blurred by a normal distribution is fitted to all values, since single crossings of 10 and 90 % are a matter
    of noise. Nothing is found (NaN) where the step isn't clearly higher than what it leaves unexplained, is narrower
    than two samples, or doesn't reach its ends on the line.
    """
    from scipy.optimize import curve_fit
    from scipy.special import ndtr

    there = np.isfinite(values)
    x, y = distance[there], values[there]
    if len(x) < 5 or not np.ptp(y) > 0:
        return math.nan

    def step(x: NDArray[np.float64], low: float, height: float, place: float, blur: float) -> NDArray[np.float64]:
        return np.asarray(low + height * ndtr((x - place) / blur))

    rise = np.argmax(np.abs(np.gradient(y, x)))
    begin = (y[0], y[-1] - y[0] or np.ptp(y), x[rise], np.ptp(x) / 10)
    limits = ([-np.inf, -np.inf, x[0], np.diff(x).max() / 2], [np.inf, np.inf, x[-1], np.ptp(x)])
    try:
        (low, height, place, blur), _ = curve_fit(step, x, y, begin, bounds=limits)
    except (RuntimeError, ValueError):
        return math.nan
    left = float(np.std(y - step(x, low, height, place, blur)))
    width = NORMAL_10_90 * float(blur)
    clear = abs(height) > CLEAR_EDGE * left and x[0] <= place - width / 2 and place + width / 2 <= x[-1]
    return width if clear else math.nan
