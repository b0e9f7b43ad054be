"""Workers: how many trials they do, trials of the dead, wishes, and when to give up."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from optuna import Trial, TrialPruned, create_study
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage, fail_stale_trials
from optuna.trial import TrialState

import napari_micromri.training.engine.loop  # noqa: F401  # before the threads, which else import it all at once
from napari_micromri.errors import TrainingError
from napari_micromri.progress import never
from napari_micromri.runs.presence import Presence, write_presence
from napari_micromri.tuning import journal, persistence
from napari_micromri.tuning import worker as worker_module
from napari_micromri.tuning.objective import FailedTrial, InterruptedTrial, TrialRun, Workplace
from napari_micromri.tuning.persistence import Persistence, make_persistent
from napari_micromri.tuning.process import create_tuning, pause_tuning, read_workers, resume_tuning, stop_tuning
from napari_micromri.tuning.storage import Tuning, open_tuning
from napari_micromri.tuning.trials import REASON, RETRIES, RUN, WORKER
from napari_micromri.tuning.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_micromri.progress import ShouldStop
    from napari_micromri.tuning.config import TuneConfig

# Tests ask Optuna for single trials, outside of `optimize`.
pytestmark = [pytest.mark.filterwarnings("ignore:Heartbeat"), pytest.mark.filterwarnings("ignore:.*experimental")]

DEAD = 4_000_000
"""No process has this number."""

Outcome = Any
"""Values, an exception, or what is called with the trial and gives one of them."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOOK_SECONDS", "ASK_SECONDS"):
        monkeypatch.setattr(worker_module, name, 0.02)


@pytest.fixture
def make_tuning(tmp_path: Path, make_config: Callable[..., TuneConfig]) -> Callable[..., Tuning]:
    def make(**fields: Any) -> Tuning:
        return open_tuning(create_tuning(tmp_path / "tuning", make_config(**fields)).path)

    return make


@pytest.fixture
def outcomes(monkeypatch: pytest.MonkeyPatch) -> list[Outcome]:
    """What comes of the next trials, instead of training; the last one again and again."""
    planned: list[Outcome] = [(0.5,)]

    def train(self: TrialRun, should_stop: ShouldStop) -> tuple[float, ...]:
        self._tuning.config.space.suggest(self._trial)
        outcome = planned.pop(0) if len(planned) > 1 else planned[0]
        outcome = outcome(self._trial, should_stop) if callable(outcome) else outcome
        if isinstance(outcome, Exception):
            self._trial.set_user_attr(REASON, str(outcome))
            raise outcome
        return outcome

    monkeypatch.setattr(TrialRun, "train", train)
    return planned


def make_worker(tuning: Tuning, name: str = "worker-01", should_stop: ShouldStop = never, **options: Any) -> Worker:
    return Worker(tuning, name, Workplace(Path(tuning.config.study), tuning.folder.runs, 1), should_stop, **options)


def states(tuning: Tuning) -> list[str]:
    return [trial.state.name for trial in tuning.optuna.get_trials()]


@pytest.mark.usefixtures("outcomes")
def test_a_worker_does_so_many_trials_and_no_more(
    make_tuning: Callable[..., Tuning], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "napari_micromri")
    tuning = make_tuning(trials=5)
    assert make_worker(tuning).work() == "The tuning is complete: 5 trials."
    assert "tuning is complete" not in caplog.text  # whoever made the worker says it, once
    assert states(tuning) == ["COMPLETE"] * 5
    assert {trial.user_attrs[WORKER] for trial in tuning.optuna.get_trials()} == {"worker-01"}
    [row] = read_workers(tuning.folder.path)
    assert (row.state, row.message) == ("ended", "The tuning is complete: 5 trials.")
    assert make_worker(tuning, "worker-02").work() == "The tuning is complete: 5 trials."
    assert states(tuning) == ["COMPLETE"] * 5


@pytest.mark.usefixtures("outcomes")
def test_many_workers_at_once_double_no_trial(make_tuning: Callable[..., Tuning]) -> None:
    tuning, workers = make_tuning(trials=12), 4
    barrier = threading.Barrier(workers)

    def work(number: int) -> None:
        worker = make_worker(open_tuning(tuning.folder.path), f"worker-{number}")
        barrier.wait()
        worker.work()

    with ThreadPoolExecutor(workers) as threads:
        list(threads.map(work, range(workers)))  # raises what one of them raised
    counts = Counter(states(tuning))
    assert counts.keys() == {"COMPLETE"}
    assert 12 <= counts["COMPLETE"] < 12 + workers
    rates = [trial.params["learning_rate"] for trial in tuning.optuna.get_trials()]
    assert len(set(rates)) == len(rates)


