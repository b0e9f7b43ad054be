"""Judging a network on the validation slices."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from napari_micromri.errors import TrainingError
from napari_micromri.training.engine import losses
from napari_micromri.training.engine.batches import validation_batches
from napari_micromri.training.events import Metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lightning_fabric import Fabric
    from torch import Tensor

    from napari_micromri.nn.unet import UNet
    from napari_micromri.progress import ShouldStop
    from napari_micromri.training.config import TrainConfig
    from napari_micromri.training.data import SlicePair
    from napari_micromri.training.engine.methods import Method

    Predict = Callable[[Tensor], Tensor]

FIGURES = ("loss", "mse", "mae", "psnr", "ssim")


class Interrupted(Exception):
    """The person asked to stop in the middle."""


def predictor(network: UNet, method: Method, fabric: Fabric) -> Predict:
    """Give the network as a function of fast slices, in the precision of the run."""

    def predict(given: Tensor) -> Tensor:
        network.eval()
        with fabric.autocast():
            output = method.estimate(network, given)
        return output.float()

    return predict


@torch.no_grad()
def evaluate(
    predict: Predict, slices: Sequence[SlicePair], config: TrainConfig, fabric: Fabric, should_stop: ShouldStop
) -> Metrics:
    """Average all figures over the slices, those of all processes together; constant slices don't count.

    Raises
    ------
    TrainingError
        No slice can be judged.
    Interrupted
        ``should_stop`` said so, in a run of one process.
    """
    alone = fabric.world_size == 1
    sums = torch.zeros(len(FIGURES), 2, dtype=torch.float64)
    for batch in validation_batches(slices, config, rank=fabric.global_rank, world=fabric.world_size):
        if alone and should_stop():
            raise Interrupted
        on_device = batch.map(fabric.to_device)
        prediction = predict(on_device.given)
        figures = [
            losses.slice_losses(prediction, on_device, config),
            *(getattr(losses, name)(prediction, on_device) for name in FIGURES[1:]),
        ]
        values = torch.stack(figures).cpu().double()
        counted = (batch.weights > 0).expand_as(values).clone()
        counted[3:] &= values[3:].isfinite()  # PSNR and SSIM can be undefined; an error that isn't finite is a fault
        sums[:, 0] += torch.where(counted, values, 0).sum(1)
        sums[:, 1] += counted.sum(1)
    if not alone:
        sums = torch.as_tensor(fabric.all_reduce(fabric.to_device(sums), reduce_op="sum")).cpu()
    if int(sums[0, 1]) == 0:
        raise TrainingError("No validation slice holds an image: all are constant. Choose other validation subjects.")
    means = [total / count if count else math.nan for total, count in sums.tolist()]
    return Metrics(**dict(zip(FIGURES, means, strict=True)))
