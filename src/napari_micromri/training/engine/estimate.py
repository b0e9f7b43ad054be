"""How long an epoch will take and how much memory, from a few steps that are thrown away."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import torch

from napari_micromri.progress import never
from napari_micromri.training.beginning import settle_config
from napari_micromri.training.data import checked_slices
from napari_micromri.training.engine.batches import batch_count, training_batches
from napari_micromri.training.engine.devices import make_fabric
from napari_micromri.training.engine.evaluation import Judged, evaluate
from napari_micromri.training.engine.losses import batch_loss
from napari_micromri.training.engine.methods import first_network
from napari_micromri.training.engine.state import Learner

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lightning_fabric import Fabric
    from torch import Tensor

    from napari_micromri.progress import ShouldStop
    from napari_micromri.training.config import TrainConfig
    from napari_micromri.training.data import CheckedSlices, TrainingData
    from napari_micromri.training.engine.batches import Batch
    from napari_micromri.training.engine.methods import Method

WARM_UP_STEPS = 1
VALIDATION_SLICES = 4


@dataclass(frozen=True)
class Estimate:
    """What a run will need on this machine, by one measurement: other work and other batches change it.

    ``memory`` is in bytes, on the device that computes, for weights, optimizer and one step; slices in memory come on
    top on the CPU.
    """

    seconds_per_epoch: float
    memory: int
    device: str


def estimate(config: TrainConfig, data: TrainingData, *, steps: int = 2, should_stop: ShouldStop = never) -> Estimate:
    """Learn from a few batches in memory and measure; nothing is written.

    Parameters
    ----------
    steps
        How many are timed, after one that isn't.

    Raises
    ------
    TrainingError, InputError, ModelError
        As training itself would.
    torch.OutOfMemoryError, MemoryError, RuntimeError
        There is too little memory; see `napari_micromri.training.runner.explain`.
    """
    config = settle_config(config.model_copy(update={"devices": 1, "nodes": 1}))
    fabric = make_fabric(config)
    factor, (slices, validation) = checked_slices(config, data)
    learner = Learner(first_network(config, factor), config, fabric, batch_count(len(slices), config))
    method = config.family.method(config, slices)
    if fabric.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(fabric.device)
    kept, seconds = 0, []
    for batch in islice(_endless(slices, config, method), WARM_UP_STEPS + steps):
        start = time.perf_counter()
        kept = max(kept, _step(learner, method, batch.map(fabric.to_device), config, fabric))
        seconds.append(time.perf_counter() - start)
        if should_stop() and len(seconds) > WARM_UP_STEPS:
            break
    measured = seconds[WARM_UP_STEPS:]
    training = sum(measured) / len(measured) * batch_count(len(slices), config)
    return Estimate(
        training + _validation_seconds(learner, method, validation, config, fabric),
        _memory(learner, kept, fabric.device),
        str(fabric.device),
    )


def _endless(slices: CheckedSlices, config: TrainConfig, method: Method) -> Iterator[Batch]:
    epoch = 0
    while True:
        epoch += 1
        yield from training_batches(slices, config, epoch, prepare=method.prepare)


def _step(learner: Learner, method: Method, batch: Batch, config: TrainConfig, fabric: Fabric) -> int:
    """Learn from a batch; gives the bytes that the forward pass keeps for the backward one."""
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        prediction = method.learn(learner.model, batch).float()
        loss = batch_loss(prediction, batch, config)
    learner.optimizer.zero_grad(set_to_none=True)
    fabric.backward(loss)
    learner.optimizer.step()
    float(loss.detach())  # waits for the device
    return sum(kept.values())


def _validation_seconds(
    learner: Learner, method: Method, slices: CheckedSlices, config: TrainConfig, fabric: Fabric
) -> float:
    some = [slices[number] for number in range(min(VALIDATION_SLICES, len(slices)))]
    judged = Judged(learner.judged, method, fabric)
    evaluate(judged, some[:1], config, fabric, never)  # the first time loads what every later time finds loaded
    start = time.perf_counter()
    evaluate(judged, some, config, fabric, never)
    return (time.perf_counter() - start) * len(slices) / len(some)


def _memory(learner: Learner, kept: int, device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    weights: int = sum(weight.nbytes for weight in learner.network.parameters())
    state = learner.optimizer.state_dict()["state"].values()
    own: int = sum(value.nbytes for entry in state for value in entry.values() if isinstance(value, torch.Tensor))
    averaged = weights if learner.average is not None else 0
    return kept + 2 * weights + own + averaged
