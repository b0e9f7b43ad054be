"""Whatever goes wrong, a run ends with one event and a sentence, and its last good checkpoint stays."""

from __future__ import annotations

import errno
import json
import os
import signal
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from napari_micromri.errors import StudyError, TrainingError
from napari_micromri.nn.registry import load_model
from napari_micromri.runs.events import Event, Failed
from napari_micromri.runs.reading import EventReader
from napari_micromri.runs.record import stop_on_signals
from napari_micromri.training.config import TrainConfig
from napari_micromri.training.events import BatchDone, Done, Epoch, Stopped
from napari_micromri.training.folder import RunFolder
from napari_micromri.training.run import read_run
from napari_micromri.training.runner import create_run, reopen_run, run_training

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_micromri.training.data import TrainingData


@pytest.fixture
def make_run(tmp_path: Path, make_config: Callable[..., TrainConfig]) -> Callable[..., RunFolder]:
    (tmp_path / "study").mkdir()

    def make(**fields: object) -> RunFolder:
        return create_run(make_config(**fields), tmp_path / "study", tmp_path / "run")

    return make


class Failing(Sequence[Any]):
    """Slices that can be read so often, and then no more."""

    def __init__(self, slices: Sequence[Any], error: Exception, after: int) -> None:
        self.slices, self.error, self.left = slices, error, after

    def __len__(self) -> int:
        return len(self.slices)

    def __getitem__(self, number: Any) -> Any:
        self.left -= 1
        if self.left < 0:
            raise self.error
        return self.slices[number]


def ends(folder: RunFolder) -> list[Event]:
    return [e for e in EventReader(folder).poll() if isinstance(e, Done | Failed | Stopped)]


def the_failure(folder: RunFolder, data: TrainingData) -> str:
    """Train until it fails; gives the sentence, after checking that it is the only end and a state of its own."""
    *_, last = run_training(folder, data=data)
    assert isinstance(last, Failed)
    assert ends(folder) == [last]
    run = read_run(folder.path)
    assert (run.state, run.message) == ("failed", last.message)
    assert last.message in folder.log.read_text()
    assert "\n" not in last.message
    return last.message


def test_a_run_is_recorded_and_its_model_is_ready(make_run: Callable[..., RunFolder], data: TrainingData) -> None:
    folder = make_run(epochs=2)
    seen = list(run_training(folder, data=data))
    recorded = EventReader(folder).poll()
    assert recorded == [event for event in seen if not isinstance(event, BatchDone)]
    run = read_run(folder.path)
    assert (run.state, run.fraction, len(run.epochs), len(run.images)) == ("done", 1.0, 2, 2)
    assert all(path.is_file() for path in run.images.values())
    assert run.model is not None
    assert load_model(run.model).spec.name == "run"
    assert "Epoch 2" in folder.log.read_text()
    assert run.presence is not None
    assert run.batch is not None
    assert (run.presence.pid, run.batch.epoch, run.batch.batch) == (os.getpid(), 2, 3)


def test_a_file_stops_a_run_and_it_is_resumed(make_run: Callable[..., RunFolder], data: TrainingData) -> None:
    folder = make_run(epochs=2)
    for event in run_training(folder, data=data):
        if isinstance(event, BatchDone):
            folder.stop.touch()
    run = read_run(folder.path)
    assert run.state == "stopped"
    assert isinstance(run.end, Stopped)
    assert (run.end.epoch, run.end.batch) == (1, 2)
    reopen_run(folder.path)
    assert not folder.stop.exists()
    list(run_training(folder, data=data))
    assert read_run(folder.path).state == "done"
    assert [type(event) for event in ends(folder)] == [Stopped, Done]
    with pytest.raises(TrainingError, match="finished"):
        reopen_run(folder.path)


def test_a_diverging_run_says_what_to_change(make_run: Callable[..., RunFolder], data: TrainingData) -> None:
    folder = make_run(optimizer="sgd", learning_rate=10.0, network={"features_main": [4], "residual": False})
    assert "Lower the learning rate" in the_failure(folder, data)


