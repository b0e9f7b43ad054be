"""Judging a network on the validation slices."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from napari_micromri.errors import TrainingError
from napari_micromri.training.engine import losses
from napari_micromri.training.engine.batches import validation_batches
from napari_micromri.training.events import Metrics
from napari_micromri.training.figures import FIGURES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lightning_fabric import Fabric
    from torch import Tensor

    from napari_micromri.nn.network import Network
    from napari_micromri.progress import ShouldStop
    from napari_micromri.training.config import TrainConfig
    from napari_micromri.training.data import SlicePair
    from napari_micromri.training.engine.batches import Batch
    from napari_micromri.training.engine.methods import Method


class Interrupted(Exception):
    """The person asked to stop in the middle."""


@dataclass(frozen=True)
class Judged:
    """A network that is judged: the images that it makes from fast slices, and the loss with which it learns."""

    network: Network
    method: Method
    fabric: Fabric

    def predict(self, batch: Batch) -> Tensor:
        """Denoise the fast slices of a batch, in the precision of the run."""
        return self._computed(lambda: self.method.estimate(self.network, batch))

    def learn(self, batch: Batch) -> Tensor:
        """Estimate the good slices as in learning."""
        return self._computed(lambda: self.method.learn(self.network, batch))

    def _computed(self, estimate: Callable[[], Tensor]) -> Tensor:
        self.network.eval()
        with self.fabric.autocast():
            return estimate().float()


@torch.no_grad()
def evaluate(
    judged: Judged | None, slices: Sequence[SlicePair], config: TrainConfig, fabric: Fabric, should_stop: ShouldStop
) -> Metrics:
    """Average all figures over the slices, those of all processes together; constant slices don't count.

    Parameters
    ----------
    judged
        None judges the fast slices themselves.

    Raises
    ------
    TrainingError
        No slice can be judged.
    Interrupted
        ``should_stop`` said so, in a run of one process.
    """
    alone = fabric.world_size == 1
    apart = judged if judged is not None and not judged.method.estimates_as_it_learns else None
    prepare = apart.method.prepare if apart is not None else None
    undefined = torch.tensor([[figure.may_be_undefined] for figure in FIGURES])
    sums = torch.zeros(len(FIGURES), 2, dtype=torch.float64)
    for batch in validation_batches(slices, config, prepare=prepare, rank=fabric.global_rank, world=fabric.world_size):
        if alone and should_stop():
            raise Interrupted
        on_device = batch.map(fabric.to_device)
        prediction = on_device.given if judged is None else judged.predict(on_device)
        learned = prediction if apart is None else apart.learn(on_device)
        figures = [
            losses.slice_losses(learned, on_device, config),
            *(getattr(losses, figure.name)(prediction, on_device) for figure in FIGURES[1:]),
        ]
        values = torch.stack(figures).cpu().double()
        counted = (batch.weights > 0).expand_as(values).clone()
        counted &= values.isfinite() | ~undefined  # an error that isn't finite is a fault
        sums[:, 0] += torch.where(counted, values, 0).sum(1)
        sums[:, 1] += counted.sum(1)
    if not alone:
        sums = torch.as_tensor(fabric.all_reduce(fabric.to_device(sums), reduce_op="sum")).cpu()
    if int(sums[0, 1]) == 0:
        raise TrainingError("No validation slice holds an image: all are constant. Choose other validation subjects.")
    means = [total / count if count else math.nan for total, count in sums.tolist()]
    return Metrics(**dict(zip((figure.name for figure in FIGURES), means, strict=True)))
