"""Crops that cover the same extent of both scans of a pair: snapped, in mm, on the LR grid, and suggested.

A crop is counted in HR pixels, but a line between two HR pixels lies between two LR pixels only on the grid of
`Pair.cells`. Crops therefore grow outwards to the lines of that grid, and the same box stands on both scans exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri.errors import InputError, StudyError
from napari_micromri.study.model import Crop

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_micromri.study.model import Pair

MARGIN = 1.0
"""Millimetres that a suggestion leaves around the animal."""

ON_THE_LINE = 1e-3
"""Part of a cell by which an edge may pass a line without asking for one more cell: millimetres aren't exact."""


@dataclass(frozen=True)
class Box:
    """A rectangle in mm, in the coordinates of a pair's scans: ``top`` to ``bottom`` along y, ``left`` to ``right``."""

    top: float
    bottom: float
    left: float
    right: float

    def __post_init__(self) -> None:
        edges = (self.top, self.bottom, self.left, self.right)
        if not (all(map(math.isfinite, edges)) and self.top < self.bottom and self.left < self.right):
            raise StudyError(f"A crop needs a height and a width, not {self}.")


def whole(pair: Pair) -> Crop:
    """All of the image."""
    return Crop(0, pair.hr.shape[1], 0, pair.hr.shape[2])


def snap(pair: Pair, box: Crop | Box) -> Crop:
    """Grow a box to the nearest lines that are pixel edges of both scans, within the image.

    Raises
    ------
    StudyError
        The box lies beside the image; or it is smaller than the image while the two grids have no common line inside,
        so that nothing but the whole image is possible.
    """
    edges = _pixels(pair, box) if isinstance(box, Box) else (box.top, box.bottom, box.left, box.right)
    rows = _snap_axis(edges[:2], pair.hr.shape[1], pair.cells[0])
    columns = _snap_axis(edges[2:], pair.hr.shape[2], pair.cells[1])
    if rows is None or columns is None:
        raise StudyError(f"This crop is outside the image of {pair.key}. Draw it over the image.")
    crop = Crop(*rows, *columns)
    if pair.cells == (1, 1) and not _reaches_the_edges(edges, pair):
        raise StudyError(
            f"{pair.key} can't be cropped: {_size(pair.lr.shape)} and {_size(pair.hr.shape)} pixels have no common "
            f"edge inside the image, so LR and HR would not show the same part. Only the whole image is possible."
        )
    return crop


def lr_box(pair: Pair, crop: Crop) -> Crop:
    """Give the same extent as pixels of the LR grid.

    Raises
    ------
    StudyError
        The crop passes the image or isn't on the common grid; `snap` it first.
    """
    _check_fits(pair, crop)
    rows = _to_lr((crop.top, crop.bottom), pair, 1)
    columns = _to_lr((crop.left, crop.right), pair, 2)
    return Crop(*rows, *columns)


def crop_in_mm(pair: Pair, crop: Crop) -> Box:
    """Outer edges of a crop in mm, in the coordinates of the HR scan's own axes.

    `snap` brings them onto another pair, wherever its pixels lie.
    """
    (y, dy), (x, dx) = _axis(pair, "y"), _axis(pair, "x")
    return Box(y + crop.top * dy, y + crop.bottom * dy, x + crop.left * dx, x + crop.right * dx)


def suggest_crop(pair: Pair, hr: Any, *, margin: float = MARGIN) -> Crop:
    """Find the animal in the slices that are kept, with a margin around it.

    Faint things (ghosts, noise) and small bright ones don't count; see `animal`. Where nothing is found, or where the
    two grids allow no crop, the suggestion is the whole image.

    Parameters
    ----------
    hr
        Pixels of the HR scan, (slices, rows, columns), an array or lazy; only kept slices are read.
    margin
        In mm, on every side.

    Raises
    ------
    InputError
        The margin is negative or not a number, or the array is not that of the pair.
    """
    if not (math.isfinite(margin) and margin >= 0):
        raise InputError(f"The margin around the animal is 0 mm or more, not {margin}.")
    if tuple(hr.shape) != pair.hr.shape:
        raise InputError(f"The good scan of {pair.key} has the shape {pair.hr.shape}, not {tuple(hr.shape)}.")
    if pair.cells == (1, 1):
        return whole(pair)
    kept = pair.kept or tuple(range(pair.slice_count))
    found = animal(np.stack([np.asarray(hr[k], dtype=np.float32) for k in kept]))
    if not found.any():
        return whole(pair)
    rows, columns = (np.flatnonzero(found.any(axis=axis)) for axis in (1, 0))
    tight = crop_in_mm(pair, Crop(int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1))
    return snap(pair, Box(tight.top - margin, tight.bottom + margin, tight.left - margin, tight.right + margin))


