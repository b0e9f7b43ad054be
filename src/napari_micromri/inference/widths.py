"""How large the errors of results are: by the model's table, and by a test of the table on the scan itself.

The table knows how large errors were on other scans. Whether they are as small on this one shows one resolution lower:
a fast slice is made coarser once more, restored, and compared with itself. Where too many of these errors lie outside
the table's widths, although the noise of the fast slice is allowed for, all widths of the slice are stretched until
enough lie within.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from napari_micromri.measure.image_quality import foreground
from napari_micromri.nn.error_table import FLOOR, noise_and_scale
from napari_micromri.simulation.acquisition import truncate_k_space

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_micromri.nn.checkpoint import ModelSpec
    from napari_micromri.nn.error_table import ErrorTable

    Images = NDArray[np.float32]

ENOUGH = 300
"""Pixels of the foreground that a slice needs to be tested on; with fewer the table stands as it is."""


def error_widths(
    errors: ErrorTable, spec: ModelSpec, restore: Callable[[Images], Images], slices: Images, results: Images
) -> Images:
    """Give the widths within which the stated part of the errors lies, (N, H, W), in the scanner's units.

    Parameters
    ----------
    errors, spec
        Of the model.
    restore
        Turns slices (N, h, w) of any size into (N, f h, f w).
    slices, results
        Fast slices (N, h, w) and what was made of them, (N, H, W).
    """
    measured = [noise_and_scale(fast, spec.normalisation) for fast in slices]
    stretch = [1.0] * len(slices)
    rows, columns = (count // spec.factor for count in slices.shape[1:])
    if spec.factor > 1 and rows * columns * spec.factor**2 >= ENOUGH:
        known = slices[:, : rows * spec.factor, : columns * spec.factor]
        coarse = np.abs(truncate_k_space(known, (rows, columns))).astype(np.float32)
        all_images = zip(known, coarse, restore(coarse), measured, strict=True)
        stretch = [_stretch(errors, spec, fine, low, found, sigma) for fine, low, found, (sigma, _) in all_images]
    each = zip(results, measured, stretch, strict=True)
    return np.stack([errors.width(result, *here) * np.float32(by) for result, here, by in each])


def _stretch(errors: ErrorTable, spec: ModelSpec, known: Images, coarse: Images, found: Images, sigma: float) -> float:
    """Say how many times too narrow the widths are on a slice (h, w) that is known, with noise sigma; at least 1."""
    inside = foreground(known)
    if inside.sum() < ENOUGH or np.ptp(coarse) <= FLOOR * coarse.max():  # a constant slice has no scale
        return 1.0
    width = errors.width(found, *noise_and_scale(coarse, spec.normalisation))
    noise = ndtri((1 + errors.coverage) / 2) * sigma
    ratio = np.abs(found - known)[inside] / np.hypot(width, noise)[inside]
    return max(1.0, float(np.quantile(ratio, errors.coverage)))
