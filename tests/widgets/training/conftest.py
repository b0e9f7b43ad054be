"""Run directories as the engine writes them, and a dock on them without a window of napari."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_micromri.runs.events import to_content
from napari_micromri.runs.presence import Presence, write_presence
from napari_micromri.training.config import TrainConfig
from napari_micromri.training.events import BatchDone, Done, Epoch, Metrics, Started, Stopped, ValidationImage
from napari_micromri.training.folder import RunFolder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_micromri.runs.events import Event

BASELINE = Metrics(loss=0.3, mse=0.3, mae=0.4, psnr=28.0, ssim=0.55)
NOBODY = 2**22 - 7
"""Number of a process that isn't there."""


class Recorded:
    """Writes a run's files a step at a time."""

    def __init__(self, path: Path, *, epochs: int = 4, created: float | None = None) -> None:
        self.folder = RunFolder(path)
        config = TrainConfig(epochs=epochs).model_dump(mode="json")
        self.folder.create({"study": "/somewhere/mice.mri.zarr", "config": config})
        self.epochs, self.claimed = epochs, time.time()
        if created is not None:
            settings = json.loads(self.folder.config.read_text()) | {"created": created}
            self.folder.config.write_text(json.dumps(settings))

    def at_work(self, *, epoch: int = 0, batch: int = 0, alive: bool = True) -> Recorded:
        """Let a process be there: this one, or one that is gone."""
        presence = Presence.of(os.getpid() if alive else NOBODY)
        at = to_content(BatchDone(epoch=epoch, batch=batch, batches=5, loss=0.2)) if epoch else {}
        write_presence(self.folder.presence, replace(presence, claimed=self.claimed, at=at))
        return self

    def tell(self, *events: Event) -> Recorded:
        for event in events:
            self.folder.append(event)
        return self

    def start(self) -> Recorded:
        return self.tell(
            Started(
                epochs=self.epochs,
                batches=5,
                train_slices=40,
                validation_slices=10,
                parameters=123_456,
                device="cpu",
                precision="float32",
                baseline=BASELINE,
            )
        )

    def learn(self, epoch: int, mse: float, *, best: bool = True, image: bool = True) -> Recorded:
        judged = Metrics(loss=mse, mse=mse, mae=mse, psnr=30.0 + epoch, ssim=0.6)
        self.tell(
            Epoch(
                epoch=epoch,
                train_loss=mse,
                validation=judged,
                baseline=BASELINE,
                learning_rate=1e-3,
                seconds=1.0,
                best=best,
            )
        )
        return self.draw(epoch) if image else self

    def draw(self, epoch: int) -> Recorded:
        """Leave the validation slice as it is after an epoch."""
        images = self.folder.images
        images.mkdir(exist_ok=True)
        about = {"key": "mouse 1/head/coronal", "index": 3, "where": "3 · z 1.5 mm"}
        about |= {"lr_voxel_size": [0.2, 0.2], "hr_voxel_size": [0.1, 0.1]}
        (images / "about.json").write_text(json.dumps(about))
        rng = np.random.default_rng(0)
        np.save(images / "lr.npy", rng.random((8, 6), np.float32) * 100)
        np.save(images / "hr.npy", rng.random((16, 12), np.float32) * 100)
        np.save(images / f"epoch_{epoch:04d}.npy", np.full((16, 12), epoch, np.float32))
        return self.tell(ValidationImage(epoch=epoch, file=f"images/epoch_{epoch:04d}.npy"))

    def finish(self, epoch: int = 1) -> Recorded:
        self.folder.best.write_bytes(b"not really a model")
        return self.tell(Done(epoch=epoch, message=f"Done after all {self.epochs} epochs; the best was epoch {epoch}."))

    def stop(self, epoch: int = 2) -> Recorded:
        return self.tell(Stopped(epoch=epoch, batch=1, message=f"Stopped in epoch {epoch}. It can be resumed."))


@pytest.fixture
def record(tmp_path: Path) -> Callable[..., Recorded]:
    """Begin a run directory ``runs/NAME``."""

    def make(name: str = "first", **how: object) -> Recorded:
        return Recorded(tmp_path / "runs" / name, **how)

    return make


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


@pytest.fixture
def make_dock(qtbot, viewer):
    """Open the dock; opening it twice is closing napari and coming back."""
    from napari_micromri.widgets.training.dock import TrainingWidget

    def make(of=viewer):
        dock = TrainingWidget(of)
        qtbot.addWidget(dock, before_close_func=lambda dock: dock.shut_down())
        dock.show()
        return dock

    return make


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Three subjects, one of them to judge by, with twelve slices each."""
    from napari_micromri.study.model import Assign
    from study_samples import make_study

    made = make_study(tmp_path / "mice.mri.zarr", slices=12)
    made.apply([Assign("mouse 03", "validation")])
    return made.path
