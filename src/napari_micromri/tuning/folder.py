"""The folder of a tuning: which files it holds.

| file | content |
| --- | --- |
| ``tune.json`` | what the tuning is told (`TuneConfig`), and where its storage is, without a password |
| ``journal.log`` | Optuna's storage, unless it is elsewhere |
| ``runs/trial-0007`` | the run directory of a trial |
| ``workers/`` | who works: ``worker-01.json``, with a log ``worker-01.log`` |
| ``pause``, ``stop`` | ask the workers to begin nothing new, or to end |
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_micromri import __version__
from napari_micromri.errors import TrainingError, WriteError, describe_os_error
from napari_micromri.io.atomic import atomic_output

if TYPE_CHECKING:
    from napari_micromri.tuning.config import TuneConfig

FORMAT = 1


@dataclass(frozen=True)
class TuneSettings:
    """Content of ``tune.json``; ``storage`` is a URL without a password, or None for the journal."""

    config: TuneConfig
    storage: str | None
    created: float


class TuneFolder:
    """The files of a tuning. Making the object touches nothing."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.config_file = self.path / "tune.json"
        self.journal = self.path / "journal.log"
        self.runs = self.path / "runs"
        self.workers = self.path / "workers"
        self.pause = self.path / "pause"
        self.stop = self.path / "stop"
        self.lock = self.path / "tune.lock"

    @property
    def exists(self) -> bool:
        """Whether it holds a tuning."""
        return self.config_file.is_file()

    def run_of(self, number: int) -> Path:
        """Place of a trial's run directory."""
        return self.runs / f"trial-{number:04}"

    @property
    def wish(self) -> str:
        """What the workers are asked for: ``stop``, ``pause`` or nothing."""
        return "stop" if self.stop.exists() else "pause" if self.pause.exists() else ""

    def log_of(self, worker: str) -> Path:
        """Place of a worker's log."""
        return self.workers / f"{worker}.log"

    def new_worker(self) -> str:
        """Take the next free name for a worker, by making its log; no two workers get the same."""
        number = 1
        while True:
            name = f"worker-{number:02}"
            try:
                self.log_of(name).touch(exist_ok=False)
            except FileExistsError:
                number += 1
            else:
                return name

    def prepare(self) -> None:
        """Make the folder, if it is not there.

        Raises
        ------
        TrainingError
            It holds something else than a tuning, or can't be made.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if not self.exists and any(file != self.lock for file in self.path.iterdir()):
                raise TrainingError(f"{self.path} holds other files. Choose a new folder for the tuning.")
        except OSError as error:
            raise TrainingError(describe_os_error(error, self.path)) from error

    def create(self, config: TuneConfig, storage: str | None) -> None:
        """Write ``tune.json``, also over the one that is there, in a folder that `prepare` has made.

        Raises
        ------
        TrainingError
            It can't be written.
        """
        try:
            for folder in (self.runs, self.workers):
                folder.mkdir(exist_ok=True)
            content = {
                "micromri-tune": FORMAT,
                "config": config.model_dump(mode="json"),
                "storage": storage,
                "created": time.time(),
                "version": __version__,
            }
            with atomic_output(self.config_file, overwrite=True) as temporary:
                temporary.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")
        except OSError as error:
            raise TrainingError(describe_os_error(error, self.path)) from error
        except WriteError as error:
            raise TrainingError(str(error)) from error

    def read(self) -> TuneSettings:
        """Read ``tune.json``.

        Raises
        ------
        TrainingError
            The folder is no tuning, or the file is damaged.
        """
        from pydantic import ValidationError

        from napari_micromri.tuning.config import TuneConfig

        content = self._content()
        if content["micromri-tune"] != FORMAT:
            raise TrainingError(f"{self.path} was made by a later version of napari-micromri. Update napari-micromri.")
        try:
            return TuneSettings(
                TuneConfig.model_validate(content["config"]), content["storage"], float(content["created"])
            )
        except (ValidationError, TypeError, ValueError) as error:
            raise TrainingError(f"{self.config_file} is damaged: its settings make no sense.") from error

    def _content(self) -> dict[str, Any]:
        try:
            content = json.loads(self.config_file.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise TrainingError(f"{self.path} holds no tuning (there is no tune.json in it).") from error
        except OSError as error:
            raise TrainingError(describe_os_error(error, self.config_file)) from error
        except ValueError as error:
            raise TrainingError(f"{self.config_file} is damaged. Begin the tuning again in a new folder.") from error
        if not isinstance(content, dict) or not {"micromri-tune", "config", "storage", "created"} <= content.keys():
            raise TrainingError(f"{self.config_file} says nothing about a tuning.")
        return content


def find_tunings(folder: Path | str) -> list[Path]:
    """List the tunings in a folder (and the folder itself, if it is one), newest first.

    Raises
    ------
    TrainingError
        There is no such folder.
    """
    folder = Path(folder)
    try:
        candidates = [folder, *(path for path in folder.iterdir() if path.is_dir())]
        found = [path for path in candidates if TuneFolder(path).exists]
        return sorted(found, key=lambda path: TuneFolder(path).config_file.stat().st_mtime, reverse=True)
    except OSError as error:
        raise TrainingError(describe_os_error(error, folder)) from error