def animal(volume: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Find where in the plane the animal is in any of the slices; see `animal_masks`.

    Returns
    -------
    (rows, columns), all False when there is nothing but noise.
    """
    anywhere: NDArray[np.bool_] = np.logical_or.reduce(animal_masks(volume), axis=0)
    return _large_patches(anywhere)


def animal_masks(volume: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Find the animal in each slice.

    After smoothing, a pixel counts when it has a fifth of the typical foreground signal (Otsu, on values up to the
    99.5th percentile, so that a few bright spots don't set the scale) and clearly more than noise. Patches that are
    small beside the largest one of their slice are dropped.

    Parameters
    ----------
    volume
        (slices, rows, columns); NaN and infinite values count as zero.

    Returns
    -------
    Of the volume's shape, all False when there is nothing but noise.
    """
    from scipy.ndimage import gaussian_filter

    clean = np.nan_to_num(volume, nan=0.0, posinf=0.0, neginf=0.0)
    smooth = np.stack([gaussian_filter(image, SMOOTHING) for image in clean])
    threshold = _threshold(clean, smooth)
    if threshold is None:
        return np.zeros(volume.shape, dtype=bool)
    return np.stack([_large_patches(image > threshold) for image in smooth])


SMOOTHING = 2.0
FAINT = 0.2
"""Part of the typical signal below which a pixel isn't the animal; a ghost that is stronger is rare."""

NOISE_LIMIT = 1.6
"""Times the mean of Rayleigh noise: 0.6 / 0.074 = 8 standard deviations of it after the smoothing."""

NOISE_SLICES = 5

SMALL = 0.02
"""Part of the largest patch below which another one isn't the animal."""


def _threshold(volume: NDArray[np.float32], smooth: NDArray[np.float32]) -> float | None:
    from skimage.filters import threshold_otsu

    values = np.minimum(smooth, np.quantile(smooth, 0.995))
    if values.min() == values.max():
        return None
    bright = values > threshold_otsu(values)
    level, noise = float(values[bright].mean()), _noise_level(volume)
    if level < NOISE_LIMIT * noise:
        return None
    return max(float(np.hypot(FAINT * level, noise)), NOISE_LIMIT * noise)  # noise adds to faint signal in squares


def _noise_level(volume: NDArray[np.float32]) -> float:
    """Mean of the magnitude where there is nothing but noise, from a few slices."""
    from napari_micromri.measure.noise import RAYLEIGH_MEAN, estimate_noise

    chosen = np.unique(np.linspace(0, len(volume) - 1, NOISE_SLICES).round().astype(int))
    return RAYLEIGH_MEAN * estimate_noise(volume[chosen]).sigma


def _large_patches(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    from scipy.ndimage import label

    labels, count = label(mask)
    if count == 0:
        return mask
    areas = np.bincount(labels.ravel())
    areas[0] = 0
    kept: NDArray[np.bool_] = (areas >= max(SMALL * areas.max(), 1))[labels]
    return kept


def _snap_axis(edges: tuple[float, float], count: int, cells: int) -> tuple[int, int] | None:
    """Rows or columns from the first to behind the last touched cell; None when none is touched."""
    size = count // cells
    first = max(math.floor(edges[0] / size + ON_THE_LINE), 0)
    last = min(math.ceil(edges[1] / size - ON_THE_LINE), cells)
    return (first * size, last * size) if first < last else None


def _pixels(pair: Pair, box: Box) -> tuple[float, float, float, float]:
    (y, dy), (x, dx) = _axis(pair, "y"), _axis(pair, "x")
    return (box.top - y) / dy, (box.bottom - y) / dy, (box.left - x) / dx, (box.right - x) / dx


def _axis(pair: Pair, axis: str) -> tuple[float, float]:
    """Outer edge of the HR image's first pixel, and the size of a pixel, in mm."""
    info = pair.hr.info
    size = info.size_of(axis)
    return info.origin[info.spatial.index(axis)] - size / 2, size


def _to_lr(edges: tuple[int, int], pair: Pair, axis: int) -> tuple[int, int]:
    coarse, fine = pair.lr.shape[axis], pair.hr.shape[axis]
    return edges[0] * coarse // fine, edges[1] * coarse // fine


def _check_fits(pair: Pair, crop: Crop) -> None:
    rows, columns = pair.hr.shape[1:]
    if crop.bottom > rows or crop.right > columns:
        raise StudyError(f"The crop of {pair.key} passes its image of {_size(pair.hr.shape)} pixels: {crop}.")
    steps = (rows // pair.cells[0], columns // pair.cells[1])
    if any(edge % steps[0] for edge in (crop.top, crop.bottom)) or any(e % steps[1] for e in (crop.left, crop.right)):
        raise StudyError(f"The crop of {pair.key} isn't on the common grid of its scans: {crop}. Draw it again.")


def _reaches_the_edges(edges: tuple[float, ...], pair: Pair) -> bool:
    _, rows, columns = pair.hr.shape
    tolerance = 0.5
    near = (edges[0] < tolerance, edges[1] > rows - tolerance, edges[2] < tolerance, edges[3] > columns - tolerance)
    return all(near)


def _size(shape: tuple[int, int, int]) -> str:
    return f"{shape[1]} x {shape[2]}"