def test_an_exploding_loss_ends_the_run_and_the_checkpoint_before_it_stays(
    make_run: Callable[..., RunFolder], data: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_micromri.training.engine import loop

    folder = make_run(epochs=5)
    real, calls = loop.batch_loss, iter(range(100))
    monkeypatch.setattr(loop, "batch_loss", lambda *args: real(*args) * (1e9 if next(calls) == 7 else 1))
    assert "epoch 3, batch 2" in the_failure(folder, data)
    monkeypatch.undo()
    reopen_run(folder.path)
    list(run_training(folder, data=data))
    run = read_run(folder.path)
    assert (run.state, len(run.epochs)) == ("done", 5)


def test_a_loss_that_is_no_number_ends_the_run(
    make_run: Callable[..., RunFolder], data: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_micromri.training.engine import loop

    real, calls = loop.batch_loss, iter(range(100))
    monkeypatch.setattr(loop, "batch_loss", lambda *args: real(*args) * (torch.nan if next(calls) == 4 else 1))
    folder = make_run(epochs=5)
    assert "epoch 2, batch 2" in the_failure(folder, data)
    assert load_model(folder.best).spec.provenance["epoch"] == 1


def test_slices_that_are_not_numbers_are_named(make_run: Callable[..., RunFolder], data: TrainingData) -> None:
    spoilt = replace(data.train[0], hr=np.full_like(data.train[0].hr, np.nan), index=17)
    message = the_failure(make_run(), replace(data, train=[*data.train[1:], spoilt]))
    assert "Slice 17 of mouse 1/head/coronal" in message
    assert "HR" in message


def test_scans_of_another_factor_are_named(make_run: Callable[..., RunFolder], data: TrainingData) -> None:
    odd = replace(data.train[0], hr=np.kron(data.train[0].hr, np.ones((2, 2), np.float32)))
    assert "4 HR pixels per LR pixel" in the_failure(make_run(), replace(data, train=[*data.train, odd]))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_study_that_is_lost_in_the_middle_ends_the_run(
    make_run: Callable[..., RunFolder], data: TrainingData, workers: int
) -> None:
    folder = make_run(epochs=5, cache_megabytes=0, workers=workers)
    lost = Failing(data.train, StudyError("mouse 1 can't be read: the disk is gone."), after=25)
    assert "the disk is gone" in the_failure(folder, replace(data, train=lost))
    assert folder.last.is_file()
    reopen_run(folder.path)
    list(run_training(folder, data=data))
    assert read_run(folder.path).state == "done"


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory."),
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: not enough memory"),
    ],
)
def test_too_little_memory_is_told_as_such(
    make_run: Callable[..., RunFolder], data: TrainingData, error: Exception
) -> None:
    message = the_failure(make_run(cache_megabytes=0), replace(data, train=Failing(data.train, error, after=6)))
    assert "batch_size" in message


@pytest.mark.parametrize("victim", ["last.safetensors", "best.safetensors", "epoch_0002.npy", "events.jsonl"])
def test_a_full_disk_ends_the_run_and_leaves_the_checkpoint_before(
    make_run: Callable[..., RunFolder], data: TrainingData, monkeypatch: pytest.MonkeyPatch, victim: str
) -> None:
    from napari_micromri.io import atomic

    folder = make_run(epochs=3, learning_rate=1e-2)
    seen = 0
    real_replace, real_append = atomic._replace, RunFolder.append

    def full() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def replace_file(temporary: Path, path: Path) -> None:
        if path.name == victim and seen >= 1:
            full()
        real_replace(temporary, path)

    def append(self: RunFolder, event: Event) -> None:
        if victim == self.events.name and seen >= 1 and not isinstance(event, Failed):
            full()
        real_append(self, event)

    monkeypatch.setattr(atomic, "_replace", replace_file)
    monkeypatch.setattr(RunFolder, "append", append)
    for event in run_training(folder, data=data):
        seen += isinstance(event, Epoch)
    [end] = ends(folder)
    assert isinstance(end, Failed)
    assert "is full" in end.message
    assert not list(folder.path.rglob("*.partial-*"))
    monkeypatch.undo()
    assert load_model(folder.best).spec.kind == "unet"
    reopen_run(folder.path)
    list(run_training(folder, data=data))
    assert read_run(folder.path).state == "done"


