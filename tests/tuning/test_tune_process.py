"""Tunings as folders and processes: made, refused, continued, and workers that share a machine."""

from __future__ import annotations

import faulthandler
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from napari_micromri.errors import InputError, StudyError, TrainingError
from napari_micromri.runs.presence import Presence, write_presence
from napari_micromri.study.model import Assign
from napari_micromri.study.store import Study
from napari_micromri.tuning import process
from napari_micromri.tuning.config import make_tune_config
from napari_micromri.tuning.process import (
    create_tuning,
    pause_tuning,
    read_workers,
    resume_tuning,
    start_workers,
    stop_tuning,
)
from napari_micromri.tuning.storage import open_tuning
from napari_micromri.tuning.trials import TRIALS
from napari_micromri.tuning.worker_process import GPU_VARIABLE, main, run_worker, take_gpu

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from napari_micromri.tuning.config import TuneConfig

PATIENCE = 240.0


def test_a_tuning_is_made_once_and_found_again(tmp_path: Path, make_config: Callable[..., TuneConfig]) -> None:
    folder = create_tuning(tmp_path / "tuning", make_config(trials=3))
    again = create_tuning(tmp_path / "tuning", make_config(trials=5, timeout_minutes=7))
    assert again.read().config.trials == 5
    tuning = open_tuning(folder.path)
    assert (tuning.config.trials, tuning.config.timeout_minutes) == (5, 7)
    assert tuning.optuna.user_attrs[TRIALS] == 5
    assert [trial.system_attrs["fixed_params"] for trial in tuning.optuna.get_trials()] == [{"learning_rate": 3e-3}]
    assert tuning.config.base.monitor == "mse"
    assert Path(tuning.config.study).is_absolute()


def test_a_tuning_with_other_settings_is_refused(tmp_path: Path, make_config: Callable[..., TuneConfig]) -> None:
    create_tuning(tmp_path / "tuning", make_config())
    with pytest.raises(TrainingError, match=r"other settings \(base, seed, storage\)"):
        create_tuning(tmp_path / "tuning", make_config({"epochs": 3}, seed=1), storage="sqlite:///elsewhere.db")


@pytest.mark.parametrize(
    ("fields", "error", "words"),
    [
        ({"study": "none.mri.zarr"}, StudyError, "does not exist"),
        ({"base": {"devices": 2}}, InputError, "start more workers"),
        ({"base": {"init_from": "no such model"}}, Exception, "no such model"),
        ({"sampler_options": {"nonsense": 1}}, InputError, "sampler 'tpe' can't be made"),
    ],
)
def test_what_cannot_go_well_is_refused_before_anything_is_made(
    tmp_path: Path,
    make_config: Callable[..., TuneConfig],
    fields: dict[str, Any],
    error: type[Exception],
    words: str,
) -> None:
    with pytest.raises(error, match=words):
        create_tuning(tmp_path / "tuning", make_config(**fields))
    assert not (tmp_path / "tuning").exists()


def test_a_study_without_animals_to_judge_by_is_refused(
    tmp_path: Path, make_config: Callable[..., TuneConfig], study: Path
) -> None:
    Study.open(study).apply([Assign("mouse 02", "train")])
    with pytest.raises(TrainingError, match="no slices in its validation set"):
        create_tuning(tmp_path / "tuning", make_config())


def test_other_files_are_left_alone(tmp_path: Path, make_config: Callable[..., TuneConfig]) -> None:
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(TrainingError, match="holds other files"):
        create_tuning(tmp_path, make_config())


def test_wishes_are_files_that_exclude_each_other(tmp_path: Path, make_config: Callable[..., TuneConfig]) -> None:
    folder = create_tuning(tmp_path / "tuning", make_config())
    for wish, expected in (
        (pause_tuning, (True, False)),
        (stop_tuning, (False, True)),
        (resume_tuning, (False, False)),
    ):
        wish(folder.path)
        assert (folder.pause.exists(), folder.stop.exists()) == expected
        with pytest.raises(TrainingError, match="holds no tuning"):
            wish(tmp_path / "none")
    with pytest.raises(TrainingError, match="holds no tuning"):
        read_workers(tmp_path / "none")


