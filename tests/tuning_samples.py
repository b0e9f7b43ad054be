"""Tunings to look at: folders with a journal as the workers write it, without any training."""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from napari_micromri.training.config import TrainConfig
from napari_micromri.tuning.config import TuneConfig, make_tune_config
from napari_micromri.tuning.folder import TuneFolder
from napari_micromri.tuning.space import Choice, Float, SearchSpace
from napari_micromri.tuning.storage import ATTRIBUTE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from optuna.storages import BaseStorage

BEGAN = datetime.now().replace(microsecond=0) - timedelta(hours=1)
EPOCHS = 8

SPACE = SearchSpace(
    parameters={
        "network.features_main.0": Choice(values=(8, 16, 32)),
        "network.residual": Choice(values=(True, False)),
        "learning_rate": Float(low=1e-5, high=1e-2, log=True),
        "optimizer": Choice(values=("adam", "sgd")),
        "loss": Choice(values=("mse", "hybrid")),
        "alpha": Float(low=0.0, high=1.0, when={"loss": ("hybrid",)}),
    }
)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Optuna from telling of every trial."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    yield
    optuna.logging.set_verbosity(before)


def make_tuning_config(**fields: Any) -> TuneConfig:
    """What a small tuning is told; any field can be given."""
    small: dict[str, Any] = {
        "name": "blobs",
        "study": "mice.mri.zarr",
        "base": TrainConfig(epochs=EPOCHS, optimizer="adam"),
        "space": SPACE,
        "trials": 24,
    }
    return make_tune_config(**small | fields)


@dataclass
class Sample:
    """A tuning that grows trial by trial."""

    folder: TuneFolder
    config: TuneConfig
    study: optuna.Study
    _asked: optuna.Study = field(init=False)

    def __post_init__(self) -> None:
        with quiet():
            self._asked = optuna.create_study(
                directions=self.config.directions, sampler=optuna.samplers.TPESampler(seed=self.config.seed)
            )

    def add(self, state: str = "done", **about: Any) -> FrozenTrial:
        """Add a trial in a state; ``about`` are its attributes, or ``values``, ``retry_of`` and ``given``."""
        number = len(self.study.get_trials(deepcopy=False))
        asked = self._asked.ask()
        trial = self._trial(number, asked, state, about)
        with quiet():
            self.study.add_trial(trial)
            if trial.state == TrialState.COMPLETE:
                self._asked.tell(asked, trial.values)
        return trial

    def run_of(self, number: int) -> Path:
        """Place of a trial's run directory."""
        return self.folder.runs / f"trial-{number:04}"

    def _trial(self, number: int, asked: optuna.Trial, state: str, about: dict[str, Any]) -> FrozenTrial:
        values = self.config.space.suggest(asked)
        started = BEGAN + timedelta(seconds=30 * number)
        figures = about.pop("values", None) or self._figures(asked.params)
        system: dict[str, Any] = {}
        if (again := about.pop("retry_of", None)) is not None:
            system["failed_trial"] = again
        if about.pop("given", False):
            system["fixed_params"] = dict(asked.params)
        attributes = {
            "run": f"runs/trial-{number:04}",
            "worker": f"worker-{1 + number % 2:02}",
            "config": self.config.space.settings(values, self.config.base.model_dump(mode="json")),
        }
        frozen = FrozenTrial(
            number=number,
            trial_id=number,
            state=TrialState.COMPLETE,
            value=None,
            values=None,
            datetime_start=started,
            datetime_complete=started + timedelta(seconds=50),
            params=asked.params,
            distributions=asked.distributions,
            user_attrs=attributes | about,
            system_attrs=system,
            intermediate_values={},
        )
        _finish(frozen, state, figures)
        return frozen

    def _figures(self, parameters: dict[str, Any]) -> tuple[float, ...]:
        away = abs(math.log10(parameters["learning_rate"]) + 3)
        mse = (
            0.05
            + 0.02 * away
            + (0.01 if parameters["network.residual"] else 0.0)
            + 0.02 / parameters["network.features_main.0"]
        )
        figures = {
            "mse": mse,
            "ssim": 1 - 3 * mse,
            "latency": 1e-3 * parameters["network.features_main.0"],
            "parameters": 100.0 * parameters["network.features_main.0"] ** 2,
        }
        return tuple(figures[objective] for objective in self.config.objectives)


def _finish(trial: FrozenTrial, state: str, figures: tuple[float, ...]) -> None:
    """Give a trial its curve, figures and end."""
    curve = {epoch: figures[0] * (1 + 2 / epoch) for epoch in range(1, EPOCHS + 1)}
    curve[EPOCHS] = figures[0]
    half = {epoch: curve[epoch] for epoch in range(1, EPOCHS // 2 + 1)}
    match state:
        case "done":
            trial.values, trial.intermediate_values = list(figures), curve
        case "pruned":
            trial.state, trial.intermediate_values = TrialState.PRUNED, half
            trial.values = [half[EPOCHS // 2]] if len(figures) == 1 else None
            trial.user_attrs.setdefault("reason", "worse than the median of the others at epoch 4")
        case "failed":
            trial.state = TrialState.FAIL
            trial.user_attrs.setdefault("reason", "The loss is no longer a number.")
        case "running":
            trial.state, trial.datetime_complete, trial.intermediate_values = TrialState.RUNNING, None, half
        case "waiting":
            trial.state, trial.datetime_start, trial.datetime_complete = TrialState.WAITING, None, None
    if trial.intermediate_values:
        trial.user_attrs["epoch"] = max(trial.intermediate_values)


def make_tuning(path: Path, storage: BaseStorage | None = None, **fields: Any) -> Sample:
    """Make a tuning without trials; ``fields`` are those of its `TuneConfig`."""
    config = make_tuning_config(**fields)
    folder = TuneFolder(path)
    folder.make()
    folder.tell(config, None)
    with quiet():
        study = optuna.create_study(
            study_name=config.name,
            storage=storage or JournalStorage(JournalFileBackend(str(folder.journal))),
            directions=config.directions,
        )
    study.set_user_attr(ATTRIBUTE, {"config": config.model_dump(mode="json"), "folder": str(folder.path.resolve())})
    return Sample(folder, config, study)


def make_full_tuning(path: Path, trials: int = 24, **fields: Any) -> Sample:
    """Make a tuning with trials in every state; the first has the settings that it began with, one was tried again."""
    sample = make_tuning(path, **{"trials": trials + 3} | fields)
    sample.add(given=True)
    for number in range(1, trials):
        state = "pruned" if number % 5 == 4 and len(sample.config.objectives) == 1 else "done"
        sample.add(state)
    sample.add("failed")
    sample.add(retry_of=trials)
    sample.add("running")
    sample.add("waiting")
    return sample
