"""Workers: slots that hold one trial each, trials of the dead, wishes, and when to give up."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from optuna.exceptions import StorageInternalError
from optuna.trial import TrialState

from napari_micromri.errors import TrainingError
from napari_micromri.progress import never
from napari_micromri.runs.presence import SILENCE_SECONDS, Presence
from napari_micromri.tuning import patience, roster, slots
from napari_micromri.tuning import worker as worker_module
from napari_micromri.tuning.objective import Outcome, TrialRun, Workplace
from napari_micromri.tuning.patience import Patience
from napari_micromri.tuning.process import create_tuning, pause_tuning, resume_tuning, stop_tuning
from napari_micromri.tuning.roster import Record, Roster, Watch, records_in, records_of
from napari_micromri.tuning.storage import Tuning, open_tuning
from napari_micromri.tuning.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_micromri.progress import ShouldStop
    from napari_micromri.tuning.config import TuneConfig

DEAD = 4_000_000
"""No process has this number."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOOK_SECONDS", "ASK_SECONDS", "NOBODYS_SECONDS", "GAP_SECONDS"):
        monkeypatch.setattr(worker_module, name, 0.02)


@pytest.fixture
def make_tuning(tmp_path: Path, make_config: Callable[..., TuneConfig]) -> Callable[..., Tuning]:
    def make(**fields: Any) -> Tuning:
        return open_tuning(create_tuning(tmp_path / "tuning", make_config(**fields)).path)

    return make


@pytest.fixture
def outcomes(monkeypatch: pytest.MonkeyPatch) -> list[Outcome | Callable[[ShouldStop], Outcome]]:
    """What comes of the next trials, instead of training; the last one again and again."""
    planned: list[Any] = [Outcome("done", (0.5,))]

    def train(_self: TrialRun, should_stop: ShouldStop) -> Outcome:
        outcome = planned.pop(0) if len(planned) > 1 else planned[0]
        return outcome(should_stop) if callable(outcome) else outcome

    monkeypatch.setattr(TrialRun, "train", train)
    return planned


def make_worker(tuning: Tuning, name: str = "worker-01", should_stop: ShouldStop = never, **options: Any) -> Worker:
    return Worker(tuning, name, Workplace(Path(tuning.config.study), tuning.folder.runs, 1), should_stop, **options)


def states(tuning: Tuning) -> Counter[str]:
    return Counter(trial.state.name for trial in tuning.optuna.get_trials())


@pytest.mark.usefixtures("outcomes")
def test_a_worker_does_so_many_trials_and_no_more(make_tuning: Callable[..., Tuning]) -> None:
    tuning = make_tuning(trials=5)
    assert states(tuning) == {"WAITING": 5}
    assert make_worker(tuning).work() == "The tuning is complete: 5 trials."
    assert states(tuning) == {"COMPLETE": 5}
    record = records_in(tuning.folder)["worker-01"]
    assert (record.row().state, record.message) == ("ended", "The tuning is complete: 5 trials.")
    assert make_worker(tuning, "worker-02").work() == "The tuning is complete: 5 trials."
    assert states(tuning) == {"COMPLETE": 5}


@pytest.mark.usefixtures("outcomes")
def test_many_workers_at_once_double_no_trial(make_tuning: Callable[..., Tuning]) -> None:
    tuning = make_tuning(trials=12)
    barrier = threading.Barrier(4)

    def work(number: int) -> None:
        worker = make_worker(open_tuning(tuning.folder.path), f"worker-{number}")
        barrier.wait()
        worker.work()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert states(tuning) == {"COMPLETE": 12}
    assert {trial.user_attrs[slots.SLOT] for trial in tuning.optuna.get_trials()} == set(range(12))


def test_pruned_trials_count_and_failed_ones_do_not(
    make_tuning: Callable[..., Tuning], outcomes: list[Outcome]
) -> None:
    outcomes[:0] = [Outcome("pruned", reason="It fell behind."), Outcome("failed", reason="The loss explodes.")]
    tuning = make_tuning(trials=3)
    make_worker(tuning).work()
    assert states(tuning) == {"COMPLETE": 2, "PRUNED": 1, "FAIL": 1}
    reasons = [trial.user_attrs.get(slots.REASON) for trial in tuning.optuna.get_trials()]
    assert reasons == ["It fell behind.", "The loss explodes.", None, None]


