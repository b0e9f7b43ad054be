"""Run directories of version 0.1 open and are resumed: of a UNet and of an APDDM, stopped in epoch 2."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from napari_micromri.nn.registry import describe_model, load_model
from napari_micromri.training.folder import RunFolder
from napari_micromri.training.run import find_runs, read_run
from napari_micromri.training.runner import reopen_run, run_training

if TYPE_CHECKING:
    from napari_micromri.training.data import TrainingData

OLD = Path(__file__).parent / "old_run"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    shutil.copytree(OLD, tmp_path / "run")
    return tmp_path / "run"


def test_an_old_run_opens(old: Path) -> None:
    run = read_run(old)
    assert (run.state, run.message, run.resumable) == ("stopped", "Stopped in epoch 2. It can be resumed.", True)
    assert [epoch.epoch for epoch in run.epochs] == [1]
    assert run.best is not None
    assert run.best.validation.psnr == pytest.approx(25.3027, abs=1e-4)
    assert run.fraction == pytest.approx(2 / 3)
    assert run.batch is not None
    assert (run.batch.epoch, run.batch.batch, run.batch.batches) == (2, 3, 3)
    assert run.images[1].is_file()
    assert run.model is not None
    assert load_model(run.model).spec.kind == "unet"
    assert [found.path for found in find_runs(old.parent)] == [old]


def test_an_old_run_of_a_diffusion_model_opens_and_is_resumed(tmp_path: Path, data: TrainingData) -> None:
    old = Path(shutil.copytree(OLD.with_name("old_apddm_run"), tmp_path / "run"))
    run = read_run(old)
    assert (run.state, run.resumable, len(run.epochs)) == ("stopped", True, 1)
    assert run.best is not None
    assert run.best.validation.psnr == pytest.approx(25.3217, abs=1e-4)
    assert run.model is not None
    assert (load_model(run.model).spec.kind, describe_model(run.model).most_steps) == ("apddm", 6)
    reopen_run(old)
    list(run_training(RunFolder(old), data=data))
    assert (read_run(old).state, len(read_run(old).epochs)) == ("done", 3)


def test_an_old_run_is_resumed(old: Path, data: TrainingData) -> None:
    reopen_run(old)
    events = list(run_training(RunFolder(old), data=data))
    assert next(event.name for event in events if event.kept) == "resumed"
    run = read_run(old)
    assert (run.state, len(run.epochs)) == ("done", 3)