@pytest.mark.usefixtures("outcomes")
def test_with_one_worker_the_same_seed_gives_the_same_trials(
    tmp_path: Path, make_config: Callable[..., TuneConfig]
) -> None:
    def rates(name: str, *stops: int, seed: int = 3) -> list[float]:
        folder = create_tuning(tmp_path / name, make_config(seed=seed, trials=6), first=[])
        tuning = open_tuning(folder.path)
        for number, trials in enumerate((*stops, 6)):  # also over several starts
            create_tuning(tmp_path / name, make_config(seed=seed, trials=trials))
            make_worker(tuning, f"worker-{number}").work()
        return [trial.params["learning_rate"] for trial in tuning.optuna.get_trials()]

    once = rates("once")
    assert rates("in parts", 2, 3) == once
    assert rates("other", seed=4) != once


def test_pruned_trials_count_and_failed_ones_do_not(make_tuning: Callable[..., Tuning], outcomes: list[Any]) -> None:
    outcomes[:0] = [TrialPruned("It fell behind."), FailedTrial("The loss explodes.")]
    tuning = make_tuning(trials=3)
    make_worker(tuning).work()
    assert states(tuning) == ["PRUNED", "FAIL", "COMPLETE", "COMPLETE"]
    reasons = [trial.user_attrs.get(REASON) for trial in tuning.optuna.get_trials()]
    assert reasons == ["It fell behind.", "The loss explodes.", None, None]


def test_five_failures_in_a_row_end_a_worker_with_a_sentence(
    make_tuning: Callable[..., Tuning], outcomes: list[Any]
) -> None:
    outcomes[:] = [FailedTrial("The disk is full.")] * 4 + [(1.0,), FailedTrial("The disk is full.")]
    tuning = make_tuning(trials=2)
    with pytest.raises(TrainingError, match=r"5 trials in a row failed.*trial 9.*The disk is full\."):
        make_worker(tuning).work()
    assert Counter(states(tuning)) == {"FAIL": 9, "COMPLETE": 1}
    assert read_workers(tuning.folder.path)[0].message.startswith("5 trials in a row failed")


def test_a_stopped_worker_gives_its_trial_back(make_tuning: Callable[..., Tuning], outcomes: list[Any]) -> None:
    def stopped(trial: Trial, should_stop: ShouldStop) -> Outcome:
        trial.set_user_attr(RUN, "runs/trial-0000")
        stop_tuning(tuning.folder.path)
        time.sleep(0.05)
        return InterruptedTrial("It was asked to stop.") if should_stop() else (9.0,)

    tuning = make_tuning(trials=2)
    outcomes[:0] = [stopped]
    assert make_worker(tuning).work() == "Stopped."
    assert states(tuning) == ["FAIL", "WAITING"]
    resume_tuning(tuning.folder.path)
    make_worker(tuning, "worker-02").work()
    assert states(tuning) == ["FAIL", "COMPLETE", "COMPLETE"]
    first, again, _ = tuning.optuna.get_trials()
    assert again.params == first.params
    assert again.user_attrs == {RUN: "runs/trial-0000", WORKER: "worker-02"}
    assert again.system_attrs["failed_trial"] == 0


def test_a_storage_that_stays_away_fails_no_trial(make_tuning: Callable[..., Tuning], outcomes: list[Any]) -> None:
    tuning = make_tuning(trials=1)
    outcomes[:0] = [persistence.StorageAwayError("The storage can't be reached: refused.")]
    with pytest.raises(TrainingError, match="can't be reached"):
        make_worker(tuning).work()
    make_worker(tuning, "worker-02").work()
    assert states(tuning)[-1] == "COMPLETE"


@pytest.mark.usefixtures("outcomes")
def test_a_pause_begins_nothing_new(make_tuning: Callable[..., Tuning]) -> None:
    tuning = make_tuning(trials=1)
    pause_tuning(tuning.folder.path)
    looks = iter([False] * 6 + [True])
    assert make_worker(tuning, should_stop=lambda: next(looks)).work() == "Stopped."
    assert states(tuning).count("COMPLETE") == 0
    resume_tuning(tuning.folder.path)
    assert make_worker(tuning).work().startswith("The tuning is complete")


@pytest.mark.usefixtures("outcomes")
def test_when_its_time_is_up_a_worker_begins_nothing_new(make_tuning: Callable[..., Tuning]) -> None:
    tuning = make_tuning(trials=3)
    assert make_worker(tuning, timeout_minutes=1e-9).work() == "Its time is up; 0 of 3 trials are finished."
    assert "COMPLETE" not in states(tuning)


