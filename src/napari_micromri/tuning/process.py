"""Tunings and their workers as background processes: create, start, pause, stop, read.

A worker is ``python -m napari_micromri.tuning.worker_process``; what it tells goes into the tuning's folder.
"""

from __future__ import annotations

import os
import platform
from typing import TYPE_CHECKING

from napari_micromri.errors import TrainingError, describe_os_error
from napari_micromri.runs.presence import Presence, write_presence
from napari_micromri.runs.process import forget_ended, kill_process, spawn
from napari_micromri.tuning.address import VARIABLE, full_url
from napari_micromri.tuning.creation import create_tuning
from napari_micromri.tuning.folder import TuneFolder
from napari_micromri.tuning.storage import WISH, open_tuning
from napari_micromri.tuning.workers import WorkerRow, presences_in, rows_of

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "WorkerRow",
    "create_tuning",
    "pause_tuning",
    "read_workers",
    "resume_tuning",
    "start_workers",
    "stop_tuning",
]


def start_workers(path: Path | str, count: int = 1, *, threads: int | None = None) -> list[str]:
    """Start workers in the background, which share this machine with those that are already running.

    Parameters
    ----------
    threads
        CPU threads for each; by default the cores are divided.

    Returns
    -------
    list of str
        Their names.

    Raises
    ------
    TrainingError
        There is no such tuning, or the system refuses.
    """
    folder = TuneFolder(path)
    storage = folder.read().storage
    here = [row for row in rows_of(folder) if row.live and row.host == platform.node()]
    share = threads or max(1, _cores() // (count + len(here)))
    try:
        if folder.stop.exists():
            resume_tuning(path)
        return [_spawn(folder, storage, place=len(here) + k, threads=share) for k in range(count)]
    except OSError as error:
        raise TrainingError(describe_os_error(error, folder.path)) from error


def stop_tuning(path: Path | str, *, kill: bool = False) -> None:
    """Ask all workers to stop after their batch; their trials continue when workers are started again.

    Parameters
    ----------
    kill
        End those on this machine at once instead. A new worker finds their trials and continues them.

    Raises
    ------
    TrainingError
        There is no such tuning, or a process can't be killed.
    """
    _wish(path, "stop")
    if not kill:
        return
    for presence in presences_in(TuneFolder(path)).values():
        if presence.here:
            kill_process(presence)


def pause_tuning(path: Path | str) -> None:
    """Ask all workers to begin no new trial.

    Raises
    ------
    TrainingError
        There is no such tuning.
    """
    _wish(path, "pause")


def resume_tuning(path: Path | str, *, workers: int = 0) -> None:
    """Take a pause, or the wish to stop, back; start workers, where those that are there don't continue.

    Raises
    ------
    TrainingError
        There is no such tuning.
    """
    _wish(path, "")
    if workers:
        start_workers(path, workers)


def _wish(path: Path | str, wish: str) -> None:
    folder = TuneFolder(path)
    storage = folder.read().storage
    try:
        for name, file in (("pause", folder.pause), ("stop", folder.stop)):
            file.touch() if name == wish else file.unlink(missing_ok=True)
    except OSError as error:
        raise TrainingError(describe_os_error(error, folder.path)) from error
    if storage is not None:  # for workers that don't see the folder
        with open_tuning(folder.path) as tuning:
            tuning.optuna.set_user_attr(WISH, wish)


def read_workers(path: Path | str) -> list[WorkerRow]:
    """List the workers that have registered in a tuning's folder, by name.

    Raises
    ------
    TrainingError
        There is no such tuning.
    """
    folder = TuneFolder(path)
    folder.read()
    forget_ended()
    return list(rows_of(folder))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _spawn(folder: TuneFolder, storage: str | None, *, place: int, threads: int) -> str:
    name = folder.new_worker()
    arguments = [str(folder.path), "--name", name, "--threads", str(threads), "--place", str(place)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    if storage is not None:  # with its password, which must not stand among the arguments
        environment[VARIABLE] = full_url(storage)
    pid = spawn("napari_micromri.tuning.worker_process", arguments, folder.log_of(name), environment)
    write_presence(folder.workers / f"{name}.json", Presence.of(pid))
    return name
