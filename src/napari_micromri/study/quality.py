"""What is measured about each slice of a pair, and how well its LR and HR belong together.

`measure_slices` looks at the pixels once, when a pair is built; `rank` judges a whole study from these figures alone.

The figures of a slice
----------------------
With ``lr_`` and ``hr_`` in front, of each scan by itself:

- ``snr``, ``noise``: of `noise_of_slice`, the second in units of the image and the one to compare slices by
- ``signal``: smoothed bright level, in units of the image; ``foreground``: part of the image that is the animal
- ``ghost``: structured signal in the background, in units of the noise
- ``lines``: contrast of the oddest row or column; ``spike``: oddest sample of k-space
- ``continuity``: correlation with the most similar neighbour
- ``match``, ``match_gain``: index of the slice of the *other* scan, not at the same place, that fits best, and by how
  much (above 0: better than the one at the same place)

Of both: ``correlation`` and ``residual`` (over the noise) over the animal on the coarser grid, ``offset_y`` and
``offset_x`` of LR against HR in HR pixels, and ``offset_gain``, how much better they fit after it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri.errors import InputError
from napari_micromri.measure.noise import noise_of_each
from napari_micromri.study import slice_faults, slice_match
from napari_micromri.study.cropping import animal_masks
from napari_micromri.study.suspicion import Suspicion, rank
from napari_micromri.threads import map_in_threads

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_micromri.measure.noise import SliceNoise

    Volume = NDArray[np.float32]
    Mask = NDArray[np.bool_]
    Columns = dict[str, NDArray[np.float64]]

__all__ = ["Suspicion", "measure_slices", "rank"]

LARGEST = 1e6
"""What stands for an infinite SNR: figures are stored as JSON."""


def measure_slices(
    lr: Any, hr: Any, noise: tuple[Sequence[SliceNoise], Sequence[SliceNoise]] | None = None
) -> tuple[dict[str, float], ...]:
    """Measure every slice of a pair; all figures are finite. See the module's text for their names.

    Parameters
    ----------
    lr, hr
        (z, h, w) and (z, H, W), magnitudes; NaN and infinite values count as zero.
    noise
        Of LR and HR, where it was measured before.

    Raises
    ------
    InputError
        The arrays aren't volumes, are complex, or differ in the number of slices.
    """
    given = lr, hr
    (lr, lr_unit), (hr, hr_unit) = _volume(lr, "LR"), _volume(hr, "HR")
    if len(lr) != len(hr):
        raise InputError(f"LR and HR of a pair have the same slices, not {len(lr)} and {len(hr)}.")
    noise = noise or (noise_of_each(given[0]), noise_of_each(given[1]))
    coarse, fine = slice_match.common_grid(lr, hr)
    masks = animal_masks(coarse), animal_masks(fine)
    background = slice_faults.backgrounds(*masks)
    columns: Columns = {}
    for name, volume, unit, mask, of_slice in (
        ("lr", lr, lr_unit, masks[0], noise[0]),
        ("hr", hr, hr_unit, masks[1], noise[1]),
    ):
        found = _one_scan(volume, unit, mask, background, of_slice)
        columns |= {f"{name}_{key}": values for key, values in found.items()}
    columns |= _both(coarse, fine, ~background, hr.shape[1:], float(np.median(columns["lr_noise"])) or 1.0)
    for name, values in columns.items():
        bounded = np.clip(np.nan_to_num(values, posinf=LARGEST, neginf=-LARGEST), -LARGEST, LARGEST)
        unit = {"lr": lr_unit, "hr": hr_unit}[name[:2]] if name.endswith(("_noise", "_signal")) else 1.0
        columns[name] = bounded * unit
    rows = np.stack(list(columns.values()), axis=1).tolist()
    return tuple(dict(zip(columns, row, strict=True)) for row in rows)


def _one_scan(volume: Volume, unit: float, mask: Mask, background: Mask, noise: Sequence[SliceNoise]) -> Columns:
    def measure(image: Volume, found: Mask, dark: Mask, noise: SliceNoise) -> dict[str, float]:
        estimate, detail = noise
        return {
            "snr": estimate.snr,
            "noise": detail / unit,
            "signal": slice_faults.bright_level(image),
            "foreground": float(found.mean()),
            "ghost": slice_faults.ghost_over_noise(image, dark),
            "lines": slice_faults.line_contrast(image),
            "spike": slice_faults.spike_over_ring(image),
        }

    return _columns(map_in_threads(measure, volume, mask, slice_faults.to_grid(background, volume.shape[1:]), noise))


def _columns(rows: Sequence[dict[str, float]]) -> Columns:
    return {key: np.array([row[key] for row in rows]) for key in rows[0]}


def _both(lr: Volume, hr: Volume, animal: Mask, hr_shape: tuple[int, ...], noise: float) -> Columns:
    """Compare the slices at the same place, on one grid."""
    pixel = np.array(hr_shape) / np.array(lr.shape[1:])

    def compare(a: Volume, b: Volume, mask: Mask) -> dict[str, float]:
        inside = mask if mask.sum() >= 16 else np.ones_like(mask)
        by = slice_match.offset(b, a)
        y, x = np.multiply(by, pixel)
        return {
            "correlation": slice_match.correlation(a[inside], b[inside]),
            "residual": slice_match.residual(a[inside], b[inside]) / noise,
            "offset_y": y,
            "offset_x": x,
            "offset_gain": _gain_of_shift(a, b, by, inside),
        }

    return _columns(map_in_threads(compare, lr, hr, animal)) | _partners(lr, hr)


def _gain_of_shift(a: Volume, b: Volume, by: tuple[float, float], inside: Mask) -> float:
    from napari_micromri.simulation.faults import shift

    moved = shift(a, by)  # in Fourier space: interpolation would smooth the noise, and gain by that
    before, after = (1 - slice_match.correlation(image[inside], b[inside]) for image in (a, moved))
    return float(np.log(max(before, slice_match.LEAST) / max(after, slice_match.LEAST)))


def _partners(lr: Volume, hr: Volume) -> Columns:
    """Compare all slices with all others."""
    features = slice_match.features(lr), slice_match.features(hr)
    columns: Columns = {}
    for name, own, other in (("lr", *features), ("hr", *features[::-1])):
        match = slice_match.best_partners(own, other)
        columns[f"{name}_continuity"] = slice_faults.continuity(own)
        columns[f"{name}_match"], columns[f"{name}_match_gain"] = match.index.astype(float), match.gain
    return columns


def _volume(values: Any, what: str) -> tuple[Volume, float]:
    """Give the volume with a largest value of 1, and what 1 stands for."""
    array = np.asarray(values)
    if array.ndim != 3 or array.size == 0 or np.iscomplexobj(array):
        raise InputError(
            f"The quality of slices is measured on magnitudes (slices, rows, columns), but {what} is an array of "
            f"{array.dtype} and shape {array.shape}."
        )
    unit = float(np.abs(array).max(initial=0, where=np.isfinite(array))) or 1.0
    volume = np.empty(array.shape, np.float32)
    for image, scaled in zip(array, volume, strict=True):  # one at a time, since they are in float64
        scaled[:] = np.nan_to_num(image.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0) / unit
    return volume, unit
