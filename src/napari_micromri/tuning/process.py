"""Tunings and their workers as processes that outlive whoever started them: create, start, pause, stop, look.

A worker is ``python -m napari_micromri.tuning.worker_process``; what it tells goes into the tuning's folder.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from napari_micromri.errors import TrainingError, describe_os_error
from napari_micromri.runs.presence import Presence
from napari_micromri.tuning.address import VARIABLE, full_url
from napari_micromri.tuning.creation import create_tuning
from napari_micromri.tuning.folder import TuneFolder, find_tunings
from napari_micromri.tuning.roster import WISH, Record, WorkerRow, records_in
from napari_micromri.tuning.storage import open_tuning

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "WorkerRow",
    "create_tuning",
    "find_tunings",
    "pause_tuning",
    "read_workers",
    "resume_tuning",
    "start_workers",
    "stop_tuning",
]

_children: list[subprocess.Popen[bytes]] = []


def start_workers(path: Path | str, count: int = 1, *, threads: int | None = None) -> list[str]:
    """Start workers in the background, which share this machine with those that are at work already.

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
    here = [record for record in records_in(folder).values() if record.presence.here and _is_live(record.row())]
    share = threads or max(1, _cores() // (count + len(here)))
    try:
        if folder.stop.exists():
            resume_tuning(path)
        folder.workers.mkdir(parents=True, exist_ok=True)
        return [_spawn(folder, storage, place=len(here) + k, threads=share) for k in range(count)]
    except OSError as error:
        raise TrainingError(describe_os_error(error, folder.path)) from error


def stop_tuning(path: Path | str, *, kill: bool = False) -> None:
    """Ask all workers to stop after their batch; their trials will be gone on with when workers are started again.

    Parameters
    ----------
    kill
        End those on this machine at once instead. A new worker finds their trials and goes on with them.

    Raises
    ------
    TrainingError
        There is no such tuning, or a process can't be killed.
    """
    _wish(path, "stop")
    if not kill:
        return
    for record in records_in(TuneFolder(path)).values():
        if record.presence.here and record.phase != "ended":
            _kill(record.presence)


def pause_tuning(path: Path | str) -> None:
    """Ask all workers to begin no new trial.

    Raises
    ------
    TrainingError
        There is no such tuning.
    """
    _wish(path, "pause")


def resume_tuning(path: Path | str) -> None:
    """Take a pause, or the wish to stop, back.

    Raises
    ------
    TrainingError
        There is no such tuning.
    """
    _wish(path, "")


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
    """List the workers that tell of themselves in a tuning's folder, by name.

    Raises
    ------
    TrainingError
        There is no such tuning.
    """
    folder = TuneFolder(path)
    folder.read()
    _forget_ended()
    return [record.row() for record in records_in(folder).values()]


def _is_live(row: WorkerRow) -> bool:
    return row.state not in ("ended", "died")


def _kill(presence: Presence) -> None:
    import psutil

    if presence.alive:
        try:
            psutil.Process(presence.pid).kill()
        except psutil.NoSuchProcess:
            return
        except psutil.Error as error:
            raise TrainingError(f"The process {presence.pid} can't be killed: {error}.") from error


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _spawn(folder: TuneFolder, storage: str | None, *, place: int, threads: int) -> str:
    name = folder.new_worker()
    command = [sys.executable, "-m", "napari_micromri.tuning.worker_process", str(folder.path)]
    command += ["--name", name, "--threads", str(threads), "--place", str(place)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    if storage is not None:  # with its password, which must not stand among the arguments
        environment[VARIABLE] = full_url(storage)
    apart: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        apart = {"creationflags": subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP}
    with (folder.workers / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, close_fds=True, env=environment, **apart
        )
    _children.append(process)
    _forget_ended()
    Record(name=name, presence=Presence.of(process.pid), message="Starting.").write(folder)
    return name


def _forget_ended() -> None:
    """Ask ended workers for their end; the others must not be forgotten, or Python complains."""
    _children[:] = [child for child in _children if child.poll() is None]