def leave_a_trial(tuning: Tuning, worker: str = "worker-09", **presence: Any) -> Trial:
    """A trial that runs, as its worker left it: dead, unless ``presence`` says otherwise."""
    trial = tuning.optuna.ask()
    tuning.config.space.suggest(trial)
    trial.set_user_attr(WORKER, worker)
    trial.set_user_attr(RUN, "runs/trial-0000")
    content = {"pid": DEAD, "host": Presence.of(DEAD).host, "created": 0.0, "claimed": 0.0, "time": 0.0} | presence
    write_presence(tuning.folder.workers / f"{worker}.json", Presence(**content))
    return trial


@pytest.mark.usefixtures("outcomes")
def test_the_trial_of_a_dead_worker_is_continued(make_tuning: Callable[..., Tuning]) -> None:
    tuning = make_tuning(trials=2)
    dead = leave_a_trial(tuning)
    make_worker(tuning).work()
    assert states(tuning) == ["FAIL", "COMPLETE", "COMPLETE"]
    again = tuning.optuna.get_trials()[1]
    assert again.params == dead.params
    assert again.user_attrs == {RUN: "runs/trial-0000", WORKER: "worker-01"}
    assert again.system_attrs["retry_history"] == [0]


@pytest.mark.usefixtures("outcomes")
def test_the_trial_of_a_worker_that_lives_is_its_own(make_tuning: Callable[..., Tuning]) -> None:
    tuning = make_tuning(trials=2)
    theirs = leave_a_trial(tuning, host="elsewhere", time=time.time())
    looks = iter([False] * 20 + [True])
    assert make_worker(tuning, should_stop=lambda: next(looks)).work() == "Stopped."
    assert states(tuning) == ["RUNNING", "COMPLETE"]
    tuning.optuna.tell(theirs, 0.5)
    assert make_worker(tuning).work() == "The tuning is complete: 2 trials."


@pytest.mark.usefixtures("outcomes")
def test_a_trial_that_was_taken_by_nobody_is_found(
    make_tuning: Callable[..., Tuning], monkeypatch: pytest.MonkeyPatch
) -> None:
    tuning = make_tuning(trials=2)
    tuning.optuna.ask()  # and dead before it could write its name
    make_worker(tuning).work()
    assert states(tuning)[0] == "RUNNING"
    monkeypatch.setattr("napari_micromri.tuning.workers.NOBODYS_SECONDS", -1.0)
    create_tuning(tuning.folder.path, tuning.config.model_copy(update={"trials": 3}))
    make_worker(tuning).work()
    assert states(tuning)[0] == "FAIL"


def test_settings_that_kill_their_workers_are_given_up(make_tuning: Callable[..., Tuning]) -> None:
    tuning = make_tuning(trials=1)
    rates = []
    for _ in range(RETRIES + 2):
        rates.append(leave_a_trial(tuning).params["learning_rate"])
        fail_stale_trials(tuning.optuna)
    assert len(set(rates[: RETRIES + 1])) == 1
    assert rates[-1] != rates[0]


@pytest.mark.parametrize("moment", ["while it trains", "at its end"])
def test_a_suspended_worker_that_was_taken_for_dead_takes_the_next_trial(
    make_tuning: Callable[..., Tuning], outcomes: list[Any], moment: str
) -> None:
    def suspended(trial: Trial, _should_stop: ShouldStop) -> Outcome:
        tuning.storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
        if moment == "while it trains":
            trial.report(0.1, 1)
        return (0.1,)

    tuning = make_tuning(trials=2)
    outcomes[:0] = [suspended]
    assert make_worker(tuning).work() == "The tuning is complete: 2 trials."
    assert [(t.state.name, t.values) for t in tuning.optuna.get_trials()] == [
        ("FAIL", None),
        ("COMPLETE", [0.5]),
        ("COMPLETE", [0.5]),
    ]


@pytest.mark.usefixtures("outcomes")
def test_a_worker_that_is_suspended_before_it_writes_its_name_takes_the_next_trial(
    make_tuning: Callable[..., Tuning], monkeypatch: pytest.MonkeyPatch
) -> None:
    tuning = make_tuning(trials=1)
    write = Trial.set_user_attr

    def late(self: Trial, key: str, value: Any) -> None:
        if key == WORKER and self.number == 0:
            tuning.storage.set_trial_state_values(self._trial_id, TrialState.FAIL)
        write(self, key, value)

    monkeypatch.setattr(Trial, "set_user_attr", late)
    assert make_worker(tuning).work() == "The tuning is complete: 1 trial."
    assert states(tuning) == ["FAIL", "COMPLETE"]


