"""Compare one slice with its reference by every method; no files, no models.

The images are those of the whole slice. They are cropped here, after denoising, for two reasons: at the crop's border
the network (and the sinc, which wraps around) then sees the tissue beyond it, and the figures are those of the image
that `micromri denoise` gives.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_micromri.errors import InputError
from napari_micromri.measure.evaluation.rows import MULTIPLES, NEAREST, SINC, SliceRow
from napari_micromri.measure.image_quality import foreground, fourier_ring_correlation, power_ratio_curve
from napari_micromri.measure.metrics import assess
from napari_micromri.simulation.resampling import upsample

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_micromri.study.model import Crop, Pair

    Picture = NDArray[np.float32]

FREQUENCIES = tuple(float(f) for f in (np.arange(32) + 0.5) / 64)
"""Cycles per HR pixel that curves are given at, whatever the size of a crop."""


def measure_slice(
    pair: Pair,
    index: int,
    lr: Picture,
    hr: Picture,
    denoised: Mapping[str, Picture],
    widths: Mapping[str, Picture] | None = None,
) -> list[SliceRow]:
    """Measure the baselines and the denoised images of one slice.

    Parameters
    ----------
    lr, hr
        (h, w) and (H, W): the whole slice, LR aligned with HR.
    denoised
        Label of the model -> (H, W).
    widths
        Label of a model that says how large its errors are -> (H, W).

    Raises
    ------
    InputError
        A value is not a number, or the crop is too small for the SSIM.
    """
    if not (np.isfinite(lr).all() and np.isfinite(hr).all()):
        which = "HR" if np.isfinite(lr).all() else "LR"
        raise InputError(f"Its {which} holds values that are not numbers.")
    unit = lr_unit(pair, lr)
    reference = cropped(hr, pair.marks.crop) / unit
    rows = [
        _row(pair, index, name, unit, cropped(image, pair.marks.crop) / unit, reference)
        for name, image in (on_fine_grid(lr, hr.shape) | dict(denoised)).items()
    ]
    stated = {name: cropped(width, pair.marks.crop) / unit for name, width in (widths or {}).items()}
    errors = {name: np.abs(cropped(denoised[name], pair.marks.crop) / unit - reference) for name in stated}
    return [
        replace(row, within=_within(errors[row.method], stated[row.method], foreground(reference)))
        if row.method in stated
        else row
        for row in rows
    ]


def on_fine_grid(lr: Picture, shape: tuple[int, ...]) -> dict[str, Picture]:
    """Bring the fast slice to the fine grid by each of the baselines."""
    fine = (shape[-2], shape[-1])
    return {NEAREST: upsample(lr, fine, "nearest"), SINC: upsample(lr, fine, "sinc")}


def lr_unit(pair: Pair, lr: Picture) -> float:
    """Mean of the absolute values of the cropped LR slice, the unit of the MSE; 1 when the slice is empty."""
    from napari_micromri.study.cropping import lr_box

    crop = pair.marks.crop
    unit = float(np.abs(cropped(lr, lr_box(pair, crop) if crop else None)).mean(dtype=np.float64))
    return unit if unit > 0 else 1.0


def cropped(image: Picture, crop: Crop | None) -> Picture:
    """Cut an image to a box; None leaves it whole."""
    return image if crop is None else image[crop.top : crop.bottom, crop.left : crop.right]


def _row(pair: Pair, index: int, method: str, unit: float, image: Picture, reference: Picture) -> SliceRow:
    quality = assess(image, reference)
    row = SliceRow(
        key=pair.key,
        subject=pair.subject,
        region=pair.region,
        plane=pair.plane,
        session=pair.session,
        index=index,
        method=method,
        lr_mean=unit,
        **vars(quality),
    )
    curves = (power_ratio_curve(image, reference), fourier_ring_correlation(image, reference))
    power, ring = (_resampled(frequencies, values) for frequencies, values in curves)
    return replace(row, power_curve=power, ring_curve=ring)


def _within(error: Picture, width: Picture, inside: NDArray[np.bool_]) -> tuple[float, ...]:
    return tuple(float((error <= times * width)[inside].mean()) for times in MULTIPLES)


def _resampled(frequencies: NDArray[np.float64], values: NDArray[np.float64]) -> tuple[float, ...]:
    known = np.isfinite(values)
    if not known.any():
        return (math.nan,) * len(FREQUENCIES)
    return tuple(float(v) for v in np.interp(FREQUENCIES, frequencies[known], values[known]))