def test_a_fault_of_the_program_is_recorded_and_not_hidden(
    make_run: Callable[..., RunFolder], data: TrainingData
) -> None:
    folder = make_run(cache_megabytes=0)
    broken = replace(data, train=Failing(data.train, ZeroDivisionError("oops"), after=6))
    with pytest.raises(ZeroDivisionError):
        list(run_training(folder, data=broken))
    [end] = ends(folder)
    assert isinstance(end, Failed)
    assert "ZeroDivisionError: oops" in end.message
    assert "Traceback" in folder.log.read_text()


def test_a_missing_study_fails_the_run_with_a_sentence(make_run: Callable[..., RunFolder]) -> None:
    folder = make_run()
    (folder.path.parent / "study").rmdir()
    *_, last = run_training(folder)
    assert isinstance(last, Failed)
    assert "study" in last.message
    assert read_run(folder.path).state == "failed"


def test_leaving_a_run_alone_is_recorded_as_a_stop(make_run: Callable[..., RunFolder], data: TrainingData) -> None:
    folder = make_run()
    for event in run_training(folder, data=data):
        if isinstance(event, Epoch):
            break
    del event
    events = run_training(folder, data=data)
    next(events)
    events.close()
    assert [type(event) for event in ends(folder)] == [Stopped, Stopped]
    assert read_run(folder.path).state == "stopped"


def test_closing_after_the_end_adds_no_second_one(make_run: Callable[..., RunFolder], data: TrainingData) -> None:
    folder = make_run(epochs=1)
    events = run_training(folder, data=data)
    for event in events:
        if isinstance(event, Done):
            break
    events.close()
    assert [type(event) for event in ends(folder)] == [Done]


def test_two_processes_never_train_in_one_folder(make_run: Callable[..., RunFolder], data: TrainingData) -> None:
    folder = make_run()
    first = run_training(folder, data=data)
    next(first)
    with pytest.raises(TrainingError, match="Another process"):
        next(run_training(folder, data=data))
    with pytest.raises(TrainingError, match="running already"):
        reopen_run(folder.path)
    with pytest.raises(TrainingError, match="Another process"):
        create_run(TrainConfig(), folder.path.parent / "study", folder.path, overwrite=True)
    assert ends(folder) == []
    first.close()


def test_a_new_run_needs_a_study_and_an_empty_folder(
    tmp_path: Path, make_config: Callable[..., TrainConfig], make_run: Callable[..., RunFolder]
) -> None:
    with pytest.raises(StudyError, match="study"):
        create_run(make_config(), tmp_path / "nowhere", tmp_path / "other")
    assert not (tmp_path / "other").exists()
    folder = make_run()
    with pytest.raises(TrainingError, match="already"):
        create_run(make_config(), tmp_path / "study", folder.path)


def test_the_study_of_a_run_may_be_moved(make_run: Callable[..., RunFolder], tmp_path: Path) -> None:
    folder = make_run()
    reopen_run(folder.path, study=tmp_path / "elsewhere")
    settings = json.loads(folder.config.read_text())
    assert settings["study"] == str((tmp_path / "elsewhere").resolve())
    assert settings["config"]["epochs"] == 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_ask_once_and_then_end(number: signal.Signals) -> None:
    def before(*_: object) -> None:
        raise KeyboardInterrupt

    kept = signal.signal(number, before)
    try:
        with stop_on_signals() as should_stop:
            assert not should_stop()
            signal.raise_signal(number)
            assert should_stop()
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(number)
        assert signal.getsignal(number) is before
    finally:
        signal.signal(number, kept)
