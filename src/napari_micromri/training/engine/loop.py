"""The loop: learn from an epoch's batches, judge, keep what is worth keeping, repeat."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from napari_micromri.errors import TrainingError
from napari_micromri.nn.network import count_parameters
from napari_micromri.progress import never
from napari_micromri.training.beginning import settle_config
from napari_micromri.training.data import checked_slices
from napari_micromri.training.engine.batches import batch_count, training_batches
from napari_micromri.training.engine.devices import make_fabric, precision_of
from napari_micromri.training.engine.evaluation import Interrupted, Judged, evaluate
from napari_micromri.training.engine.losses import batch_loss
from napari_micromri.training.engine.methods import Method, first_network, new_network
from napari_micromri.training.engine.optimisation import monitored
from napari_micromri.training.engine.results import ShownSlice, save_model
from napari_micromri.training.engine.state import Learner
from napari_micromri.training.events import (
    BatchDone,
    Checkpoint,
    Done,
    Epoch,
    Resumed,
    Started,
    Stopped,
    ValidationImage,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lightning_fabric import Fabric

    from napari_micromri.progress import ShouldStop
    from napari_micromri.runs.events import Event
    from napari_micromri.training.config import TrainConfig
    from napari_micromri.training.data import CheckedSlices, TrainingData
    from napari_micromri.training.engine.batches import Batch
    from napari_micromri.training.folder import RunFolder

EXPLODED = 1000.0
"""Times its smallest value that the smoothed loss may reach."""

SMOOTHING = 0.05


def train(
    config: TrainConfig,
    data: TrainingData,
    folder: RunFolder,
    should_stop: ShouldStop = never,
    *,
    fabric: Fabric | None = None,
) -> Iterator[Event]:
    """Train until the end, early stopping, or until asked to stop; resumes from ``last.safetensors`` if it is there.

    Writes the model, the state and the images into ``folder``, which exists; what is yielded is for the caller to keep
    (see `napari_micromri.training.runner`). Stopping takes one batch.

    Raises
    ------
    TrainingError
        A set is empty, the loss is no longer a number or explodes, or the saved state can't be used.
    MicroMRIError
        Slices, models or files can't be read or written.
    """
    config = settle_config(config)
    work = _prepare(config, data, folder, should_stop, fabric or make_fabric(config))
    place, patience = work.learner.place, work.learner.patience
    yield work.beginning
    try:
        while place.epoch <= config.epochs and not patience.over(place.epoch - 1) and not work.time_is_up:
            yield from _learn(work)
            yield from _judge(work)
            place.next_epoch()
            yield from _save(work)
    except Interrupted:
        yield from _save(work)
        yield Stopped(
            epoch=place.epoch, batch=place.batch, message=f"Stopped in epoch {place.epoch}. It can be resumed."
        )
        return
    early = place.epoch <= config.epochs
    why = f"no improvement in {config.patience} epochs" if early else f"all {config.epochs} epochs"
    if work.time_is_up:
        why = f"{config.minutes:g} minutes"
    yield Done(epoch=patience.best_epoch, message=f"Done after {why}; the best was epoch {patience.best_epoch}.")


@dataclass
class _Work:
    """What the parts of the loop share."""

    config: TrainConfig
    data: TrainingData
    folder: RunFolder
    should_stop: ShouldStop
    fabric: Fabric
    factor: int
    slices: CheckedSlices
    validation: CheckedSlices
    learner: Learner
    method: Method
    shown: ShownSlice | None
    beginning: Started
    saved: float = field(default_factory=time.monotonic)

    @property
    def batches(self) -> int:
        return self.beginning.batches

    @property
    def whole_batches(self) -> float:
        """Batches of an epoch, where the last one counts by how full it is."""
        return (self.config.draws or self.beginning.train_slices) / self.config.batch_size

    @property
    def time_is_up(self) -> bool:
        passed = self.learner.place.passed(self.config.minutes)
        return passed is not None and passed >= 1


def _prepare(
    config: TrainConfig, data: TrainingData, folder: RunFolder, should_stop: ShouldStop, fabric: Fabric
) -> _Work:
    factor, (slices, validation) = checked_slices(config, data)
    torch.manual_seed(config.seed)
    resumes = folder.last.is_file()
    network = new_network(config) if resumes else first_network(config, factor)
    method = config.family.method(config, slices)
    learner = Learner(network, config, fabric, batch_count(len(slices), config))
    note = _resume(learner, folder, data) if resumes else ""
    # Only one process writes.
    shown = ShownSlice(folder, validation, config) if fabric.is_global_zero else None
    began: dict[str, Any] = {
        "epochs": config.epochs,
        "batches": batch_count(len(slices), config),
        "train_slices": len(slices),
        "validation_slices": len(validation),
        "parameters": count_parameters(network),
        "device": str(fabric.device),
        "precision": precision_of(config, fabric.device),
        "processes": fabric.world_size,
        "note": method.note,
        "baseline": evaluate(None, validation, config, fabric, never),
    }
    place = learner.place
    beginning = Started(**began)
    if resumes:
        beginning = Resumed(**began | {"note": note}, epoch=place.epoch, batch=place.batch)
    return _Work(
        config, data, folder, should_stop, fabric, factor, slices, validation, learner, method, shown, beginning
    )


def _resume(learner: Learner, folder: RunFolder, data: TrainingData) -> str:
    """Take over the saved state; a study that has changed meanwhile gives a note, and the epoch begins again."""
    if learner.load(folder.last) == data.fingerprint:
        return ""
    learner.place.batch, learner.place.loss, learner.place.seconds = 0, 0.0, 0.0
    return "The study has changed since the run was stopped, so the result is not that of an uninterrupted run."


def _learn(work: _Work) -> Iterator[Event]:
    """Learn from what is left of an epoch."""
    learner, place, fabric = work.learner, work.learner.place, work.fabric
    rank, world = fabric.global_rank, fabric.world_size
    start = time.monotonic()
    batches = training_batches(
        work.slices,
        work.config,
        place.epoch,
        subjects=work.data.subjects,
        prepare=work.method.prepare,
        first=place.batch,
        rank=rank,
        world=world,
    )
    for batch in batches:
        loss, stop = _step(learner, batch.map(fabric.to_device), work)
        now = time.monotonic()
        # The last batch may be smaller, and counts by its part of a whole one.
        place.batch, place.loss, place.seconds, start = (
            place.batch + 1,
            place.loss + loss * min(1.0, work.whole_batches - place.batch),
            place.seconds + now - start,
            now,
        )
        yield BatchDone(epoch=place.epoch, batch=place.batch, batches=work.batches, loss=loss)
        if stop:
            raise Interrupted
        if work.time_is_up:
            return
        if now - work.saved > 60 * work.config.checkpoint_minutes and place.batch < work.batches:
            yield from _save(work)


def _step(learner: Learner, batch: Batch, work: _Work) -> tuple[float, bool]:
    """Learn from one batch; gives its loss, and whether to stop: both are the same in all processes."""
    config, fabric = work.config, work.fabric
    learner.network.train()
    torch.manual_seed(hash((config.seed, learner.place.epoch, learner.place.batch, fabric.global_rank)))
    prediction = work.method.learn(learner.model, batch).float()
    loss = batch_loss(prediction, batch, config)
    value, stop, seconds = _agree(fabric, float(loss.detach()), work.should_stop(), learner.place.seconds)
    learner.place.seconds = seconds
    _check_loss(value, learner, config)
    learner.optimizer.zero_grad(set_to_none=True)
    fabric.backward(loss * fabric.world_size)  # gradients are averaged over processes, losses add up
    if config.clip is not None:
        fabric.clip_gradients(learner.model, learner.optimizer, max_norm=config.clip, error_if_nonfinite=False)
    learner.optimizer.step()
    learner.rate.after_batch(learner.place.passed(config.minutes))
    if learner.average is not None:
        learner.average.update_parameters(learner.network)
    return value, stop


def _agree(fabric: Fabric, loss: float, stop: bool, seconds: float) -> tuple[float, bool, float]:
    """Loss of all processes together; whether to stop, and the time, are what the first process says."""
    if fabric.world_size == 1:
        return loss, stop, seconds
    said = (float(stop), seconds) if fabric.is_global_zero else (0.0, 0.0)
    together = fabric.to_device(torch.tensor([loss, *said]))
    loss, wish, seconds = torch.as_tensor(fabric.all_reduce(together, reduce_op="sum")).tolist()
    return loss, wish > 0, seconds


def _check_loss(loss: float, learner: Learner, config: TrainConfig) -> None:
    place = learner.place
    advice = f"Lower the learning rate (it was {learner.rate.now:.3g}), or limit gradients, for example with clip=1."
    where = f"in epoch {place.epoch}, batch {place.batch + 1}"
    if not math.isfinite(loss):
        raise TrainingError(f"The loss is no longer a number {where}. {advice}")
    place.smoothed = loss if place.smoothed is None else place.smoothed + SMOOTHING * (loss - place.smoothed)
    place.least = place.smoothed if place.least is None else min(place.least, place.smoothed)
    if place.least > 0 and place.smoothed > EXPLODED * place.least:
        raise TrainingError(f"The loss explodes {where}: from {place.least:.3g} to {loss:.3g}. {advice}")


def _judge(work: _Work) -> Iterator[Event]:
    """Judge the epoch; keep the model when it is the best so far, and an image always."""
    config, learner, place, fabric = work.config, work.learner, work.learner.place, work.fabric
    judged = Judged(learner.judged, work.method, fabric)
    validation = evaluate(judged, work.validation, config, fabric, work.should_stop)
    figure = monitored(validation, config)
    if not math.isfinite(figure):
        raise TrainingError(
            f"The validation {config.monitor} of epoch {place.epoch} is not a number. Lower the learning rate; an SSIM "
            "needs slices of at least 11 x 11 pixels."
        )
    epoch = Epoch(
        epoch=place.epoch,
        train_loss=place.loss / (min(place.batch, work.whole_batches) or 1),
        validation=validation,
        baseline=work.beginning.baseline,
        learning_rate=learner.rate.now,
        seconds=place.seconds,
        best=learner.patience.take(place.epoch, figure),
    )
    learner.rate.after_epoch(figure)
    if work.shown is not None:
        if epoch.best:
            save_model(work.folder, learner.judged.state_dict(), work.method, config, work.data, work.factor, epoch)
            yield Checkpoint(epoch=place.epoch, batch=place.batch, file=work.folder.best.name)
        file = work.shown.save(place.epoch, judged.predict, fabric.to_device)
        yield ValidationImage(epoch=place.epoch, file=file)
    yield epoch


def _save(work: _Work) -> Iterator[Event]:
    """Write the state, in one process."""
    place = work.learner.place
    if work.fabric.is_global_zero:
        work.learner.save(work.folder.last, work.data.fingerprint)
        yield Checkpoint(epoch=place.epoch, batch=place.batch, file=work.folder.last.name)
    work.saved = time.monotonic()
