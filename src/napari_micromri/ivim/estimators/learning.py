"""Training of the networks `cnn` and `si_cnn` on the signals of a scan, epoch by epoch.

`cnn` minimises the mean square of predicted minus measured signals. `si_cnn` is an interpretation of a source that is
public only as a supplement and a log: after a warm-up, which ends when the loss no longer falls, each epoch is followed
by an improvement of the signals to learn from. Where the fitting error |p - x| is at least ``fitting_max`` (and, with
the gate, |p - mean3x3(p)| at most ``around_max``), x moves to x + alpha (p - x). The input stays what was measured, so
a trained network is used as it was trained.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch.nn import functional

from napari_micromri.errors import CancelledError, InputError, TrainingError
from napari_micromri.ivim.estimators.network import IvimNetwork, NetworkConfig
from napari_micromri.ivim.signal import Bounds
from napari_micromri.ivim.simulation import check_seed
from napari_micromri.progress import never

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from napari_micromri.progress import ShouldStop


@dataclass(frozen=True, kw_only=True)
class LearningSettings:
    """How a network is trained.

    Parameters
    ----------
    method
        ``"cnn"`` or ``"si_cnn"``.
    epochs
        Of `cnn`, and at most of the warm-up of `si_cnn`.
    batch
        Slices per step.
    tol
        The warm-up ends when the loss has not fallen by this part within ``patience`` epochs.
    alpha, fitting_max, around_max, gate, delta, rounds
        See the module's text; improvement ends when signals change by less than ``delta`` on average, or after
        ``rounds``.
    """

    method: Literal["cnn", "si_cnn"] = "cnn"
    epochs: int = 150
    learning_rate: float = 1e-3
    batch: int = 5
    features: int = 64
    kernel: int = 3
    dropout: float = 0.01
    seed: int = 0
    tol: float = 0.01
    patience: int = 5
    alpha: float = 0.1
    fitting_max: float = 0.03
    around_max: float = 0.02
    gate: bool = False
    delta: float = 1e-4
    rounds: int = 80

    def __post_init__(self) -> None:
        for name in ("epochs", "learning_rate", "batch", "features", "patience", "rounds"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise InputError(f"The {name.replace('_', ' ')} of a training: a positive number, not {value}.")
        if not 0 < self.alpha <= 1:
            raise InputError(f"alpha is above 0 and at most 1, not {self.alpha}.")
        if self.kernel not in (1, 3):
            raise InputError(f"The kernel is 1 or 3, not {self.kernel}.")
        check_seed(self.seed)
        if self.method not in ("cnn", "si_cnn"):
            raise InputError(f"A network is trained by 'cnn' or 'si_cnn', not '{self.method}'.")

    @property
    def most_epochs(self) -> int:
        """Epochs at most."""
        return self.epochs + (self.rounds if self.method == "si_cnn" else 0)


@dataclass(frozen=True)
class Epoch:
    """One epoch: its mean loss; for a round of improvement its number and the mean change of the signals."""

    number: int
    loss: float
    round: int = 0
    change: float = 0.0


class Learning:
    """A network being trained.

    Parameters
    ----------
    signals
        (N, B, y, x) of S / S0, distinct b-values.
    valid
        (N, 1, y, x), which voxels count.

    Raises
    ------
    InputError
        None does.
    """

    def __init__(
        self,
        signals: Tensor,
        valid: Tensor,
        b_values: tuple[float, ...],
        settings: LearningSettings,
        device: torch.device | None = None,
        bounds: Bounds | None = None,
    ) -> None:
        if not (valid > 0).any():
            raise InputError("There is nothing to learn from: signals are missing, or not positive at the smallest b.")
        self.settings, self.device = settings, device or torch.device("cpu")
        self.valid = valid.to(self.device, torch.float32)
        self.measured = torch.where(valid.to(self.device) > 0, signals.to(self.device, torch.float32), 0.0)
        self.targets = self.measured.clone()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            config = NetworkConfig(
                b_values,
                bounds=bounds or Bounds(),
                features=settings.features,
                kernel=settings.kernel,
                dropout=settings.dropout,
            )
            self.network = IvimNetwork(config).to(self.device)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=settings.learning_rate)
        self.losses: list[float] = []
        self.round = 0
        self.finished = False

    def run(self, should_stop: ShouldStop = never) -> Iterator[Epoch]:
        """Train to the end, from wherever it is.

        Raises
        ------
        CancelledError
            ``should_stop`` said so; the epoch that was begun doesn't count.
        TrainingError
            The loss is no longer a number.
        """
        while not self.finished:
            number = len(self.losses) + 1
            loss = self._epoch(number, should_stop)
            if not math.isfinite(loss):
                raise TrainingError(
                    f"The loss is no longer a number in epoch {number}. Lower the learning rate (it was "
                    f"{self.settings.learning_rate:g})."
                )
            self.losses.append(loss)
            change = 0.0
            if self.settings.method == "si_cnn" and (self.round or self._warm()):
                self.round += 1
                change = self._improve()
                self.finished = change < self.settings.delta or self.round >= self.settings.rounds
            elif self.settings.method == "cnn":
                self.finished = number >= self.settings.epochs
            yield Epoch(number, loss, self.round, change)

    def predict(self) -> tuple[Tensor, Tensor]:
        """Give maps (N, 3, y, x) and predicted signals (N, B, y, x) of the training slices."""
        self.network.eval()
        with torch.inference_mode():
            maps = torch.cat([self.network(part) for part in torch.split(self.measured, self.settings.batch)])
            return maps, self.network.signals(maps)

    def _warm(self) -> bool:
        patience, losses = self.settings.patience, self.losses
        if len(losses) >= self.settings.epochs:
            return True
        if len(losses) <= 2 * patience:
            return False
        return min(losses[-patience:]) > (1 - self.settings.tol) * min(losses[:-patience])

    def _epoch(self, number: int, should_stop: ShouldStop) -> float:
        self.network.train()
        total, count = 0.0, 0.0
        with torch.random.fork_rng(devices=[]):
            # Seeded by the epoch, so that a training that was resumed ends at the same weights.
            torch.manual_seed(1_000_003 * self.settings.seed + number)
            for chosen in torch.split(torch.randperm(len(self.measured)), self.settings.batch):
                if should_stop():
                    raise CancelledError("The training was stopped.")
                given, wanted, valid = (t[chosen] for t in (self.measured, self.targets, self.valid))
                predicted = self.network.signals(self.network(given))
                weight = valid.sum() * given.shape[1]
                loss = ((predicted - wanted) ** 2 * valid).sum() / weight.clamp_min(1)
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                total, count = total + float(loss.detach()) * float(weight), count + float(weight)
        return total / count

    def _improve(self) -> float:
        """Move the signals to learn from towards the predictions; give their mean change."""
        settings = self.settings
        _, predicted = self.predict()
        move = ((predicted - self.targets).abs() >= settings.fitting_max) & (self.valid > 0)
        if settings.gate:
            around = functional.avg_pool2d(predicted, 3, 1, 1, count_include_pad=False)
            move &= (predicted - around).abs() <= settings.around_max
        change = torch.where(move, settings.alpha * (predicted - self.targets), 0.0)
        self.targets = self.targets + change
        return float(change.abs().sum() / (self.valid.sum() * change.shape[1]).clamp_min(1))
