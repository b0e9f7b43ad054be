"""What is noted beside Optuna's trials, how many are wanted, and how those of workers that are gone are tried again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_micromri.quiet import quiet

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

WORKER, REASON, RUN, CONFIG, EPOCH, BASELINE = "worker", "reason", "run", "config", "epoch", "baseline"
"""User attributes of a trial: who took it, why it ended, its run directory, its settings, its last epoch, and what the
input itself reaches on the validation slices."""

TRIALS = "trials"
"""User attribute of the study: how many finished trials are wanted."""

RETRIES = 2
"""So often settings are tried again when workers die over them: they may be what kills them."""


def finished(study: Study) -> int:
    """Count the trials that are done or pruned."""
    return sum(trial.state.name in ("COMPLETE", "PRUNED") for trial in study.get_trials(deepcopy=False))


def wanted(study: Study, otherwise: int) -> int:
    """Tell how many finished trials are wanted now; a person may have changed it meanwhile."""
    number = study.user_attrs.get(TRIALS)
    return number if isinstance(number, int) else otherwise


def retry(study: Study, trial: FrozenTrial) -> None:
    """Queue a trial's settings, to be continued from its run: what Optuna calls when a worker is gone."""
    from optuna.storages import RetryHeartbeatStaleTrialCallback

    trial.user_attrs = {key: value for key, value in trial.user_attrs.items() if key == RUN}
    with quiet():  # Optuna calls it experimental
        RetryHeartbeatStaleTrialCallback(max_retry=RETRIES)(study, trial)


def continue_later(study: Study, trial: FrozenTrial) -> None:
    """Queue a trial that was asked to stop, which doesn't count as one of its retries."""
    trial.system_attrs.pop("retry_history", None)
    retry(study, trial)
