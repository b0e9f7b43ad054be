"""Optuna's gRPC proxy with a heartbeat, which Optuna has for databases only."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import GrpcStorageProxy
from optuna.storages._heartbeat import BaseHeartbeat
from optuna.trial import TrialState

from napari_micromri.tuning.storage import BEAT_SECONDS, GRACE_SECONDS, is_unreachable
from napari_micromri.tuning.trials import retry

if TYPE_CHECKING:
    from collections.abc import Callable

BEAT = "beat"


class BeatingProxy(GrpcStorageProxy, BaseHeartbeat):
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

    def get_heartbeat_interval(self) -> int:
        """Give the seconds between two signs."""
        return BEAT_SECONDS

    def get_heartbeat_stale_trial_callback(self) -> Callable[..., None]:
        """Give what follows a long silence."""
        return retry
