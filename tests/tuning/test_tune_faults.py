"""Workers and starters that are killed: the tuning continues, and every trial is finished once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, TypeVar

import pytest

from napari_micromri.training.run import read_run
from napari_micromri.tuning.process import create_tuning, read_workers, stop_tuning
from napari_micromri.tuning.storage import open_tuning

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_micromri.tuning.config import TuneConfig
    from napari_micromri.tuning.storage import Tuning
    from napari_micromri.tuning.workers import WorkerRow

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither fork nor SIGKILL")

PATIENCE = 240.0

T = TypeVar("T")


def check_that_all_is_done(tuning: Tuning, trials: int, *, most: int) -> None:
    """As many trials are finished as were asked for, at most ``most``; their runs are ordinary ones at their end."""
    found = tuning.optuna.get_trials()
    done = [trial for trial in found if trial.state.name in ("COMPLETE", "PRUNED")]
    assert trials <= len(done) <= most
    runs = [trial.user_attrs["run"] for trial in done]
    assert len(set(runs)) == len(runs)
    for trial in done:
        run = read_run(tuning.folder.path / trial.user_attrs["run"])
        assert run.state == "done"
        assert trial.intermediate_values == {epoch.epoch: epoch.validation.mse for epoch in run.epochs}


KILLED_AT_RANDOM = """
import os, random, signal, sys, time
from pathlib import Path
from optuna import Trial
from napari_micromri.progress import never
from napari_micromri.tuning import worker
from napari_micromri.tuning.objective import Workplace
from napari_micromri.tuning.storage import open_tuning
import napari_micromri.training.engine.loop  # before the forks, which then take no time

worker.LOOK_SECONDS = 0.05
where, kills, chance = Path(sys.argv[1]), int(sys.argv[2]), random.Random(int(sys.argv[3]))

def start(name, suicide=False):
    child = os.fork()
    if child == 0:
        if suicide:
            Trial.report = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        tuning = open_tuning(where)
        workplace = Workplace(Path(tuning.config.study), tuning.folder.runs, 1)
        worker.Worker(tuning, name, workplace, never).work()
        os._exit(0)
    return child

first = start("first", suicide=True)  # one kill hits a trial, however fast this machine is
assert os.WTERMSIG(os.waitpid(first, 0)[1]) == signal.SIGKILL
children = [start("second"), start("third")]
for number in range(kills):
    time.sleep(chance.uniform(0.05, 0.6))
    victim = chance.choice(children)
    children.remove(victim)
    os.kill(victim, signal.SIGKILL)
    os.waitpid(victim, 0)
    children.append(start(f"worker {number}"))
sys.exit(max(os.waitpid(child, 0)[1] for child in children))
"""


def test_workers_that_are_killed_at_random_moments_lose_nothing(
    tmp_path: Path, make_config: Callable[..., TuneConfig]
) -> None:
    config = make_config({"epochs": 4, "checkpoint_minutes": 0}, trials=4)
    folder = create_tuning(tmp_path / "tuning", config)
    command = [sys.executable, "-W", "ignore", "-c", KILLED_AT_RANDOM, str(folder.path), "4", "1"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    tuning = open_tuning(folder.path)
    check_that_all_is_done(tuning, config.trials, most=config.trials + 1)
    histories = [trial.system_attrs.get("retry_history", []) for trial in tuning.optuna.trials]
    again = {history[-1] for history in histories if history}
    assert again, "no kill has hit a trial"
    assert again == {trial.number for trial in tuning.optuna.trials if trial.state.name == "FAIL"}


def test_the_tuning_outlives_its_starter_and_a_worker(
    tmp_path: Path, make_config: Callable[..., TuneConfig], study: Path
) -> None:
    config = make_config({"epochs": 60}, trials=3)
    folder = create_tuning(tmp_path / "tuning", config)
    command = [sys.executable, "-m", "napari_micromri.cli", "tune", str(study), str(folder.path), "--workers", "2"]
    starter = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        tuning = open_tuning(folder.path)
        wait(lambda: len(read_workers(folder.path)) == 2)
        victim = wait(lambda: halt_one(tuning))
    finally:
        starter.kill()
        starter.communicate()
    try:
        os.kill(victim.pid, signal.SIGKILL)
        wait(lambda: all(row.state in ("ended", "died") for row in read_workers(folder.path)))
    finally:
        stop_tuning(folder.path, kill=True)
    assert Counter(row.state for row in read_workers(folder.path)) == {"ended": 1, "died": 1}
    check_that_all_is_done(tuning, config.trials, most=config.trials + 1)
    [failed] = [trial for trial in tuning.optuna.trials if trial.state.name == "FAIL"]
    [retried] = [trial for trial in tuning.optuna.trials if trial.system_attrs.get("failed_trial") == failed.number]
    assert failed.user_attrs["worker"] == victim.name
    assert retried.params == failed.params
    assert retried.user_attrs["run"] == failed.user_attrs["run"]
    events = (folder.path / retried.user_attrs["run"] / "events.jsonl").read_text().splitlines()
    assert [json.loads(line)["event"] for line in events].count("resumed") == 1


def halt_one(tuning: Tuning) -> WorkerRow | None:
    """Halt a worker in the midst of a trial, so that it can't end before it is killed; None when there is none now."""
    workers = {row.name: row for row in read_workers(tuning.folder.path)}
    for trial in tuning.optuna.get_trials():
        worker = workers.get(trial.user_attrs.get("worker", ""))
        # After the second epoch the first one is on the disk, to be resumed from.
        learned = trial.state.name == "RUNNING" and len(trial.intermediate_values) > 1
        if learned and worker is not None and worker.live:
            os.kill(worker.pid, signal.SIGSTOP)
            time.sleep(0.05)  # until it has halted
            if tuning.optuna.trials[trial.number].state.name == "RUNNING":
                return worker
            os.kill(worker.pid, signal.SIGCONT)
    return None


def wait(happens: Callable[[], T | None]) -> T:
    """Wait until something is true, and give what it is."""
    until = time.monotonic() + PATIENCE
    while not (found := happens()):
        assert time.monotonic() < until, "it never happened"
        time.sleep(0.1)
    return found