def test_five_failures_in_a_row_end_a_worker_with_a_sentence(
    make_tuning: Callable[..., Tuning], outcomes: list[Outcome]
) -> None:
    outcomes[:] = [Outcome("failed", reason="The disk is full.")] * 4 + [Outcome("done", (1.0,))]
    outcomes += [Outcome("failed", reason="The disk is full.")]
    tuning = make_tuning(trials=2)
    with pytest.raises(TrainingError, match=r"5 trials in a row failed, the last one \(trial 9\).*The disk is full\."):
        make_worker(tuning).work()
    assert states(tuning) == {"FAIL": 9, "COMPLETE": 1, "WAITING": 1}
    assert records_in(tuning.folder)["worker-01"].message.startswith("5 trials in a row failed")


def test_a_stopped_worker_gives_its_trial_back(make_tuning: Callable[..., Tuning], outcomes: list[Any]) -> None:
    def stopped(should_stop: ShouldStop) -> Outcome:
        stop_tuning(tuning.folder.path)
        time.sleep(0.05)
        assert should_stop()
        assert records_in(tuning.folder)["worker-01"].row().state == "stopping"
        return Outcome("again", reason="Its worker was asked to stop; the trial will be gone on with.")

    tuning = make_tuning(trials=2)
    outcomes[:0] = [stopped]
    assert make_worker(tuning).work() == "Stopped."
    assert states(tuning) == {"FAIL": 1, "WAITING": 2}
    assert make_worker(tuning).work() == "Stopped."
    resume_tuning(tuning.folder.path)
    assert make_worker(tuning).work() == "The tuning is complete: 2 trials."
    assert states(tuning) == {"FAIL": 1, "COMPLETE": 2}


def test_a_storage_that_stays_away_fails_no_trial(make_tuning: Callable[..., Tuning], outcomes: list[Any]) -> None:
    def away(_should_stop: ShouldStop) -> Outcome:
        raise patience.StorageAwayError("The storage can't be reached: refused.")

    tuning = make_tuning(trials=1)
    outcomes[:0] = [away]
    with pytest.raises(TrainingError, match="can't be reached"):
        make_worker(tuning).work()
    assert states(tuning) == {"RUNNING": 1}
    make_worker(tuning, "worker-02").work()
    assert states(tuning) == {"FAIL": 1, "COMPLETE": 1}


@pytest.mark.usefixtures("outcomes")
def test_a_pause_begins_nothing_new(make_tuning: Callable[..., Tuning]) -> None:
    tuning = make_tuning(trials=1)
    pause_tuning(tuning.folder.path)
    looks = iter([False] * 6 + [True])
    assert make_worker(tuning, should_stop=lambda: next(looks)).work() == "Stopped."
    assert states(tuning) == {"WAITING": 1}
    resume_tuning(tuning.folder.path)
    assert make_worker(tuning).work().startswith("The tuning is complete")


@pytest.mark.usefixtures("outcomes")
def test_when_its_time_is_up_a_worker_begins_nothing_new(make_tuning: Callable[..., Tuning]) -> None:
    tuning = make_tuning(trials=3)
    assert make_worker(tuning, timeout_minutes=1e-9).work() == "Its time is up; 0 of 3 trials are finished."
    assert states(tuning) == {"WAITING": 3}


def leave_a_trial_of_the_dead(tuning: Tuning, **changes: Any) -> None:
    """A trial that runs and whose worker died in the middle of it."""
    taken = slots.take(tuning, "worker-09")
    assert taken is not None
    slots.note(tuning, taken, slots.RUN, "runs/trial-0000")
    presence = replace(Presence.of(DEAD), **changes)
    Record(name="worker-09", presence=presence, phase="working", trial=taken.number).write(tuning.folder)