@pytest.mark.usefixtures("outcomes")
def test_more_trials_can_be_wanted_later_and_fewer(tmp_path: Path, make_config: Callable[..., TuneConfig]) -> None:
    for trials, done in ((2, 2), (4, 4), (3, 4)):
        folder = create_tuning(tmp_path / "tuning", make_config(trials=trials))
        tuning = open_tuning(folder.path)
        make_worker(tuning).work()
        assert states(tuning) == ["COMPLETE"] * done


def test_the_first_trial_has_the_settings_that_are_given_or_that_the_tuning_starts_from(
    tmp_path: Path, make_config: Callable[..., TuneConfig]
) -> None:
    def fixed(name: str, base: dict[str, Any], **how: Any) -> list[object]:
        tuning = open_tuning(create_tuning(tmp_path / name, make_config(base, trials=2), **how).path)
        create_tuning(tmp_path / name, make_config(base, trials=3))
        return [trial.system_attrs["fixed_params"] for trial in tuning.optuna.get_trials()]

    assert fixed("inside", {"learning_rate": 2e-3}) == [{"learning_rate": 2e-3}]
    assert fixed("outside", {"learning_rate": 0.5}) == []
    assert fixed("given", {}, first=[{"learning_rate": 1e-3}]) == [{"learning_rate": 1e-3}]


def test_patience_lasts_while_the_storage_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(persistence, "FIRST_PAUSE", 0.01)
    told: list[str] = []
    answers = iter([StorageInternalError("server closed the connection"), ConnectionError("refused"), None])

    def call() -> str:
        if (error := next(answers)) is not None:
            raise error
        return "back"

    assert Persistence(told.append, never)(call) == "back"
    assert "server closed the connection" in told[0]
    assert told[-1] == ""


def test_patience_ends_when_asked_and_after_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise ConnectionError("refused")

    def bug() -> None:
        raise ZeroDivisionError

    with pytest.raises(TrainingError, match="can't be reached: refused"):
        Persistence(lambda words: None, lambda: True)(away)
    monkeypatch.setattr(persistence, "LIMIT_SECONDS", -1.0)
    with pytest.raises(TrainingError, match="can't be reached: refused"):
        Persistence(lambda words: None, never)(away)
    with pytest.raises(ZeroDivisionError):
        Persistence(lambda words: None, never)(bug)


def test_the_pauses_between_tries_grow_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    tries = iter(range(8))

    def call() -> None:
        if next(tries) < 7:
            raise ConnectionError("refused")

    Persistence(lambda words: None, never)(call)
    assert slept == [0.5, 1, 2, 4, 8, 15, 15]


def test_a_journal_that_somebody_holds_is_said_and_waited_for(
    make_tuning: Callable[..., Tuning], outcomes: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from filelock import FileLock

    monkeypatch.setattr(journal, "LOCK_SECONDS", 0.02)
    monkeypatch.setattr(persistence, "FIRST_PAUSE", 0.02)
    tuning = make_tuning(trials=2)
    held = FileLock(tuning.folder.journal.with_name("journal.log.lock"))
    words: list[str] = []

    def hold(_trial: Trial, _should_stop: ShouldStop) -> Outcome:
        held.acquire()
        return (0.5,)

    outcomes[:0] = [hold]
    worker = make_worker(tuning)
    tell = worker._patiently._tell

    def listen(said: str) -> None:
        words.append(said)
        held.release()
        tell(said)

    worker._patiently._tell = listen
    assert worker.work() == "The tuning is complete: 2 trials."
    assert "journal.log.lock" in words[0]
    assert states(tuning) == ["COMPLETE"] * 2

    held.acquire()
    with pytest.raises(TrainingError, match=r"journal\.log\.lock.*suspended"):  # who gives a command waits less
        create_tuning(tuning.folder.path, tuning.config.model_copy(update={"trials": 3}))
    held.release()


def test_a_call_that_a_restarting_database_interrupts_is_made_again(tmp_path: Path) -> None:
    """A connection that is lost in the middle of a call says so in the call, not when connecting."""
    from sqlalchemy.exc import OperationalError

    storage = RDBStorage(f"sqlite:///{tmp_path / 'trials.db'}")
    study = create_study(storage=storage)
    trial = study.ask()
    call, lost = storage.set_trial_intermediate_value, [True]

    def interrupted(*arguments: Any) -> None:
        if lost and lost.pop():
            raise OperationalError("UPDATE", {}, Exception("terminating connection"))
        call(*arguments)

    storage.set_trial_intermediate_value = interrupted
    told: list[str] = []
    make_persistent(storage, Persistence(told.append, never))
    trial.report(0.5, 3)
    assert study.trials[0].intermediate_values == {3: 0.5}
    assert [bool(words) for words in told] == [True, False]
    storage.engine.dispose()
