"""From Optuna's trials to rows for people."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from napari_micromri.tuning.state import Origin, TrialRow, TrialState
from napari_micromri.tuning.trials import BASELINE, CONFIG, EPOCH, REASON, RUN, WORKER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from optuna.trial import FrozenTrial

    from napari_micromri.tuning.config import TuneConfig

STATES: Mapping[str, TrialState] = {
    "WAITING": "waiting",
    "RUNNING": "running",
    "COMPLETE": "done",
    "PRUNED": "pruned",
    "FAIL": "failed",
}
START_UP = {"tpe": 10, "gp": 10, "cmaes": 1, "nsgaii": 50, "nsgaiii": 50}
"""Trials that Optuna's samplers draw at random first, unless told otherwise."""

START_UP_OPTIONS = ("n_startup_trials", "population_size")


class Rows:
    """Makes rows of trials, and keeps those of trials that haven't changed.

    Parameters
    ----------
    folder
        Of the tuning, where relative paths of runs begin; None when there is none.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._kept: dict[int, tuple[FrozenTrial, TrialRow]] = {}

    def take(self, trials: Sequence[FrozenTrial], config: TuneConfig | None, now: float) -> tuple[TrialRow, ...]:
        """Give the rows of all trials."""
        rows = []
        for trial, origin in zip(trials, find_origins(trials, config), strict=True):
            kept = self._kept.get(trial.number)
            if kept is None or kept[0] is not trial or kept[1].origin != origin:
                kept = trial, replace(make_row(trial, self._folder, config), origin=origin)
                self._kept[trial.number] = kept
            row = kept[1]
            if row.state == "running" and row.started is not None:
                row = replace(row, seconds=max(0.0, now - row.started))
            rows.append(row)
        return tuple(rows)


def make_row(trial: FrozenTrial, folder: Path | None, config: TuneConfig | None) -> TrialRow:
    """Make the row of a trial; its ``origin`` is left open, since that depends on the others."""
    attributes = trial.user_attrs
    curve = tuple(sorted(trial.intermediate_values.items()))
    settings = attributes.get(CONFIG)
    settings = settings if isinstance(settings, dict) else None
    epoch = attributes.get(EPOCH)
    return TrialRow(
        number=trial.number,
        state=STATES[trial.state.name],
        values=tuple(map(float, trial.values)) if trial.values is not None else None,
        parameters=dict(trial.params),
        started=trial.datetime_start.timestamp() if trial.datetime_start is not None else None,
        seconds=trial.duration.total_seconds() if trial.duration is not None else None,
        epoch=epoch if isinstance(epoch, int) and epoch else (curve[-1][0] if curve else 0),
        epochs_planned=_epochs(trial, settings, config),
        run=find_run(attributes.get(RUN), folder),
        worker=str(attributes.get(WORKER, "")),
        reason=str(attributes.get(REASON, "")),
        curve=curve,
        retry_of=_retried(trial),
        settings=settings,
        baseline={} if not isinstance(found := attributes.get(BASELINE), dict) else found,
    )


def find_origins(trials: Sequence[FrozenTrial], config: TuneConfig | None) -> list[Origin]:
    """Tell for each trial whether its parameters were given, drawn at random, or suggested from what was learned.

    A sampler draws at random until so many trials have ended; with several workers that isn't the first so many.
    """
    ends = sorted(
        trial.datetime_complete
        for trial in trials
        if trial.state.name in ("COMPLETE", "PRUNED") and trial.datetime_complete is not None
    )
    needed = start_up_trials(config)
    origins: list[Origin] = []
    for trial in trials:
        if (again := _retried(trial)) is not None and again < len(origins):
            origins.append(origins[again])
        elif "fixed_params" in trial.system_attrs:
            origins.append("given")
        elif needed is None or (trial.datetime_start and bisect_right(ends, trial.datetime_start) < needed):
            origins.append("random")
        else:
            origins.append("suggested")
    return origins


def start_up_trials(config: TuneConfig | None) -> int | None:
    """Say how many trials must have ended before the sampler learns from them; None when it never does."""
    if config is None:
        return 0
    if config.sampler in ("random", "qmc"):
        return None
    named = (config.sampler_options.get(option) for option in START_UP_OPTIONS)
    given = next((value for value in named if isinstance(value, int)), None)
    return START_UP.get(config.sampler, 0) if given is None else given


def _retried(trial: FrozenTrial) -> int | None:
    """Give the trial before this one of the same settings, by the signs of Optuna's own retries."""
    history = trial.system_attrs.get("retry_history") or [trial.system_attrs.get("failed_trial")]
    return history[-1] if isinstance(history[-1], int) else None


def _epochs(trial: FrozenTrial, settings: Mapping[str, object] | None, config: TuneConfig | None) -> int | None:
    found = trial.params.get("epochs") or (settings or {}).get("epochs") or (config.base.epochs if config else None)
    return found if isinstance(found, int) else None


def find_run(text: object, folder: Path | None) -> Path | None:
    """Find a run directory by what `Workplace.place` noted, also of a tuning that was moved as a whole."""
    if not isinstance(text, str) or not text:
        return None
    path = Path(text)
    if folder is None:
        return path
    if not path.is_absolute():
        return folder / PurePosixPath(text)
    beside = folder / "runs" / path.name
    return beside if not path.exists() and beside.exists() else path
