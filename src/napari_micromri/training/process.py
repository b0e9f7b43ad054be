"""Training in a process of its own, which outlives whoever started it: start, resume, stop.

The process is ``python -m napari_micromri.training.process RUN``; all that it tells goes into the run directory.
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import subprocess
import sys
import warnings
from typing import TYPE_CHECKING, Any

from napari_micromri.errors import MicroMRIError, TrainingError, WriteError, describe_os_error
from napari_micromri.training.events import Failed
from napari_micromri.training.folder import RunFolder
from napari_micromri.training.presence import Presence, write_presence
from napari_micromri.training.run import read_run
from napari_micromri.training.runner import create_run, reopen_run, run_training, stop_on_signals

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_micromri.training.config import TrainConfig

NICENESS = 5
"""A training in the background leaves the processor to the windows of the foreground."""

_children: list[subprocess.Popen[bytes]] = []


def start_run(config: TrainConfig, study: Path | str, path: Path | str, *, overwrite: bool = False) -> Presence:
    """Train in the background.

    Raises
    ------
    TrainingError, StudyError, ModelError, InputError
        See `napari_micromri.training.runner.create_run`.
    """
    return _spawn(create_run(config, study, path, overwrite=overwrite))


def resume_run(path: Path | str, *, study: Path | str | None = None) -> Presence:
    """Go on in the background.

    Raises
    ------
    TrainingError
        See `napari_micromri.training.runner.reopen_run`.
    """
    return _spawn(reopen_run(path, study=study))


def stop_run(path: Path | str, *, kill: bool = False) -> None:
    """Ask a run to stop after its batch, from any machine; the answer is its `Stopped` event.

    Parameters
    ----------
    kill
        End its process at once instead, which must run on this machine; the last checkpoint stays.

    Raises
    ------
    TrainingError
        The run isn't going on, or its process can't be reached.
    """
    run = read_run(path)
    if not run.live:
        raise TrainingError(f"The run {run.path} isn't going on: {run.message}")
    try:
        RunFolder(path).stop.touch()
    except OSError as error:
        raise TrainingError(describe_os_error(error, run.path)) from error
    if kill and run.presence is not None:
        _kill(run.presence)


def _kill(presence: Presence) -> None:
    import psutil

    if not presence.here:
        raise TrainingError(f"The process runs on {presence.host} and can be killed only there; it was asked to stop.")
    if presence.alive:
        try:
            psutil.Process(presence.pid).kill()
        except psutil.NoSuchProcess:
            return
        except psutil.Error as error:
            raise TrainingError(f"The process {presence.pid} can't be killed: {error}.") from error


def _spawn(folder: RunFolder) -> Presence:
    command = [sys.executable, "-m", "napari_micromri.training.process", str(folder.path)]
    apart: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        apart = {"creationflags": subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP}
    try:
        with folder.log.open("ab") as log:
            process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, close_fds=True, **apart
            )
    except OSError as error:
        raise TrainingError(describe_os_error(error, folder.path)) from error
    # Ended ones are asked for their end; the others must not be forgotten, or Python complains.
    _children[:] = [child for child in (*_children, process) if child.poll() is None]
    presence = Presence.of(process.pid)
    try:
        write_presence(folder.presence, presence)
    except WriteError as error:
        raise TrainingError(str(error)) from error
    return presence


def main(arguments: Sequence[str] | None = None) -> int:
    """Train in the run directory that is named; 0 when it ended well, 2 when it failed."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("run")
    folder = RunFolder(parser.parse_args(arguments).run)
    faulthandler.enable()
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    try:
        with stop_on_signals() as should_stop:
            *_, ending = run_training(folder, should_stop)
    except MicroMRIError as error:
        folder.write_log(str(error))
        return 2
    return 2 if isinstance(ending, Failed) else 0


if __name__ == "__main__":
    sys.exit(main())
