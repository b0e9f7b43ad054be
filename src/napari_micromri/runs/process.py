"""Work in a process of its own, which outlives whoever started it: start, stop, kill.

The process is ``python -m napari_micromri.runs.process FOLDER``; all that it tells goes into the folder.
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import subprocess
import sys
import warnings
from typing import TYPE_CHECKING, Any

from napari_micromri.errors import JobError, MicroMRIError, WriteError, describe_os_error
from napari_micromri.runs.events import Failed
from napari_micromri.runs.kinds import kind_of
from napari_micromri.runs.presence import Presence, write_presence
from napari_micromri.runs.record import stop_on_signals

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from napari_micromri.runs.folder import JobFolder

NICENESS = 5
"""Work in the background leaves the processor to the windows of the foreground."""

_children: list[subprocess.Popen[bytes]] = []


def start_job(folder: JobFolder) -> Presence:
    """Work in the background on the job that was created or reopened in a folder.

    Raises
    ------
    JobError
        The system refuses.
    """
    try:
        pid = spawn("napari_micromri.runs.process", [str(folder.path)], folder.log)
        presence = Presence.of(pid, events=folder.events)
        write_presence(folder.presence, presence)
    except OSError as error:
        raise folder.error(describe_os_error(error, folder.path)) from error
    except WriteError as error:
        raise folder.error(str(error)) from error
    return presence


def spawn(module: str, arguments: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> int:
    """Start a module of ours in a process that outlives this one, which prints into a log; gives its number."""
    command = [sys.executable, "-m", module, *arguments]
    apart: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        apart = {"creationflags": subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP}
    with log.open("ab") as file:
        process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
            command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, close_fds=True, env=environment, **apart
        )
    _children.append(process)
    forget_ended()
    return process.pid


def forget_ended() -> None:
    """Ask ended children for their end; the others must not be forgotten, or Python complains."""
    _children[:] = [child for child in _children if child.poll() is None]


def stop_job(path: Path | str, *, kill: bool = False) -> None:
    """Ask a job to stop after its step, from any machine; the answer is its `Stopped` event.

    Parameters
    ----------
    kill
        End its process at once instead, which must run on this machine; what was saved last stays.

    Raises
    ------
    JobError
        The job isn't running, or its process can't be reached.
    """
    job = kind_of(path).reader(path).read()
    folder = job.folder_of(path)
    if not job.live:
        raise folder.error(f"The {folder.label} {job.path} isn't running: {job.message}")
    try:
        folder.stop.touch()
    except OSError as error:
        raise folder.error(describe_os_error(error, job.path)) from error
    if kill and job.presence is not None:
        kill_process(job.presence)


def kill_process(presence: Presence) -> None:
    """End a process of this machine at once; nothing happens when it has ended.

    Raises
    ------
    JobError
        It runs on another machine, or the system refuses.
    """
    import psutil

    if not presence.here:
        raise JobError(f"The process runs on {presence.host} and can be killed only there; it was asked to stop.")
    if presence.alive:
        try:
            psutil.Process(presence.pid).kill()
        except psutil.NoSuchProcess:
            return
        except psutil.Error as error:
            raise JobError(f"The process {presence.pid} can't be killed: {error}.") from error


def settle_in() -> None:
    """Let this process, which works in the background, tell of crashes, of no warnings, and take what others leave."""
    faulthandler.enable()
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    if hasattr(os, "nice"):
        os.nice(NICENESS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Work on the job in the folder that is named; 0 when it ended well, 2 when it failed."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder")
    path = parser.parse_args(arguments).folder
    settle_in()
    try:
        kind = kind_of(path)
        with stop_on_signals() as should_stop:
            *_, ending = kind.run(kind.reader.job.folder_of(path), should_stop)
    except MicroMRIError as error:
        print(error, file=sys.stderr)
        return 2
    return 2 if isinstance(ending, Failed) else 0


if __name__ == "__main__":
    sys.exit(main())