@pytest.mark.usefixtures("outcomes")
def test_the_trial_of_a_dead_worker_is_gone_on_with(make_tuning: Callable[..., Tuning]) -> None:
    tuning = make_tuning(trials=2)
    leave_a_trial_of_the_dead(tuning)
    make_worker(tuning).work()
    dead, *others = tuning.optuna.get_trials()
    assert dead.user_attrs[slots.REASON] == "Its worker worker-09 died; the trial will be gone on with."
    assert [trial.state.name for trial in others] == ["COMPLETE", "COMPLETE"]
    assert others[1].user_attrs[slots.RESUME] == "runs/trial-0000"
    assert others[1].system_attrs["failed_trial"] == dead.number
    assert others[1].user_attrs[slots.ATTEMPT] == 2


@pytest.mark.usefixtures("outcomes")
def test_a_worker_elsewhere_is_dead_only_after_a_long_silence(
    make_tuning: Callable[..., Tuning], monkeypatch: pytest.MonkeyPatch
) -> None:
    tuning = make_tuning(trials=2)
    # Its clock is days behind, so that its signs of life look old.
    leave_a_trial_of_the_dead(tuning, host="elsewhere", time=time.time() - 10 * SILENCE_SECONDS)
    looks = iter([False] * 9 + [True])
    assert make_worker(tuning, should_stop=lambda: next(looks)).work() == "Stopped."
    assert states(tuning)["FAIL"] == 0
    monkeypatch.setattr(roster, "SILENCE_SECONDS", 0.05)
    make_worker(tuning).work()
    assert states(tuning) == {"FAIL": 1, "COMPLETE": 2}


@pytest.mark.usefixtures("outcomes")
def test_a_trial_that_was_taken_by_nobody_and_an_empty_slot_are_found(make_tuning: Callable[..., Tuning]) -> None:
    tuning = make_tuning(trials=3)
    first, second, _ = tuning.optuna.get_trials()
    # As if workers had died between two calls to the storage.
    tuning.storage.set_trial_state_values(first._trial_id, TrialState.RUNNING)
    tuning.storage.set_trial_state_values(second._trial_id, TrialState.RUNNING)
    tuning.storage.set_trial_state_values(second._trial_id, TrialState.FAIL)
    assert make_worker(tuning).work() == "The tuning is complete: 3 trials."
    assert states(tuning) == {"FAIL": 2, "COMPLETE": 3}


@pytest.mark.usefixtures("outcomes")
def test_a_slot_that_was_filled_twice_gives_one_trial(make_tuning: Callable[..., Tuning]) -> None:
    tuning = make_tuning(trials=2)
    slots._add(tuning, {slots.SLOT: 1})
    make_worker(tuning).work()
    assert slots.take(tuning, "worker-02") is None
    *_, superfluous = tuning.optuna.get_trials()
    assert superfluous.user_attrs[slots.REASON].startswith("Superfluous")
    assert states(tuning) == {"COMPLETE": 2, "FAIL": 1}


def test_settings_that_kill_their_workers_are_given_up(make_tuning: Callable[..., Tuning]) -> None:
    tuning = make_tuning(trials=1)
    histories = []
    for _ in range(slots.ATTEMPTS):
        trial = slots.take(tuning, "worker-01")
        assert trial is not None
        histories.append(trial.system_attrs.get("retry_history"))
        slots.fail(tuning, trial.number, "Its worker died.", again=True)
    assert histories == [None, [0], [0, 1]]
    fresh = slots.take(tuning, "worker-01")
    assert fresh is not None
    assert "failed_trial" not in fresh.system_attrs


def test_a_worker_that_was_taken_for_dead_changes_nothing_any_more(
    make_tuning: Callable[..., Tuning], outcomes: list[Any]
) -> None:
    def meanwhile(_should_stop: ShouldStop) -> Outcome:
        slots.fail(tuning, 0, "Its worker died.", again=True)
        return Outcome("done", (0.1,))

    tuning = make_tuning(trials=1)
    outcomes[:0] = [meanwhile]
    make_worker(tuning).work()
    assert [(t.state.name, t.values) for t in tuning.optuna.get_trials()] == [("FAIL", None), ("COMPLETE", [0.5])]


