"""One program at a time changes a study; the lock is freed by the system when its holder dies."""

from __future__ import annotations

import os
import socket
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from napari_micromri.errors import StudyError, describe_os_error

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE = 10.0
"""Seconds to wait for another program; changing marks takes it a few milliseconds."""

_LOCK, _HOLDER = ".lock", ".lock-holder"


@contextmanager
def study_lock(folder: Path, *, patience: float = PATIENCE) -> Iterator[None]:
    """Hold the lock of a study while the block runs.

    Raises
    ------
    StudyError
        Another program held it for longer than ``patience`` seconds, or the folder can't be written to.
    """
    from filelock import FileLock, Timeout

    # Whoever may change the folder may lock it, too, whichever of several users locked it first.
    lock = FileLock(folder / _LOCK, mode=0o666)
    try:
        lock.acquire(timeout=patience)
    except Timeout as error:
        raise StudyError(f"{folder} is being changed by {_holder(folder)}. Wait until it is done.") from error
    except NotImplementedError as error:
        raise StudyError(f"The disk of {folder} can't lock files. Copy the study to another one.") from error
    except OSError as error:
        raise StudyError(describe_os_error(error, folder)) from error
    try:
        _note_holder(folder)
        yield
    finally:
        lock.release()


def _note_holder(folder: Path) -> None:
    # Only so that a message can name who holds the lock; a full disk must not keep anyone from trying.
    with suppress(OSError):
        (folder / _HOLDER).write_text(f"process {os.getpid()} on {socket.gethostname()}", encoding="utf-8")


def _holder(folder: Path) -> str:
    try:
        return (folder / _HOLDER).read_text(encoding="utf-8")[:200] or "another program"
    except (OSError, UnicodeDecodeError):
        return "another program"
