"""Read a run directory: in which state a training is, its epochs and its images."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from napari_micromri.runs.reading import Job, JobReader, find_jobs
from napari_micromri.training.events import BatchDone, Epoch, Resumed, Started, ValidationImage
from napari_micromri.training.folder import RunFolder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from napari_micromri.runs.events import Event


@dataclass(frozen=True, kw_only=True)
class Run(Job):
    """A run as it was when it was read.

    Parameters
    ----------
    epochs
        Finished ones by number, ascending; one that was trained again after a resume counts once.
    images
        Validation images by epoch: paths of ``.npy`` files.
    """

    folder_of = RunFolder

    began: Started | None
    epochs: tuple[Epoch, ...]
    images: Mapping[int, Path]

    @property
    def batch(self) -> BatchDone | None:
        """The last batch of the process that is running, or of the last one."""
        return self.at if isinstance(self.at, BatchDone) else None

    @property
    def planned(self) -> int:
        """Epochs that were asked for."""
        return int(self.settings.get("config", {}).get("epochs", 0))

    @property
    def last(self) -> Epoch | None:
        """The newest finished epoch."""
        return self.epochs[-1] if self.epochs else None

    @cached_property
    def best(self) -> Epoch | None:
        """The epoch whose weights are in ``best.safetensors``."""
        return next((epoch for epoch in reversed(self.epochs) if epoch.best), None)

    @property
    def model(self) -> Path | None:
        """The finished model of the best epoch, once there is one."""
        path = RunFolder(self.path).best
        return path if path.is_file() else None

    @property
    def fraction(self) -> float:
        """How much of the planned epochs is done, 0 to 1; early stopping may end it before."""
        if self.state == "done":
            return 1.0
        done = self.last.epoch if self.last else 0
        part = self.batch
        within = part.batch / part.batches if part is not None and part.epoch == done + 1 else 0.0
        return min(1.0, (done + within) / max(1, self.planned))

    @property
    def seconds_left(self) -> float | None:
        """Time until all planned epochs are done, from the pace since training last began; None before it is known."""
        if not self.live or self.began is None or not self.epochs:
            return None
        own = [epoch for epoch in self.epochs if epoch.time > self.began.time]
        if not own:
            return None
        pace = (own[-1].time - self.began.time) / len(own)
        return max(0.0, pace * (self.planned - own[-1].epoch) - (time.time() - own[-1].time))

    def _running(self) -> str:
        return f"Training, {len(self.epochs)} of {self.planned} epochs done."


class RunReader(JobReader[Run]):
    """Reads a run again and again, each time only what is new.

    Raises
    ------
    TrainingError
        The folder isn't a run directory.
    """

    job = Run

    def _forget(self) -> None:
        super()._forget()
        self._epochs: dict[int, Epoch] = {}
        self._images: dict[int, Path] = {}

    def _take(self, event: Event) -> None:
        super()._take(event)
        match event:
            case Started():
                done = event.epoch - 1 if isinstance(event, Resumed) else 0
                self._epochs = {number: epoch for number, epoch in self._epochs.items() if number <= done}
            case Epoch():
                self._epochs[event.epoch] = event
            case ValidationImage():
                self._images[event.epoch] = self._folder.path / event.file

    def _facts(self) -> dict[str, Any]:
        return {
            "epochs": tuple(self._epochs[number] for number in sorted(self._epochs)),
            "images": dict(sorted(self._images.items())),
        }


def read_run(path: Path | str) -> Run:
    """Read a run directory.

    Raises
    ------
    TrainingError
        The folder isn't a run directory, or can't be read.
    """
    return RunReader(path).read()


def find_runs(folder: Path | str) -> list[Run]:
    """Read the runs in a folder (and the folder itself, if it is one), newest first.

    Raises
    ------
    TrainingError
        There is no such folder.
    """
    return find_jobs(folder, RunReader)
