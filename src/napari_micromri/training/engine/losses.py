"""What is minimised and what is measured, per slice and without what batches are padded with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional
from torchmetrics.functional.image import structural_similarity_index_measure

from napari_micromri.training.engine.batches import inside

if TYPE_CHECKING:
    from napari_micromri.training.config import TrainConfig
    from napari_micromri.training.engine.batches import Batch

LEAST_INPUT_ERROR = 3e-4
"""In normalised units, where the mean of a slice is 1: about what truncating k-space alone leaves at SNR 100."""

LOCAL = 16
"""Pixels along a square whose mean brightness ``structural`` compares."""

SSIM_MARGIN = 5
"""Half of the window: nearer to an edge it would see what is not there."""


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
    _, similarity = structural_similarity_index_measure(
        (prediction + zero) / unit,
        (batch.wanted + zero) / unit,
        sigma=1.5,
        reduction="none",
        data_range=1.0,
        return_full_image=True,
    )
    defined = (pixels > 0) & (span.flatten() > 0)
    return torch.where(defined, (similarity * counted).sum(dim=(1, 2, 3)) / pixels.clamp_min(1), torch.nan)


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
