"""The run directory: the folder of a training job.

| file | content |
| --- | --- |
| ``best.safetensors`` | the finished model of the best epoch |
| ``last.safetensors`` | all that is needed to continue |
| ``images/`` | the fixed validation slice: ``about.json``, ``lr.npy``, ``hr.npy``, one ``epoch_0001.npy`` per epoch |

The others are those of every job, see `napari_micromri.runs.folder`; ``config.json`` holds ``study`` and ``config``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_micromri.errors import TrainingError
from napari_micromri.runs.folder import JobFolder
from napari_micromri.training.events import KINDS

if TYPE_CHECKING:
    from pathlib import Path


class RunFolder(JobFolder):
    """The files of a run. Making the object touches nothing."""

    kind = "run"
    label = "training run"
    error = TrainingError
    events_read = KINDS
    needed = JobFolder.needed | {"study"}
    results = ("best.safetensors", "last.safetensors", "images")

    def __init__(self, path: Path | str) -> None:
        super().__init__(path)
        self.best, self.last, self.images = (self.path / name for name in self.results)