def test_more_trials_can_be_wanted_later_and_fewer(
    tmp_path: Path, make_config: Callable[..., TuneConfig], outcomes: list[Any]
) -> None:
    del outcomes
    for trials, done in ((2, 2), (4, 4), (3, 4)):
        folder = create_tuning(tmp_path / "tuning", make_config(trials=trials))
        tuning = open_tuning(folder.path)
        make_worker(tuning).work()
        assert states(tuning) == {"COMPLETE": done}


def test_trials_with_given_settings_come_first(
    tmp_path: Path, make_config: Callable[..., TuneConfig], outcomes: list[Any]
) -> None:
    del outcomes
    folder = create_tuning(tmp_path / "t", make_config(trials=2), first=[{"learning_rate": 1e-3}])
    tuning = open_tuning(folder.path)
    assert states(tuning) == {"WAITING": 2}
    first = tuning.optuna.get_trials()[0]
    assert first.system_attrs["fixed_params"] == {"learning_rate": 1e-3}


def test_the_first_trial_has_the_settings_that_the_tuning_began_with(
    tmp_path: Path, make_config: Callable[..., TuneConfig]
) -> None:
    def fixed(name: str, base: dict[str, Any]) -> object:
        tuning = open_tuning(create_tuning(tmp_path / name, make_config(base, trials=2)).path)
        create_tuning(tmp_path / name, make_config(base, trials=3))
        first, *others = tuning.optuna.get_trials()
        assert len(others) == 2
        assert not any("fixed_params" in trial.system_attrs for trial in others)
        return first.system_attrs.get("fixed_params")

    assert fixed("inside", {"learning_rate": 2e-3}) == {"learning_rate": 2e-3}
    assert fixed("outside", {"learning_rate": 0.5}) is None


def test_patience_lasts_while_the_storage_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "FIRST_PAUSE", 0.01)
    told: list[str] = []
    answers = iter([StorageInternalError("server closed the connection"), ConnectionError("refused"), None])

    def call() -> str:
        if (error := next(answers)) is not None:
            raise error
        return "back"

    assert Patience(told.append, never)(call) == "back"
    assert told[0] == "The storage can't be reached: server closed the connection. It is tried again."
    assert told[-1] == ""


def test_patience_ends_when_asked_and_after_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise ConnectionError("refused")

    def bug() -> None:
        raise ZeroDivisionError

    with pytest.raises(TrainingError, match="can't be reached: refused"):
        Patience(lambda words: None, lambda: True)(away)
    monkeypatch.setattr(patience, "LIMIT_SECONDS", -1.0)
    with pytest.raises(TrainingError, match="can't be reached: refused"):
        Patience(lambda words: None, never)(away)
    with pytest.raises(ZeroDivisionError):
        Patience(lambda words: None, never)(bug)


def test_signs_of_life_are_given_in_the_folder_and_in_a_database(make_tuning: Callable[..., Tuning]) -> None:
    tuning = make_tuning()
    with Roster(tuning, "worker-01", far=True) as mine:
        mine.say("working", trial=3)
        near = records_in(tuning.folder)["worker-01"]
        assert (near.phase, near.trial, near.row().state) == ("working", 3, "working")
    far = records_of(tuning.optuna.user_attrs)["worker-01"]
    assert (far.phase, far.presence.pid) == ("ended", near.presence.pid)
    assert mine.others().keys() == {"worker-01"}


def test_damaged_records_hide_no_others(make_tuning: Callable[..., Tuning]) -> None:
    tuning = make_tuning()
    Record(name="worker-01", presence=Presence.of(DEAD), phase="working").write(tuning.folder)
    (tuning.folder.workers / "worker-02.json").write_text("{")
    (tuning.folder.workers / "worker-03.json").write_text('{"name": "x"}')
    assert [record.row().state for record in records_in(tuning.folder).values()] == ["died"]


def test_a_watch_goes_by_its_own_clock() -> None:
    watch = Watch()
    assert watch.seconds("a", 1) == 0.0
    time.sleep(0.02)
    assert watch.seconds("a", 1) >= 0.02
    assert watch.seconds("a", 2) == 0.0
