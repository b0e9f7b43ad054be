"""A worker: lets Optuna take trials until the tuning is complete, is stopped, or its time is up.

It trains in its own process: a trial then costs no start of Python and torch, and whatever kills the worker ends its
training, too, so that no training runs unseen.
"""

from __future__ import annotations

import importlib
import logging
import time
from typing import TYPE_CHECKING

from napari_micromri.errors import TrainingError
from napari_micromri.quiet import quiet
from napari_micromri.tuning.objective import FailedTrial, InterruptedTrial, TrialRun
from napari_micromri.tuning.persistence import Persistence, StorageAwayError, is_unreachable, make_persistent
from napari_micromri.tuning.search import make_pruner, make_sampler
from napari_micromri.tuning.storage import WISH
from napari_micromri.tuning.trials import REASON, WORKER, continue_later, finished, wanted
from napari_micromri.tuning.workers import Sign
from napari_micromri.words import counted

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

    from napari_micromri.progress import ShouldStop
    from napari_micromri.tuning.objective import Workplace
    from napari_micromri.tuning.storage import Tuning

LOOK_SECONDS = 1.0
ASK_SECONDS, ASK_FAR_SECONDS = 0.5, 20.0
"""Between two looks for wishes, in the folder and in a database."""

MOST_FAILURES = 5

_logger = logging.getLogger(__name__)


