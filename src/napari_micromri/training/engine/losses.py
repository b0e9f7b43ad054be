"""What is minimised and what is measured, per slice and without what batches are padded with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from napari_micromri.training.engine.batches import inside

if TYPE_CHECKING:
    from napari_micromri.training.config import TrainConfig
    from napari_micromri.training.engine.batches import Batch

LEAST_INPUT_ERROR = 3e-4
"""In normalised units, where the mean of a slice is 1: about what truncating k-space alone leaves at SNR 100."""

LOCAL = 16
"""Pixels along a square whose mean brightness ``structural`` compares."""

SSIM_MARGIN, SSIM_SIGMA = 5, 1.5
"""Half of the window, nearer to an edge it would see what is not there, and the width of its weights, in pixels."""

SSIM_C1, SSIM_C2 = 0.01**2, 0.03**2
"""What keeps the quotients of eq. 8 from 0 / 0, for images with a range of 1."""


def slice_losses(prediction: Tensor, batch: Batch, config: TrainConfig) -> Tensor:
    """Loss (N,) of each slice: MSE, MAE, ``alpha MSE + (1 - alpha)(1 - SSIM)`` (report eq. 7), or one of our own.

    ``relative`` counts each slice in units of what its input gets wrong. Plain MSE is ruled by the noisiest slices, and
    PSNR at a high SNR then pays for it. ``structural`` adds ``1 - SSIM``, and once more the error of the mean of
    16 x 16 pixels, which is where a loss of brightness shows.
    """
    match config.loss:
        case "mse":
            return mse(prediction, batch)
        case "mae":
            return mae(prediction, batch)
        case "hybrid":
            structure = torch.nan_to_num(1 - ssim(prediction, batch))  # a slice without structure has none to lose
            return config.alpha * mse(prediction, batch) + (1 - config.alpha) * structure
        case "relative":
            return mse(prediction, batch) / _input_error(batch)
        case "structural":
            structure = torch.nan_to_num(1 - ssim(prediction, batch))
            error = mse(prediction, batch) + 10 * _local_error(prediction, batch)
            return error / _input_error(batch) + structure


def batch_loss(prediction: Tensor, batch: Batch, config: TrainConfig) -> Tensor:
    """Mean over the slices of the batch; over several processes their losses add up to it."""
    return (slice_losses(prediction, batch, config) * batch.weights).sum()


def mse(prediction: Tensor, batch: Batch) -> Tensor:
    """Mean squared error (N,) in normalised units (report eq. 12)."""
    return _mean((prediction - batch.wanted).square(), batch)


def mae(prediction: Tensor, batch: Batch) -> Tensor:
    """Mean absolute error (N,) in normalised units."""
    return _mean((prediction - batch.wanted).abs(), batch)


def psnr(prediction: Tensor, batch: Batch) -> Tensor:
    """Peak signal-to-noise ratio (N,) in dB, as `napari_micromri.measure.image_quality.psnr`."""
    error = mse(prediction, batch) * batch.scales.flatten().square()
    peak = (batch.wanted * batch.scales + batch.offsets).amax(dim=(1, 2, 3))
    return torch.where(peak > 0, 10 * torch.log10(peak.square() / error), torch.nan)


def ssim(prediction: Tensor, batch: Batch) -> Tensor:
    """Structural similarity (N,), as `napari_micromri.measure.image_quality.ssim`; NaN where that is undefined."""
    height, width = prediction.shape[-2:]
    counted = inside(batch.sizes, height, width, SSIM_MARGIN)
    pixels = counted.sum(dim=(1, 2, 3))
    if not bool((pixels > 0).any()):
        return torch.full_like(pixels, torch.nan)
    span = batch.wanted.amax(dim=(1, 2, 3), keepdim=True) - batch.wanted.amin(dim=(1, 2, 3), keepdim=True)
    # In units of each slice's own range, and with its true zero, which the comparison of means depends on.
    unit = torch.where(span > 0, span, 1.0)
    zero = batch.offsets / batch.scales
    similarity = _similarity((prediction + zero) / unit, (batch.wanted + zero) / unit)
    counted = counted[..., SSIM_MARGIN:-SSIM_MARGIN, SSIM_MARGIN:-SSIM_MARGIN]
    defined = (pixels > 0) & (span.flatten() > 0)
    return torch.where(defined, (similarity * counted).sum(dim=(1, 2, 3)) / pixels.clamp_min(1), torch.nan)


def _similarity(image: Tensor, reference: Tensor) -> Tensor:
    """SSIM (N, 1, H - 10, W - 10) around each pixel that a whole window surrounds (report eq. 8)."""
    places = torch.arange(-SSIM_MARGIN, SSIM_MARGIN + 1, device=image.device, dtype=image.dtype)
    weights = torch.exp(-0.5 * (places / SSIM_SIGMA).square())
    window = (weights / weights.sum()).view(1, 1, 1, -1)
    parts = torch.cat([image, reference, image.square(), reference.square(), image * reference])
    means = functional.conv2d(functional.conv2d(parts, window), window.transpose(2, 3))
    a, b, aa, bb, ab = means.chunk(5)
    # Rounding alone can make the variance of an even area less than 0.
    variances = (aa - a.square()).clamp_min(0) + (bb - b.square()).clamp_min(0)
    return ((2 * a * b + SSIM_C1) / (a.square() + b.square() + SSIM_C1)) * (
        (2 * (ab - a * b) + SSIM_C2) / (variances + SSIM_C2)
    )


def _input_error(batch: Batch) -> Tensor:
    """MSE (N,) of the input; never quite 0, so that a slice without noise has no infinite weight."""
    return mse(batch.given, batch) + LEAST_INPUT_ERROR


def _local_error(prediction: Tensor, batch: Batch) -> Tensor:
    """Mean squared error (N,) of the means of squares of pixels that lie inside the slice."""
    height, width = prediction.shape[-2:]
    side = min(LOCAL, height, width)
    counted = functional.avg_pool2d(inside(batch.sizes, height, width), side)
    errors = functional.avg_pool2d((prediction - batch.wanted) * inside(batch.sizes, height, width), side)
    means = torch.where(counted > 0, errors / counted.clamp_min(1e-6), 0.0).square() * counted
    return means.sum(dim=(1, 2, 3)) / counted.sum(dim=(1, 2, 3)).clamp_min(1e-6)


def _mean(errors: Tensor, batch: Batch) -> Tensor:
    counted = inside(batch.sizes, errors.shape[-2], errors.shape[-1])
    return (errors * counted).sum(dim=(1, 2, 3)) / counted.sum(dim=(1, 2, 3))
