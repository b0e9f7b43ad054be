"""Reading runs for the dock; made for a thread, and without Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_micromri.errors import TrainingError
from napari_micromri.training.folder import RunFolder
from napari_micromri.training.run import RunReader, read_run

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from napari_micromri.training.run import Run

LOG_LINES = 12


@dataclass(frozen=True)
class WatchedRun:
    """A run, and what its folder says besides.

    ``stopping`` tells that it was asked to stop and hasn't answered yet; ``log`` is the end of the log of a run that
    went wrong.
    """

    run: Run
    stopping: bool = False
    log: str = ""


class RunLook:
    """Reads the same run again and again, each time only what is new."""

    def __init__(self, path: Path) -> None:
        self._reader = RunReader(path)
        self._folder = RunFolder(path)

    def __call__(self) -> WatchedRun:
        """Read it.

        Raises
        ------
        TrainingError
            The folder is no run, or can't be read.
        """
        run = self._reader.read()
        wrong = run.state in ("failed", "died")
        return WatchedRun(run, run.live and self._folder.stop.exists(), run.log_tail(LOG_LINES) if wrong else "")


def read_runs(paths: Iterable[Path]) -> dict[Path, Run]:
    """Read several runs; those that are gone or damaged are left out."""
    found = {}
    for path in paths:
        try:
            found[path] = read_run(path)
        except TrainingError:
            continue
    return found
