"""Watch the quality of signals (DSQ) while a network trains on a phantom whose clean signals are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_micromri.errors import InputError
from napari_micromri.ivim.signal_quality import signal_quality
from napari_micromri.progress import never

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from napari_micromri.ivim.estimators.learning import Epoch, Learning
    from napari_micromri.ivim.signal_quality import SignalQuality
    from napari_micromri.ivim.simulation import Simulated
    from napari_micromri.progress import ShouldStop

EVERY = 5
"""Epochs between two looks."""

EDGES = tuple(np.linspace(0, 0.2, 9).tolist())
"""Limits of the bins of the fitting error, as a fraction of S0: the same at every epoch."""

NAMES = ("D", "f", "Dp")


@dataclass(frozen=True)
class Look:
    """What a network knows after an epoch.

    Parameters
    ----------
    round
        Of improved signals (`si_cnn`); 0 before.
    rmse
        Root mean square errors of D, Dp (mm^2/s) and f against the true maps.
    training_rmse
        That of the signals that the network learns from, as a fraction of S0; `cnn` never changes them.
    quality
        Of the predicted signals beside the measured ones.
    """

    method: str
    epoch: int
    loss: float
    round: int
    rmse: dict[str, float]
    training_rmse: float
    quality: SignalQuality


def begin(
    made: Simulated, method: Literal["cnn", "si_cnn"] = "cnn", *, epochs: int = 150, seed: int = 0, **changes: Any
) -> Learning:
    """Prepare a training on a phantom, with the settings of the published comparison.

    Parameters
    ----------
    epochs
        In all; the warm-up of `si_cnn` takes a third of them at most.
    changes
        Other fields of `LearningSettings`.

    Raises
    ------
    InputError
        No epochs.
    """
    from napari_micromri.ivim.estimators.learning import LearningSettings
    from napari_micromri.ivim.estimators.trained import Trained
    from napari_micromri.ivim.model import FitOptions

    if epochs < EVERY:
        raise InputError(f"Train for at least {EVERY} epochs: the first look comes after so many.")
    warm_up = epochs if method == "cnn" else max(1, epochs // 3)
    chosen: dict[str, Any] = {"epochs": warm_up, "rounds": epochs, "delta": -1, "seed": seed, "learning_rate": 2e-3}
    settings = LearningSettings(method=method, **(chosen | {"batch": 2, "tol": 0.05} | changes))
    return Trained(FitOptions(), settings).learning(made.signals, made.b_values)


def watch(learning: Learning, made: Simulated, *, epochs: int = 150, should_stop: ShouldStop = never) -> Iterator[Look]:
    """Train to an epoch, and look at every `EVERY`-th and at the last.

    Raises
    ------
    CancelledError
        ``should_stop`` said so.
    """
    valid = learning.valid.numpy() > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        clean = np.moveaxis(made.clean / made.truth["S0"], 0, 1)
    clean = np.where(valid & np.isfinite(clean), clean, np.nan)
    for epoch in learning.run(should_stop):
        if epoch.number % EVERY == 0 or epoch.number == epochs or learning.finished:
            yield _look(learning, made, epoch, clean)
        if epoch.number >= epochs:
            return


def _look(learning: Learning, made: Simulated, epoch: Epoch, clean: NDArray[Any]) -> Look:
    maps, predicted = (tensor.numpy() for tensor in learning.predict())
    off = [np.nanmean((maps[:, k] - made.truth[name]) ** 2) for k, name in enumerate(NAMES)]
    return Look(
        method=learning.settings.method,
        epoch=epoch.number,
        loss=epoch.loss,
        round=epoch.round,
        rmse=dict(zip(NAMES, np.sqrt(off).tolist(), strict=True)),
        training_rmse=float(np.sqrt(np.nanmean((learning.targets.numpy() - clean) ** 2))),
        quality=signal_quality(clean, learning.measured.numpy(), predicted, edges=EDGES),
    )
