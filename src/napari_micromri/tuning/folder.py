"""The folder of a tuning: which files it holds.

| file | content |
| --- | --- |
| ``tune.json`` | what the tuning is told (`TuneConfig`), and where its storage is, without a password |
| ``journal.log`` | Optuna's storage, unless it is elsewhere |
| ``runs/trial-0007`` | the run directory of a trial |
| ``workers/`` | the workers: ``worker-01.json``, with a log ``worker-01.log`` |
| ``pause``, ``stop`` | ask the workers to begin nothing new, or to end |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_micromri.errors import TrainingError
from napari_micromri.runs.folder import JobFolder

if TYPE_CHECKING:
    from pathlib import Path

    from napari_micromri.tuning.config import TuneConfig


@dataclass(frozen=True)
class TuneSettings:
    """Content of ``tune.json``; ``storage`` is a URL without a password, or None for the journal."""

    config: TuneConfig
    storage: str | None


class TuneFolder(JobFolder):
    """The files of a tuning. Making the object touches nothing."""

    kind = "tune"
    label = "tuning"
    error = TrainingError
    needed = JobFolder.needed | {"storage"}

    def __init__(self, path: Path | str) -> None:
        super().__init__(path)
        self.config = self.path / "tune.json"
        self.journal = self.path / "journal.log"
        self.runs = self.path / "runs"
        self.workers = self.path / "workers"
        self.pause = self.path / "pause"
        self.lock = self.path / "tune.lock"

    @property
    def wish(self) -> str:
        """What the workers are asked for: ``stop``, ``pause`` or nothing."""
        return "stop" if self.stop.exists() else "pause" if self.pause.exists() else ""

    def log_of(self, worker: str) -> Path:
        """Place of a worker's log."""
        return self.workers / f"{worker}.log"

    def new_worker(self) -> str:
        """Take the next free name for a worker, by making its log; no two workers get the same."""
        self.workers.mkdir(parents=True, exist_ok=True)
        number = 1
        while True:
            name = f"worker-{number:02}"
            try:
                self.log_of(name).touch(exist_ok=False)
            except FileExistsError:
                number += 1
            else:
                return name

    def tell(self, config: TuneConfig, storage: str | None) -> None:
        """Write ``tune.json``, also over the one that is there, in a folder that `make` has made.

        Raises
        ------
        WriteError
            It can't be written.
        """
        self.write_new({"config": config.model_dump(mode="json"), "storage": storage})

    def read(self) -> TuneSettings:
        """Read ``tune.json``.

        Raises
        ------
        TrainingError
            The folder isn't a tuning, or the file is damaged.
        """
        from pydantic import ValidationError

        from napari_micromri.tuning.config import TuneConfig

        content = self.read_settings()
        try:
            return TuneSettings(TuneConfig.model_validate(content["config"]), content["storage"])
        except ValidationError as error:
            raise TrainingError(f"{self.config} is damaged: its settings make no sense.") from error
