"""Real processes: in the background, stopped, killed at random moments, and two that learn together."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import load_file

from napari_micromri.errors import TrainingError
from napari_micromri.runs.process import main
from napari_micromri.study.model import Assign
from napari_micromri.training.process import resume_run, start_run, stop_run
from napari_micromri.training.run import RunReader, read_run
from napari_micromri.training.runner import create_run, run_training
from study_samples import make_study

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_micromri.runs.reading import State
    from napari_micromri.training.config import TrainConfig
    from napari_micromri.training.run import Run

PATIENCE = 120.0


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Three subjects, the last of them to judge by."""
    study = make_study(tmp_path / "mice.mri.zarr")
    study.apply([Assign("mouse 03", "validation")])
    return study.path


def wait(folder: Path, *states: State, epochs: int = 0) -> Run:
    reader, until = RunReader(folder), time.monotonic() + PATIENCE
    while True:
        run = reader.read()
        if run.state in states and len(run.epochs) >= epochs:
            return run
        assert time.monotonic() < until, f"still {run.state}: {run.log_tail()}"
        time.sleep(0.02)


def test_a_run_in_the_background_is_watched_stopped_killed_and_finished(
    tmp_path: Path, study: Path, make_config: Callable[..., TrainConfig]
) -> None:
    path = tmp_path / "runs" / "naïve run"
    config = make_config(epochs=100_000, patience=None)
    started = start_run(config, study, path)
    assert started.pid != os.getpid()
    assert read_run(path).state == "starting"
    run = wait(path, "running", epochs=2)
    assert run.presence is not None
    assert run.presence.pid == started.pid
    assert run.seconds_left is not None
    with pytest.raises(TrainingError, match="running already"):
        resume_run(path)
    stop_run(path)
    run = wait(path, "stopped")
    assert run.resumable
    with pytest.raises(TrainingError, match="isn't running"):
        stop_run(path)

    resume_run(path)
    assert read_run(path).state == "starting"
    stop_run(path, kill=True)
    run = wait(path, "died")
    assert "resumed" in run.message
    assert run.model is not None


def test_the_process_ends_with_its_runs_success(
    tmp_path: Path, study: Path, make_config: Callable[..., TrainConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_micromri.runs.process.faulthandler.enable", lambda: None)
    monkeypatch.setattr("napari_micromri.runs.process.NICENESS", 0)
    good = create_run(make_config(epochs=1), study, tmp_path / "good")
    assert main([str(good.path)]) == 0
    assert read_run(good.path).state == "done"
    bad = create_run(make_config(epochs=1, device="cuda:77"), study, tmp_path / "bad")
    assert main([str(bad.path)]) == 2
    run = read_run(bad.path)
    assert run.state == "failed"
    assert "cuda:77" in run.message


KILLED_AT_RANDOM = """
import os, random, signal, sys
from napari_micromri.training.folder import RunFolder
from napari_micromri.training.runner import reopen_run, run_training
folder, rounds, chance = RunFolder(sys.argv[1]), int(sys.argv[2]), random.Random(int(sys.argv[3]))
import napari_micromri.training.engine.loop  # before the forks, which then take no time

def trained(events, seconds):
    # Ended a moment of its own computing time after so many events, however busy the machine, or left in peace.
    child = os.fork()
    if child == 0:
        for count, event in enumerate(run_training(folder), start=1):
            if count == events:
                signal.setitimer(signal.ITIMER_PROF, seconds)  # its signal ends a process as SIGKILL does
        os._exit(0)
    return os.waitpid(child, 0)[1]

for _ in range(rounds):
    assert trained(chance.randint(2, 9), chance.uniform(0.001, 0.03)) == signal.SIGPROF
    reopen_run(folder.path)
sys.exit(trained(None, 0))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
def test_a_run_that_is_killed_at_random_moments_ends_at_the_same_weights(
    tmp_path: Path, study: Path, make_config: Callable[..., TrainConfig]
) -> None:
    config = make_config(epochs=6, batch_size=2, patience=None, scheduler="plateau", ema=0.9, checkpoint_minutes=0)
    whole = create_run(config, study, tmp_path / "whole")
    killed = create_run(config, study, tmp_path / "killed")
    list(run_training(whole))
    result = subprocess.run(
        [sys.executable, "-c", KILLED_AT_RANDOM, str(killed.path), "3", "1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    run = read_run(killed.path)
    assert run.state == "done"
    assert "resumed" in killed.events.read_text()
    assert [e.validation for e in run.epochs] == [e.validation for e in read_run(whole.path).epochs]
    for name in ("last", "best"):
        first, second = (load_file(getattr(folder, name)) for folder in (whole, killed))
        assert all(torch.equal(first[key], second[key]) for key in first)
    assert not list(killed.path.rglob("*.partial-*"))


AS_TORCHRUN = """
import os, socket, sys
import napari_micromri.training.engine.loop  # before the fork, which then takes no time
from napari_micromri.cli import main

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = str(free.getsockname()[1])
# What torchrun tells its processes; it would import torch once for itself and once for each.
told = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "TORCHELASTIC_RUN_ID": "none", "GROUP_RANK": "0"}
os.environ.update(told | {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"})
child = os.fork()
rank = "0" if child else "1"
os.environ.update({"RANK": rank, "LOCAL_RANK": rank})
code = main(sys.argv[1:])
sys.exit(max(code, os.waitpid(child, 0)[1]) if child else code)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
def test_two_processes_learn_what_one_does(
    tmp_path: Path, study: Path, make_config: Callable[..., TrainConfig]
) -> None:
    # Three slices a batch don't divide by two, and the last batch leaves one process without a share.
    settings = {"epochs": 2, "batch_size": 3, "learning_rate": 1e-2, "loss": "hybrid"}
    config = make_config(**settings)
    alone = create_run(config, study, tmp_path / "alone")
    list(run_training(alone))
    file = tmp_path / "config.json"
    file.write_text(config.model_dump_json())
    command = [sys.executable, "-c", AS_TORCHRUN, "train", str(study), str(tmp_path / "both"), "--config", str(file)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    one, two = read_run(alone.path), read_run(tmp_path / "both")
    assert two.state == "done"
    assert two.began is not None
    assert two.began.processes == 2
    for first, second in zip(one.epochs, two.epochs, strict=True):
        assert second.train_loss == pytest.approx(first.train_loss, rel=1e-4)
        for figure in ("loss", "mse", "mae", "psnr", "ssim"):
            found, expected = getattr(second.validation, figure), getattr(first.validation, figure)
            assert math.isclose(found, expected, rel_tol=1e-4)
    assert one.epochs[-1].validation.mse != one.epochs[-1].baseline.mse
