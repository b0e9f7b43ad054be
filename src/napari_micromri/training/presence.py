"""Is the process that trains a run still there? On this machine the system knows; on another one its heartbeat tells.

A process is known by its number together with the time that it was started at: numbers are used again.
"""

from __future__ import annotations

import json
import os
import platform
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Self

from napari_micromri.errors import WriteError
from napari_micromri.io.atomic import atomic_output

if TYPE_CHECKING:
    from pathlib import Path

BEAT_SECONDS = 1.0
SILENCE_SECONDS = 120.0
"""A process on another machine that has been silent for so long is taken for dead."""

START_TOLERANCE = 2.0
"""Seconds by which two readings of one process's start may differ, since the system derives it from its own clock."""


@dataclass(frozen=True, kw_only=True)
class Presence:
    """Who trains, since when, and how far: the content of ``process.json``.

    Parameters
    ----------
    created
        When the process began, as its system tells.
    claimed
        When it took over the run.
    time
        Its last sign of life.
    epoch, batch, batches, loss
        The last batch; zeros before the first one.
    """

    pid: int
    host: str
    created: float
    claimed: float
    time: float
    epoch: int = 0
    batch: int = 0
    batches: int = 0
    loss: float | None = None

    @classmethod
    def of(cls, pid: int) -> Self:
        """Describe a process of this machine."""
        now = time.time()
        return cls(pid=pid, host=platform.node(), created=_created(pid) or now, claimed=now, time=now)

    @property
    def here(self) -> bool:
        """Whether the process runs on this machine."""
        return self.host == platform.node()

    @property
    def alive(self) -> bool:
        """Whether the process is still there."""
        if not self.here:
            return time.time() - self.time < SILENCE_SECONDS
        created = _created(self.pid)
        return created is not None and abs(created - self.created) < START_TOLERANCE


def write_presence(path: Path, presence: Presence) -> None:
    """Replace ``process.json`` in one step."""
    with atomic_output(path, overwrite=True) as temporary:
        temporary.write_text(json.dumps(asdict(presence)), encoding="utf-8")


def read_presence(path: Path) -> Presence | None:
    """Read ``process.json``; None when there is none or it makes no sense."""
    try:
        return Presence(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


class Heartbeat:
    """Writes a `Presence` once a second from a thread of its own, for as long as the block lasts.

    A beat that can't be written is left out: a full disk is found out where it matters.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._presence = path, Presence.of(os.getpid())
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def tell(self, epoch: int, batch: int, batches: int, loss: float) -> None:
        """Say how far the run is."""
        self._presence = replace(self._presence, epoch=epoch, batch=batch, batches=batches, loss=loss)

    def __enter__(self) -> Self:
        write_presence(self._path, self._presence)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._write()

    def _beat(self) -> None:
        while not self._over.wait(BEAT_SECONDS):
            self._write()

    def _write(self) -> None:
        with suppress(WriteError):
            write_presence(self._path, replace(self._presence, time=time.time()))


def _created(pid: int) -> float | None:
    import psutil

    try:
        process = psutil.Process(pid)
        # A zombie has ended and only waits for its parent to ask.
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except psutil.Error:
        return None
