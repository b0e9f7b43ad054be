"""Make a tuning, or prepare one that is there to be continued."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_micromri.errors import InputError, TrainingError, WriteError, describe_os_error
from napari_micromri.tuning.address import remember
from napari_micromri.tuning.folder import TuneFolder
from napari_micromri.tuning.parameters import as_stored
from napari_micromri.tuning.persistence import reachable
from napari_micromri.tuning.storage import close_storage, create_study
from napari_micromri.tuning.trials import TRIALS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_micromri.tuning.config import TuneConfig

BROUGHT = ("network", "upsampling", "normalisation")
"""Settings that a model to start from brings along."""


def create_tuning(
    path: Path | str,
    config: TuneConfig,
    *,
    storage: str | None = None,
    first: Sequence[Mapping[str, Any]] | None = None,
) -> TuneFolder:
    """Make a tuning, or prepare the one that is there to be continued; no worker is started.

    Parameters
    ----------
    storage
        URL of an Optuna storage; by default the journal in the folder. Its password is kept in memory only.
    first
        Values of parameters that the first trials shall try; by default those of the settings to start from, if the
        space holds them.

    Raises
    ------
    TrainingError
        The folder holds something else, or a tuning with other settings (only the number of trials and the time may
        change); the study has no slices to judge by; the storage can't be reached.
    StudyError
        There is no such study.
    InputError
        The settings don't fit together.
    """
    from filelock import FileLock

    config = _settle(config)
    folder = TuneFolder(path)
    shown = None if storage is None else remember(storage)
    try:
        folder.make()
        with FileLock(folder.lock):
            _check_the_one_there(folder, config, shown)
            if storage is not None:  # one that can't be reached leaves no folder that says otherwise
                close_storage(create_study(storage, config, folder).storage)
            folder.tell(config, shown)
            with create_study(folder, config, folder) as tuning, reachable(folder):
                tuning.optuna.set_user_attr(TRIALS, config.trials)
                if not tuning.optuna.get_trials(deepcopy=False):
                    for values in _beginning(config) if first is None else first:
                        tuning.optuna.enqueue_trial({name: as_stored(value) for name, value in values.items()})
    except OSError as error:
        raise TrainingError(describe_os_error(error, folder.path)) from error
    except WriteError as error:
        raise TrainingError(str(error)) from error
    return folder


def _beginning(config: TuneConfig) -> list[dict[str, Any]]:
    values = config.space.values_of(config.base.model_dump(mode="json"))
    return [] if values is None else [values]


def _settle(config: TuneConfig) -> TuneConfig:
    """Check what can be checked before any trial, and let runs be judged by what they are tuned for."""
    from napari_micromri.training.beginning import settle_config
    from napari_micromri.training.data import check_data
    from napari_micromri.tuning.search import make_pruner, make_sampler

    if config.base.devices * config.base.nodes > 1:
        raise InputError("A trial trains in one process: leave devices and nodes at 1, and start more workers.")
    study = Path(config.study).resolve()
    check_data(study)
    base = settle_config(config.base.model_copy(update={"monitor": config.curve}))
    brought = [name for name in config.space.parameters if name.startswith(BROUGHT)]
    if base.init_from is not None and brought:
        raise InputError(f"'{brought[0]}' can't be searched, since {base.init_from} brings its own.")
    config = config.model_copy(update={"base": base, "study": str(study)})
    make_sampler(config, 0)
    make_pruner(config)
    return config


def _check_the_one_there(folder: TuneFolder, config: TuneConfig, storage: str | None) -> None:
    if not folder.exists:
        return
    settings = folder.read()
    may_change = {"trials": 0, "timeout_minutes": None}
    before, now = (c.model_copy(update=may_change).model_dump() for c in (settings.config, config))
    others = [key for key in now if now[key] != before[key]] + ["storage"] * (settings.storage != storage)
    if others:
        raise TrainingError(
            f"{folder.path} holds a tuning with other settings ({', '.join(others)}). Choose another folder; only the "
            "number of trials and the time of a tuning can be changed."
        )