def test_workers_share_the_cores(
    tmp_path: Path, make_config: Callable[..., TuneConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[list[str], Mapping[str, str]]] = []

    def start(_module: str, arguments: list[str], _log: Path, environment: Mapping[str, str]) -> int:
        started.append((arguments, environment))
        return os.getpid()

    folder = create_tuning(tmp_path / "tuning", make_config())
    monkeypatch.setattr(process, "spawn", start)
    monkeypatch.setattr(process, "_cores", lambda: 8)
    assert start_workers(folder.path, 2) == ["worker-01", "worker-02"]
    assert start_workers(folder.path, 1) == ["worker-03"]
    assert start_workers(folder.path, 1, threads=5) == ["worker-04"]
    pause_tuning(folder.path)
    resume_tuning(folder.path, workers=1)
    assert not folder.pause.exists()
    assert [environment["OMP_NUM_THREADS"] for _, environment in started] == ["4", "4", "2", "5", "1"]
    assert [arguments[arguments.index("--place") + 1] for arguments, _ in started] == ["0", "1", "2", "3", "4"]
    assert {row.state for row in read_workers(folder.path)} == {"waiting"}


def test_workers_share_the_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setenv(GPU_VARIABLE, "4,7")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    take_gpu(3)
    assert os.environ[GPU_VARIABLE] == "7"
    monkeypatch.delenv(GPU_VARIABLE)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    take_gpu(4)
    assert os.environ[GPU_VARIABLE] == "1"
    monkeypatch.delenv(GPU_VARIABLE)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    take_gpu(4)
    assert GPU_VARIABLE not in os.environ


def test_a_worker_in_the_background_is_killed_and_another_goes_on(
    tmp_path: Path, make_config: Callable[..., TuneConfig]
) -> None:
    folder = create_tuning(tmp_path / "tuning", make_config(trials=1))
    pause_tuning(folder.path)
    start_workers(folder.path, 1)
    try:
        wait(lambda: read_workers(folder.path)[0].message == "Paused.")
    finally:
        stop_tuning(folder.path, kill=True)
    wait(lambda: read_workers(folder.path)[0].state == "died")
    assert "unexpectedly" in read_workers(folder.path)[0].message
    resume_tuning(folder.path)
    assert run_worker(folder.path, threads=1, timeout_minutes=1e-9).startswith("Its time is up")
    assert [row.state for row in read_workers(folder.path)] == ["died", "ended"]


def test_the_process_of_a_worker_ends_with_its_success(
    tmp_path: Path, make_config: Callable[..., TuneConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faulthandler, "enable", lambda: None)
    monkeypatch.setattr("napari_micromri.runs.process.NICENESS", 0)
    folder = create_tuning(tmp_path / "tuning", make_config(trials=1))
    assert main([str(folder.path), "--name", "worker-07", "--threads", "1"]) == 0
    [row] = read_workers(folder.path)
    assert (row.name, row.state, row.message) == ("worker-07", "ended", "The tuning is complete: 1 trial.")
    assert main([str(tmp_path / "none")]) == 2


def test_a_worker_of_another_machine_is_not_killed_from_here(
    tmp_path: Path, make_config: Callable[..., TuneConfig]
) -> None:
    folder = create_tuning(tmp_path / "tuning", make_config())
    far = Presence(pid=os.getpid(), host="elsewhere", created=0.0, claimed=0.0, time=time.time())
    write_presence(folder.workers / "worker-01.json", far)
    stop_tuning(folder.path, kill=True)  # or this test would end here
    assert read_workers(folder.path)[0].host == "elsewhere"


def test_a_shipped_model_can_be_where_trials_begin(
    tmp_path: Path, make_config: Callable[..., TuneConfig], study: Path
) -> None:
    config = make_tune_config(
        name="fine",
        study=str(study),
        base={"init_from": "unet-default"},
        space={"parameters": {"learning_rate": {"kind": "float", "low": 1e-5, "high": 1e-3}}},
    )
    assert create_tuning(tmp_path / "fine", config).read().config.base.init_from is not None
    clash = make_config(space={"parameters": {"network.residual": {"kind": "choice", "values": [False]}}})
    clash = clash.model_copy(update={"base": config.base})
    with pytest.raises(InputError, match="brings its own"):
        create_tuning(tmp_path / "clash", clash)


def wait(happens: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not happens():
        assert time.monotonic() < until, "it never happened"
        time.sleep(0.05)
