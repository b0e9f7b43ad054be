"""A worker: takes trials until the tuning is complete, is stopped, or its time is up.

It trains in its own process: a trial then costs no start of Python and torch, and whatever kills the worker ends its
training, too, so that no training goes on unseen.
"""

from __future__ import annotations

import importlib
import logging
import time
from typing import TYPE_CHECKING

from napari_micromri.errors import TrainingError
from napari_micromri.tuning import slots
from napari_micromri.tuning.objective import Outcome, TrialRun, Workplace
from napari_micromri.tuning.patience import Patience
from napari_micromri.tuning.roster import Roster, Watch
from napari_micromri.tuning.search import make_pruner, make_sampler

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from napari_micromri.progress import ShouldStop
    from napari_micromri.tuning.storage import Tuning

LOOK_SECONDS = 1.0
ASK_SECONDS = 0.5
NOBODYS_SECONDS = 20.0
"""A trial that runs and has no worker for so long was taken by one that died on the spot."""

GAP_SECONDS = 10.0
"""A slot that is empty for so long was left by a program that died before it could fill it."""

MOST_FAILURES = 5

_logger = logging.getLogger(__name__)


class Worker:
    """Works on a tuning.

    Parameters
    ----------
    far
        The storage is a database or a proxy.
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
        far: bool = False,
        timeout_minutes: float | None = None,
    ) -> None:
        self._tuning, self._workplace, self._interrupted = tuning, workplace, should_stop
        self._roster = Roster(tuning, name, far=far)
        self._watch = Watch()
        self._patiently = Patience(self._tell_away, should_stop)
        self._until = None if timeout_minutes is None else time.monotonic() + 60 * timeout_minutes
        self._failures, self._reason = 0, ""
        self._trial: int | None = None
        self._asked_at, self._asked = 0.0, False
        tuning.optuna.pruner = make_pruner(tuning.config)

    def work(self) -> str:
        """Work to the end; gives the sentence why it ended.

        Raises
        ------
        TrainingError
            Too many trials failed, or the storage stayed away.
        """
        with self._roster:
            try:
                why = self._work()
            except BaseException as error:
                self._say_end(str(error) or "Interrupted at once.")
                raise
            self._say_end(why)
            return why

    def _work(self) -> str:
        while True:
            if self._should_stop():
                return "Stopped."
            trials = self._patiently(lambda: slots.all_trials(self._tuning))
            total = self._patiently(lambda: slots.wanted(self._tuning))
            if (done := slots.finished(trials, total)) == total:
                return f"The tuning is complete: {done} trials."
            if self._until is not None and time.monotonic() > self._until:
                return f"Its time is up; {done} of {total} trials are finished."
            self._take_care_of_the_dead(trials)
            self._fill_gaps(trials, total)
            if not self._work_once():
                time.sleep(LOOK_SECONDS)

    def _work_once(self) -> bool:
        """Do a trial, if there is one to be done."""
        if self._roster.asked_to_pause:
            self._roster.say("waiting", "Paused.")
            return False
        importlib.import_module("napari_micromri.training.engine.loop")  # seconds that no trial should be charged
        trial = self._patiently(lambda: slots.take(self._tuning, self._roster.name))
        if trial is None:
            self._roster.say("waiting", "Others are at work on the last trials.")
            return False
        self._trial = trial.number
        self._roster.say("working", trial=trial.number)
        _logger.info("Trial %d begins.", trial.number)
        self._tell(trial, self._train(trial))
        self._trial = None
        self._roster.say("waiting")
        if self._failures >= MOST_FAILURES:
            raise TrainingError(
                f"{MOST_FAILURES} trials in a row failed, the last one (trial {trial.number}) for this reason: "
                f"{self._reason} Mend that and start workers again."
            )
        return True

    def _train(self, trial: FrozenTrial) -> Outcome:
        from optuna import Trial

        study = self._tuning.optuna
        study.sampler = make_sampler(self._tuning.config, trial.number)
        handle = self._patiently(lambda: Trial(study, trial._trial_id))
        return TrialRun(self._tuning, handle, self._workplace, self._patiently).train(self._should_stop)

    def _tell(self, trial: FrozenTrial, outcome: Outcome) -> None:
        """Tell the storage what came of a trial; if it was given to another worker meanwhile, nothing changes."""
        from optuna.trial import TrialState

        tuning, number, reason = self._tuning, trial.number, outcome.reason
        self._reason = reason
        self._failures = self._failures + 1 if outcome.state == "failed" else 0
        _logger.info("Trial %d: %s. %s", number, outcome.state, reason)
        match outcome.state:
            case "done":
                self._patiently(lambda: tuning.optuna.tell(number, list(outcome.values), skip_if_finished=True))
            case "pruned":
                self._patiently(lambda: self._note_reason(trial, reason))
                self._patiently(lambda: tuning.optuna.tell(number, state=TrialState.PRUNED, skip_if_finished=True))
            case "failed":
                self._patiently(lambda: slots.fail(tuning, number, reason, again=False))
            case "again":
                self._patiently(lambda: slots.fail(tuning, number, reason, again=True, counts=False))

    def _note_reason(self, trial: FrozenTrial, reason: str) -> None:
        from optuna.exceptions import UpdateFinishedTrialError

        try:
            slots.note(self._tuning, trial, slots.REASON, reason)
        except UpdateFinishedTrialError:
            return

    def _take_care_of_the_dead(self, trials: list[FrozenTrial]) -> None:
        """Fail the trials whose worker is no more, to be tried again."""
        running = [trial for trial in trials if trial.state.name == "RUNNING"]
        if not running:
            return
        records = self._patiently(self._roster.others)
        for trial in running:
            worker = trial.user_attrs.get(slots.WORKER)
            record = records.get(worker) if worker is not None else None
            if record is None or record.phase == "ended" or record.trial != trial.number:
                # The words of a worker and of the storage don't come at the same moment.
                if self._watch.seconds(f"trial {trial.number}", (worker, record is None)) < NOBODYS_SECONDS:
                    continue
            elif self._watch.lives(record):
                continue
            self._bury(trial, worker)

    def _bury(self, trial: FrozenTrial, worker: str | None) -> None:
        reason = f"Its worker {worker or ''} died; the trial will be gone on with.".replace("  ", " ")
        if self._patiently(lambda: slots.fail(self._tuning, trial.number, reason, again=True)):
            _logger.info("Trial %d: %s", trial.number, reason)

    def _fill_gaps(self, trials: list[FrozenTrial], total: int) -> None:
        held = {trial.user_attrs.get(slots.SLOT) for trial in trials if trial.state.name != "FAIL"}
        gaps = tuple(slot for slot in range(total) if slot not in held)
        if self._watch.seconds("gaps", gaps) > GAP_SECONDS and gaps:
            self._patiently(lambda: slots.fill(self._tuning))

    def _should_stop(self) -> bool:
        """Ask, at most twice a second."""
        if self._interrupted():
            self._asked = True
        elif time.monotonic() - self._asked_at > ASK_SECONDS:
            self._asked_at, self._asked = time.monotonic(), self._roster.asked_to_stop
        if self._asked and self._trial is not None:
            self._roster.say("stopping", trial=self._trial)
        return self._asked

    def _tell_away(self, words: str) -> None:
        if words:
            _logger.warning("%s", words)
        self._roster.say("working" if self._trial is not None else "waiting", words, trial=self._trial)

    def _say_end(self, words: str) -> None:
        _logger.info("%s", words)
        self._roster.say("ended", words)
