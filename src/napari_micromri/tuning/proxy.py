"""Optuna's gRPC proxy with a heartbeat, which Optuna has for databases only."""

from __future__ import annotations

import time

from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import GrpcStorageProxy
from optuna.trial import TrialState

from napari_micromri.tuning.journal import GRACE_SECONDS, Retrying
from napari_micromri.tuning.persistence import is_unreachable

BEAT = "beat"


class BeatingProxy(GrpcStorageProxy, Retrying):
    """Workers leave signs of life in the attributes of their trials.

    Those who wait for a sign go by their own clock, since clocks of machines differ.
    """

    def __init__(self, *, host: str, port: int) -> None:
        super().__init__(host=host, port=port)
        self._seen: dict[int, tuple[object, float]] = {}

    def record_heartbeat(self, trial_id: int) -> None:
        """Leave a sign, unless the trial is over or the proxy away."""
        try:
            self.set_trial_system_attr(trial_id, BEAT, time.time())
        except Exception as error:
            if not isinstance(error, UpdateFinishedTrialError) and not is_unreachable(error):
                raise

    def _get_stale_trial_ids(self, study_id: int) -> list[int]:
        now, before = time.monotonic(), self._seen
        running = self.get_all_trials(study_id, deepcopy=False, states=(TrialState.RUNNING,))
        beats = {trial._trial_id: trial.system_attrs.get(BEAT) for trial in running}
        self._seen = {
            trial: before[trial] if trial in before and before[trial][0] == beat else (beat, now)
            for trial, beat in beats.items()
        }
        return [trial for trial, (_, since) in self._seen.items() if now - since > GRACE_SECONDS]
