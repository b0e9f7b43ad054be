"""What is measured in a region: mean, standard deviation, contrast-to-noise ratio, normalised standard deviation.

All standard deviations are population ones (ddof = 0). A figure that can't be given, such as the CNR against a
background without noise, is NaN, never a large number.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_micromri.measure.coverage import cover
from napari_micromri.measure.roi import Grid, read_plane, slices_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_micromri.measure.coverage import Rule
    from napari_micromri.measure.roi import Roi
    from napari_micromri.scan import Scan

NAN = float("nan")


@dataclass(frozen=True, kw_only=True)
class RoiStats:
    """Statistics of the pixels of a region, in the scan's own units.

    Parameters
    ----------
    n
        Pixels that count; a sum of parts of pixels by the rule ``area``.
    sd
        Population standard deviation.
    area
        In mm^2, of the pixels that count.
    not_finite
        Pixels of the region that hold no number and were left out.
    """

    n: float
    mean: float
    sd: float
    minimum: float
    maximum: float
    median: float
    area: float
    not_finite: int = 0


NOTHING = RoiStats(n=0, mean=NAN, sd=NAN, minimum=NAN, maximum=NAN, median=NAN, area=0.0)


def measure(
    roi: Roi, scan: Scan, *, rule: Rule = "centre", index: int | None = None, at: Mapping[str, int] | None = None
) -> RoiStats:
    """Measure a region on a scan's own pixels.

    Parameters
    ----------
    rule
        Which pixels count; see `napari_micromri.measure.coverage`.
    index
        One slice; by default all slices of the region, pooled.
    at
        Which time and diffusion weighting; by default the first.

    Raises
    ------
    InputError
        The scan doesn't have the region's plane, or its pixels are complex.
    """
    grid = Grid.of(scan, roi.axes)
    found = cover(roi, grid, rule)
    chosen = slices_of(roi, scan) if index is None else range(index, index + 1)
    planes = [read_plane(scan, roi.axes, k, at)[found.window] for k in chosen]
    if not planes:
        return NOTHING
    weights = np.broadcast_to(found.weights, (len(planes), *found.weights.shape))
    return statistics(np.stack(planes), weights, grid.pixel_area)


def statistics(values: NDArray[np.float64], weights: NDArray[np.float64], pixel_area: float = 1.0) -> RoiStats:
    """Compute the weighted statistics of an array; pixels of weight 0 and what is not finite are left out."""
    chosen = weights > 0
    values, weights = values[chosen], weights[chosen]
    finite = np.isfinite(values)
    lost = int(values.size - np.count_nonzero(finite))
    if lost:
        values, weights = values[finite], weights[finite]
    n = float(weights.sum())
    if n == 0:
        return RoiStats(**(vars(NOTHING) | {"not_finite": lost}))
    mean = float(values @ weights / n)
    return RoiStats(
        n=n,
        mean=mean,
        sd=math.sqrt(float((values - mean) ** 2 @ weights / n)),
        minimum=float(values.min()),
        maximum=float(values.max()),
        median=_median(values, weights),
        area=n * pixel_area,
        not_finite=lost,
    )


def cnr(roi: RoiStats, background: RoiStats) -> float:
    """Signed contrast-to-noise ratio, ``(mean_roi - mean_b) / sd_b`` (report eq. 13); NaN without noise."""
    return contrast(roi, background) / background.sd if background.sd > 0 else NAN


def contrast(roi: RoiStats, background: RoiStats) -> float:
    """Difference of the means, ``mean_roi - mean_b``, in the scan's units."""
    return roi.mean - background.mean


def normalised_sd(background: RoiStats) -> float:
    """Relate the standard deviation to the mean, ``sd_b / mean_b`` (report eq. 14); NaN unless the mean is positive."""
    return background.sd / background.mean if background.mean > 0 else NAN


def _median(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    if (weights == weights[0]).all():
        middle = (values.size - 1) // 2, values.size // 2
        low, high = np.partition(values, middle)[list(middle)]
        return float((low + high) / 2)
    order = np.argsort(values)
    upto = np.cumsum(weights[order])
    half = upto[-1] / 2
    below, above = (np.searchsorted(upto, half, side) for side in ("left", "right"))
    return float((values[order[below]] + values[order[min(above, len(order) - 1)]]) / 2)
