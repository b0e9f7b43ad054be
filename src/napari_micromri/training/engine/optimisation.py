"""Optimizers, the course of the learning rate, averaged weights, and when to stop early."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch.optim import lr_scheduler
from torch.optim.swa_utils import AveragedModel

from napari_micromri.training.figures import BY_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from torch import Tensor, nn

    from napari_micromri.training.config import TrainConfig
    from napari_micromri.training.events import Metrics

Scheduler: TypeAlias = "lr_scheduler.LRScheduler | lr_scheduler.ReduceLROnPlateau"


def make_optimizer(parameters: Iterable[nn.Parameter], config: TrainConfig) -> torch.optim.Optimizer:
    """Make the optimizer (report 4.2.2)."""
    rate, decay = config.learning_rate, config.weight_decay
    match config.optimizer:
        case "adam":
            return torch.optim.Adam(parameters, rate, weight_decay=decay)
        case "adamw":
            return torch.optim.AdamW(parameters, rate, weight_decay=decay)
        case "sgd":
            return torch.optim.SGD(parameters, rate, momentum=config.momentum, weight_decay=decay)
        case "rmsprop":
            return torch.optim.RMSprop(parameters, rate, momentum=config.momentum, weight_decay=decay)


class Rate:
    """The learning rate's course: the report's schedules step once an epoch, the cosine once a batch."""

    def __init__(self, optimizer: torch.optim.Optimizer, config: TrainConfig, batches: int) -> None:
        self._each_batch = config.scheduler == "cosine"
        self._passed: float | None = None
        self.scheduler = self._make_scheduler(optimizer, config, batches)
        self._optimizer = optimizer

    @property
    def now(self) -> float:
        """The learning rate of the next step."""
        return float(self._optimizer.param_groups[0]["lr"])

    def after_batch(self, passed: float | None = None) -> None:
        """Take note of a step; ``passed`` is the part of the time that is over, where training has a time."""
        self._passed = passed
        if self._each_batch and self.scheduler is not None:
            self.scheduler.step()

    def after_epoch(self, figure: float) -> None:
        """Take note of an epoch and its monitored figure, lower is better."""
        if self.scheduler is None or self._each_batch:
            return
        if isinstance(self.scheduler, lr_scheduler.ReduceLROnPlateau):
            self.scheduler.step(figure)
        else:
            self.scheduler.step()

    def _make_scheduler(self, optimizer: torch.optim.Optimizer, config: TrainConfig, batches: int) -> Scheduler | None:
        match config.scheduler:
            case "none":
                return None
            case "exponential":
                return lr_scheduler.ExponentialLR(optimizer, config.decay)
            case "step":
                return lr_scheduler.StepLR(optimizer, config.decay_epochs, config.decay)
            case "plateau":
                return lr_scheduler.ReduceLROnPlateau(optimizer, factor=config.decay, patience=config.plateau_patience)
            case "cosine":
                part = cosine(config, batches)
                return lr_scheduler.LambdaLR(optimizer, lambda step: part(step, self._passed))


def cosine(config: TrainConfig, batches: int) -> Callable[[int, float | None], float]:
    """Part of the learning rate at each step: a straight rise, then half a cosine down to ``final_rate``.

    It falls with the steps of all epochs, or with the part of the time that has passed, where that is given.
    """
    total, rise = config.epochs * batches, config.warmup_epochs * batches

    def part(step: int, passed: float | None = None) -> float:
        risen = min(1.0, (step + 1) / (rise + 1))
        if passed is None:
            passed = max(0.0, step - rise) / max(1.0, total - rise)
            if step < rise:
                return risen
        fallen = (1 + math.cos(math.pi * min(1.0, passed))) / 2
        return risen * (config.final_rate + (1 - config.final_rate) * fallen)

    return part


def make_average(network: nn.Module, config: TrainConfig) -> AveragedModel | None:
    """Weights averaged over time, with a shorter memory in the first steps; None when not asked for."""
    if config.ema == 0:
        return None

    def mean(averaged: Tensor, current: Tensor, count: Tensor | int) -> Tensor:
        memory = min(config.ema, (1 + int(count)) / (10 + int(count)))
        return averaged.lerp(current, 1 - memory)

    return AveragedModel(network, avg_fn=mean)


@dataclass
class Patience:
    """Which epoch is the best, and whether it is so long ago that the run may end (report: 6 epochs, at least 10)."""

    patience: int | None
    least_epochs: int
    best: float = math.inf
    best_epoch: int = 0

    def take(self, epoch: int, figure: float) -> bool:
        """Take note of an epoch's figure, lower is better; True when it is the best so far."""
        if not figure < self.best:
            return False
        self.best, self.best_epoch = figure, epoch
        return True

    def over(self, epoch: int) -> bool:
        """Tell whether to stop after this epoch."""
        return self.patience is not None and epoch >= self.least_epochs and epoch - self.best_epoch >= self.patience


def monitored(metrics: Metrics, config: TrainConfig) -> float:
    """Figure that decides which epoch is best, turned so that lower is better."""
    value = float(getattr(metrics, config.monitor))
    return -value if BY_NAME[config.monitor].better == "higher" else value
