"""Is the process that works on a job still there? On this machine the system knows; on another one its heartbeat tells.

A process is known by its number together with the moment that it was started at: numbers are used again. That moment is
counted from the start of the machine, since the clock on the wall can be set while the process works.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from napari_micromri.errors import WriteError
from napari_micromri.io.atomic import atomic_output
from napari_micromri.io.small_files import read_small
from napari_micromri.runs.events import to_content

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_micromri.runs.events import Event

BEAT_SECONDS = 1.0
SILENCE_SECONDS = 120.0
"""A process on another machine that has been silent for so long is taken for dead."""

START_TOLERANCE = 2.0
"""By how much two readings of one process's start may differ, where the system derives it from its own clock."""


@dataclass(frozen=True, kw_only=True)
class Presence:
    """Who works, since when, and how far: the content of ``process.json``.

    Parameters
    ----------
    created
        When the process began, in seconds since 1970: to be read by people.
    claimed, after
        When it took over the job, and at which size of ``events.jsonl``: it has spoken once the file is larger.
    time
        Its last sign of life.
    boot, start
        Which start of the machine the process belongs to, and when it began after that, as its system counts; empty in
        folders of earlier versions, which went by ``created``.
    at
        The newest event of those that are not kept in ``events.jsonl``, as `to_content` writes it.
    """

    pid: int
    host: str
    created: float
    claimed: float
    time: float
    boot: str = ""
    start: float | None = None
    after: int | None = None
    at: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, pid: int, *, events: Path | None = None) -> Self:
        """Describe a process of this machine, which takes over the job with this ``events.jsonl``."""
        now = time.time()
        boot, start = _identity(pid) or ("", None)
        return cls(
            pid=pid,
            host=platform.node(),
            created=_created(pid) or now,
            claimed=now,
            time=now,
            boot=boot,
            start=start,
            after=None if events is None else events.stat().st_size if events.exists() else 0,
        )

    @property
    def here(self) -> bool:
        """Whether the process runs on this machine."""
        return self.host == platform.node()

    @property
    def alive(self) -> bool:
        """Whether the process is still there."""
        if not self.here:
            return time.time() - self.time < SILENCE_SECONDS
        if self.start is None:
            created = _created(self.pid)
            return created is not None and abs(created - self.created) < START_TOLERANCE
        identity = _identity(self.pid)
        return identity is not None and identity[0] == self.boot and abs(identity[1] - self.start) < START_TOLERANCE


def write_presence(path: Path, presence: Presence) -> None:
    """Replace ``process.json`` in one step."""
    with atomic_output(path, overwrite=True, lock=False, synced=False) as temporary:
        temporary.write_text(json.dumps(asdict(presence)), encoding="utf-8")


def read_presence(path: Path) -> Presence | None:
    """Read ``process.json``; None when there is none or it makes no sense."""
    try:
        content = json.loads(read_small(path))
        if content.get("batch"):  # as earlier versions told how far a training was
            content["at"] = {"event": "batch"} | {key: content[key] for key in ("epoch", "batch", "batches", "loss")}
        known = {f.name for f in fields(Presence)}
        return Presence(**{key: value for key, value in content.items() if key in known})
    except (OSError, ValueError, RecursionError, TypeError, KeyError, AttributeError):
        return None


class Heartbeat:
    """Writes a `Presence` once a second from a thread of its own, for as long as the block lasts.

    A beat that can't be written is left out: a full disk is found out where it matters.
    """

    def __init__(self, path: Path, events: Path) -> None:
        self._path, self._presence = path, Presence.of(os.getpid(), events=events)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def tell(self, event: Event) -> None:
        """Say how far the job is."""
        self._presence = replace(self._presence, at=to_content(event))

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


def _identity(pid: int) -> tuple[str, float] | None:
    """Give what tells a living process from all others, however the clock is set: start of the machine, own start."""
    if sys.platform == "linux":
        with suppress(OSError, ValueError, IndexError):
            boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
            # After the name, which may hold anything, follow the state (field 3) and the clock ticks at the start (22).
            fields_ = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
            return None if fields_[0] in (b"Z", b"X") else (boot, float(fields_[19]))
        return None
    created = _created(pid)
    if created is not None and sys.platform == "darwin":  # where both move with the clock
        import psutil

        created -= psutil.boot_time()
    return None if created is None else ("", created)


def _created(pid: int) -> float | None:
    import psutil

    try:
        process = psutil.Process(pid)
        # A zombie has ended and only waits for its parent to ask.
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except psutil.Error:
        return None
