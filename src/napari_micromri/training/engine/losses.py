"""What is minimised and what is measured, per slice and without what batches are padded with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure

from napari_micromri.training.engine.batches import inside

if TYPE_CHECKING:
    from napari_micromri.training.config import TrainConfig
    from napari_micromri.training.engine.batches import Batch

SSIM_MARGIN = 5
"""Half of the window: nearer to an edge it would see what is not there."""


def slice_losses(prediction: Tensor, batch: Batch, config: TrainConfig) -> Tensor:
    """Loss (N,) of each slice: MSE, MAE, or ``alpha MSE + (1 - alpha)(1 - SSIM)`` (report eq. 7)."""
    match config.loss:
        case "mse":
            return mse(prediction, batch)
        case "mae":
            return mae(prediction, batch)
        case "hybrid":
            structure = torch.nan_to_num(1 - ssim(prediction, batch))  # a slice without structure has none to lose
            return config.alpha * mse(prediction, batch) + (1 - config.alpha) * structure


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


def _mean(errors: Tensor, batch: Batch) -> Tensor:
    counted = inside(batch.sizes, errors.shape[-2], errors.shape[-1])
    return (errors * counted).sum(dim=(1, 2, 3)) / counted.sum(dim=(1, 2, 3))
