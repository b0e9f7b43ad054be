"""The run directory: which files it holds, and writing them so that a kill at any moment leaves a run that can go on.

| file | content |
| --- | --- |
| ``config.json`` | study and configuration, written once |
| ``events.jsonl`` | what happened, a line each |
| ``process.json`` | the process at work, its last sign of life and its last batch |
| ``best.safetensors`` | the finished model of the best epoch |
| ``last.safetensors`` | all that is needed to go on |
| ``images/`` | the fixed validation slice: ``about.json``, ``lr.npy``, ``hr.npy``, one ``epoch_0001.npy`` per epoch |
| ``log.txt`` | what a person would want to read |
| ``stop`` | asks the process to stop |
"""

from __future__ import annotations

import json
import os
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_micromri import __version__
from napari_micromri.errors import TrainingError, describe_os_error
from napari_micromri.io.atomic import atomic_output
from napari_micromri.training.events import Event, to_line

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT = 1
RESERVE_BYTES = 64 * 1024
"""Kept back, so that the end of a run can still be written when the disk is full."""


class RunFolder:
    """The files of a run. Making the object touches nothing."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.config = self.path / "config.json"
        self.events = self.path / "events.jsonl"
        self.presence = self.path / "process.json"
        self.best = self.path / "best.safetensors"
        self.last = self.path / "last.safetensors"
        self.images = self.path / "images"
        self.log = self.path / "log.txt"
        self.stop = self.path / "stop"
        self.lock = self.path / "process.lock"
        self._reserve = self.path / ".reserve"

    @property
    def exists(self) -> bool:
        """Whether it holds a run."""
        return self.config.is_file()

    def create(self, study: Path | str, config: Mapping[str, Any], *, overwrite: bool = False) -> None:
        """Make the folder and its ``config.json``.

        Raises
        ------
        TrainingError
            It holds a run already and ``overwrite`` is False, holds something else, or can't be made.
        """
        if self.exists and not overwrite:
            raise TrainingError(
                f"{self.path} holds a run already. Resume it, choose another folder, or ask for it to be overwritten."
            )
        try:
            if self.path.is_dir() and any(self.path.iterdir()) and not self.exists:
                raise TrainingError(f"{self.path} holds other files. Choose a new folder for the run.")
            if self.exists:
                self._empty()
            self.path.mkdir(parents=True, exist_ok=True)
            self._reserve.write_bytes(bytes(RESERVE_BYTES))
        except OSError as error:
            raise TrainingError(describe_os_error(error, self.path)) from error
        settings = {
            "micromri-run": FORMAT,
            "study": str(study),
            "config": dict(config),
            "created": time.time(),
            "version": __version__,
        }
        self._write_settings(settings)

    def read_settings(self) -> dict[str, Any]:
        """Read ``config.json``.

        Raises
        ------
        TrainingError
            The folder is no run, or the file is damaged.
        """
        try:
            content = json.loads(self.config.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise TrainingError(f"{self.path} holds no training run (there is no config.json in it).") from error
        except OSError as error:
            raise TrainingError(describe_os_error(error, self.config)) from error
        except ValueError as error:
            raise TrainingError(f"{self.config} is damaged. Start the run again in a new folder.") from error
        if not isinstance(content, dict) or not {"micromri-run", "study", "config", "created"} <= content.keys():
            raise TrainingError(f"{self.config} is not the configuration of a training run.")
        if content["micromri-run"] != FORMAT:
            raise TrainingError(f"{self.path} was made by a later version of napari-micromri. Update napari-micromri.")
        return content

    def change_study(self, study: Path | str) -> None:
        """Say that the study lies elsewhere now."""
        self._write_settings(self.read_settings() | {"study": str(study)})

    def clean(self) -> None:
        """Remove what a killed process left half-written, and set the reserve for `append_last` aside again."""
        if not self._reserve.exists():
            self._reserve.write_bytes(bytes(RESERVE_BYTES))
        for leftover in (*self.path.glob(".*.partial-*"), *self.images.glob(".*.partial-*")):
            with suppress(OSError):
                leftover.unlink()

    def append(self, event: Event) -> None:
        """Add an event to ``events.jsonl``, as a line of its own even after a half-written one."""
        with self.events.open("ab+") as file:
            line = f"{to_line(event)}\n".encode()
            if file.tell() > 0:
                file.seek(-1, os.SEEK_END)
                line = line if file.read(1) == b"\n" else b"\n" + line
            file.write(line)

    def append_last(self, event: Event) -> None:
        """Add the event that ends the run, on a full disk too."""
        self._reserve.unlink(missing_ok=True)
        self.append(event)

    def write_log(self, text: str) -> None:
        """Add a line to the log; a log that can't be written stops nothing."""
        with suppress(OSError), self.log.open("a", encoding="utf-8") as file:
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {text}\n")

    def log_tail(self, lines: int) -> str:
        """Return the end of the log; an empty text when there is none."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - 64 * 1024))
                text = file.read().decode("utf-8", "replace")
        except OSError:
            return ""
        return "\n".join(text.rstrip().splitlines()[-lines:])

    def _write_settings(self, settings: Mapping[str, Any]) -> None:
        with atomic_output(self.config, overwrite=True) as temporary:
            temporary.write_text(json.dumps(settings, indent=1, ensure_ascii=False), encoding="utf-8")

    def _empty(self) -> None:
        """Remove the run that was there, and nothing else; its configuration first, so that no half of it is a run."""
        for file in (
            self.config,
            self.events,
            self.presence,
            self.best,
            self.last,
            self.log,
            self.stop,
            self._reserve,
        ):
            file.unlink(missing_ok=True)
        shutil.rmtree(self.images, ignore_errors=True)