class Worker:
    """Works on a tuning.

    It begins no trial while others run the last ones; those who begin at the same moment may finish a few more.

    Parameters
    ----------
    timeout_minutes
        Begin no trial later than this.
    """

    def __init__(
        self,
        tuning: Tuning,
        name: str,
        workplace: Workplace,
        should_stop: ShouldStop,
        *,
        timeout_minutes: float | None = None,
    ) -> None:
        self._tuning, self._workplace, self._interrupted = tuning, workplace, should_stop
        self._study = tuning.optuna
        self._study.pruner = make_pruner(tuning.config)
        self._sign = Sign(tuning.folder, name)
        self._patiently = Persistence(self._tell_away, should_stop)
        make_persistent(tuning.storage, self._patiently)
        self._until = None if timeout_minutes is None else time.monotonic() + 60 * timeout_minutes
        self._failures = 0
        self._trial: Trial | None = None
        self._again = False
        self._asked_at, self._wish = -ASK_FAR_SECONDS, ""

    def work(self) -> str:
        """Work to the end; gives the sentence why it ended.

        Raises
        ------
        TrainingError
            Too many trials failed, or the storage stayed away.
        """
        importlib.import_module("napari_micromri.training.engine.loop")  # seconds that no trial should be charged
        with self._sign:
            try:
                why = self._work()
            except BaseException as error:
                self._say_end(str(error) or "Interrupted at once.")
                raise
            self._say_end(why)
            return why

    def _work(self) -> str:
        while True:
            try:
                if (why := self._patiently(self._why_end)) is not None:
                    return why
                if (wish := self._ask()) == "stop":
                    continue  # wished since the line above asked: a trial that begins now would only be interrupted
                if wish == "pause":
                    self._sign.say("waiting", "Paused.")
                    time.sleep(LOOK_SECONDS)
                elif self._is_enough():
                    self._sign.say("waiting", "Others are running the last trials.")
                    time.sleep(LOOK_SECONDS)
                    self._bury()
                else:
                    self._optimize()
            except Exception as raised:
                # Optuna asserts that a trial is over when it couldn't say so: what it couldn't lies behind that.
                error = raised.__context__ if isinstance(raised, AssertionError) and raised.__context__ else raised
                # A trial may be taken from a worker that was suspended: the next one, then. A storage that is away
                # leaves the trial to those who find it without a worker.
                if isinstance(error, StorageAwayError) or not (self._is_lost(error) or is_unreachable(error)):
                    raise error from None
                _logger.warning("Trial %s was lost: %s", self._number, error)

    def _why_end(self) -> str | None:
        if self._should_stop():
            return "Stopped."
        done, total = finished(self._study), self._wanted()
        if done >= total:
            return f"The tuning is complete: {counted(done, 'trial')}."
        if self._until is not None and time.monotonic() > self._until:
            return f"Its time is up; {done} of {total} trials are finished."
        return None

    def _is_enough(self) -> bool:
        """Tell whether the trials that others are running are the last ones; should those die, there are more to do."""
        running = sum(
            trial.state.name == "RUNNING" and WORKER in trial.user_attrs
            for trial in self._study.get_trials(deepcopy=False)
        )
        return finished(self._study) + running >= self._wanted()

    def _bury(self) -> None:
        from optuna.storages import fail_stale_trials

        with quiet():  # Optuna calls it experimental
            fail_stale_trials(self._study)

    def _optimize(self) -> None:
        left = None if self._until is None else self._until - time.monotonic()
        self._study.optimize(
            self._objective, timeout=left, catch=(FailedTrial, InterruptedTrial), callbacks=[self._after_trial]
        )

    def _objective(self, trial: Trial) -> tuple[float, ...]:
        self._trial, self._again = trial, False
        self._sign.say("working", trial=trial.number)
        trial.set_user_attr(WORKER, self._sign.name)
        # The random numbers of a trial follow from seed and number, whichever worker runs it.
        self._study.sampler = make_sampler(self._tuning.config, trial.number)
        _logger.info("Trial %d begins.", trial.number)
        try:
            return TrialRun(self._tuning, trial, self._workplace).train(self._should_stop)
        except Exception as error:
            self._again = isinstance(error, InterruptedTrial) or is_unreachable(error)
            if self._again:
                raise InterruptedTrial(str(error)) from error
            raise

    def _after_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Queue what was interrupted, give up after too many failures, and stop when enough is done or asked for."""
        from optuna.study import MaxTrialsCallback
        from optuna.trial import TrialState

        reason = trial.user_attrs.get(REASON, "")
        _logger.info("Trial %d: %s. %s", trial.number, trial.state.name.lower(), reason)
        self._sign.say("waiting")
        if self._again:
            continue_later(study, trial)
        self._failures = self._failures + 1 if trial.state == TrialState.FAIL and not self._again else 0
        if self._failures >= MOST_FAILURES:
            raise TrainingError(
                f"{MOST_FAILURES} trials in a row failed, the last one (trial {trial.number}) for this reason: "
                f"{reason} Fix that, then start the workers again."
            )
        MaxTrialsCallback(self._wanted(), (TrialState.COMPLETE, TrialState.PRUNED))(study, trial)
        if self._should_stop() or self._ask() == "pause" or self._is_enough():
            study.stop()

    def _wanted(self) -> int:
        return wanted(self._study, self._tuning.config.trials)

    @property
    def _number(self) -> int | None:
        return self._trial.number if self._trial is not None else None

    def _is_lost(self, error: BaseException) -> bool:
        """Tell whether an error comes from a trial that others have finished meanwhile."""
        from optuna.exceptions import UpdateFinishedTrialError

        if isinstance(error, UpdateFinishedTrialError):
            return True
        if not isinstance(error, ValueError) or self._trial is None:  # "Cannot tell a FAIL trial"
            return False
        return self._tuning.storage.get_trial(self._trial._trial_id).state.is_finished()

    def _should_stop(self) -> bool:
        stop = self._interrupted() or self._ask() == "stop"
        if stop and self._sign.now.phase == "working":
            self._sign.say("stopping", trial=self._number)
        return stop

    def _ask(self) -> str:
        """Ask what is wished: ``stop``, ``pause``, or nothing; only now and then."""
        folder = self._tuning.folder
        near = folder.exists
        if time.monotonic() - self._asked_at > (ASK_SECONDS if near else ASK_FAR_SECONDS):
            self._asked_at = time.monotonic()
            try:
                self._wish = folder.wish if near else str(self._study.user_attrs.get(WISH, ""))
            except Exception as error:
                if not is_unreachable(error):
                    raise
        return self._wish

    def _tell_away(self, words: str) -> None:
        if words:
            _logger.warning("%s", words)
        self._sign.say(self._sign.now.phase, words, trial=self._sign.now.trial)

    def _say_end(self, words: str) -> None:
        self._sign.say("ended", words)
