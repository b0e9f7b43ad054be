"""Who works on a tuning: each worker tells it in the tuning's folder, and in the storage if that is a database.

On its own machine the system knows whether a worker lives; on another one its signs of life tell. Those who wait for a
sign go by their own clock, since clocks of machines differ.
"""

from __future__ import annotations

import json
import os
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

from napari_micromri.errors import WriteError
from napari_micromri.io.atomic import atomic_output
from napari_micromri.runs.presence import SILENCE_SECONDS, Presence
from napari_micromri.tuning.storage import is_unreachable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_micromri.tuning.folder import TuneFolder
    from napari_micromri.tuning.storage import Tuning

Phase: TypeAlias = Literal["working", "waiting", "stopping", "ended"]
WorkerState: TypeAlias = Literal["working", "waiting", "stopping", "ended", "died"]

BEAT_SECONDS = 2.0
FAR_BEAT_SECONDS = 20.0
"""Between two signs of life in a database, which also hears then what workers are asked for."""

PREFIX = "worker:"
WISH = "wish"


@dataclass(frozen=True, kw_only=True)
class WorkerRow:
    """A worker as it was when it was read.

    Parameters
    ----------
    trial
        Number of the trial at work.
    since
        When its state began, in seconds since 1970.
    message
        What it has to say: why it waits, why it ended.
    """

    name: str
    host: str
    pid: int
    state: WorkerState
    trial: int | None
    since: float
    message: str


@dataclass(frozen=True, kw_only=True)
class Record:
    """What a worker tells of itself: the content of ``worker-01.json``."""

    name: str
    presence: Presence
    phase: Phase = "waiting"
    trial: int | None = None
    since: float = 0.0
    message: str = ""

    def write(self, folder: TuneFolder) -> None:
        """Tell it in the tuning's folder; what can't be written is left out: a full disk is found out elsewhere."""
        with (
            suppress(WriteError),
            atomic_output(folder.workers / f"{self.name}.json", overwrite=True, lock=False, synced=False) as temporary,
        ):
            temporary.write_text(json.dumps(asdict(self)), encoding="utf-8")

    def row(self) -> WorkerRow:
        """Make what is shown of it."""
        died = self.phase != "ended" and not self.presence.alive
        return WorkerRow(
            name=self.name,
            host=self.presence.host,
            pid=self.presence.pid,
            state="died" if died else self.phase,
            trial=self.trial,
            since=self.presence.time if died else self.since,
            message="It died without a word; the end of its log may tell why." if died else self.message,
        )


def from_content(content: Any) -> Record | None:
    """Read a record; None when it makes no sense."""
    try:
        return Record(**(content | {"presence": Presence(**content["presence"])}))
    except (TypeError, KeyError):
        return None


def records_in(folder: TuneFolder) -> dict[str, Record]:
    """Read what workers tell in the tuning's folder."""
    found = {}
    for path in sorted(folder.workers.glob("*.json")):
        with suppress(OSError, ValueError):
            record = from_content(json.loads(path.read_text(encoding="utf-8")))
            if record is not None:
                found[record.name] = record
    return found


def records_of(attributes: Mapping[str, Any]) -> dict[str, Record]:
    """Read what workers tell in a database: in the user attributes of the Optuna study."""
    found = (from_content(value) for key, value in attributes.items() if key.startswith(PREFIX))
    return {record.name: record for record in found if record is not None}


def merge(*sources: Mapping[str, Record]) -> dict[str, Record]:
    """Keep the newest record of each worker."""
    newest: dict[str, Record] = {}
    for source in sources:
        for name, record in source.items():
            if name not in newest or record.presence.time > newest[name].presence.time:
                newest[name] = record
    return newest


class Watch:
    """Tells for how long something has not changed, by the clock of this process alone."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[object, float]] = {}

    def seconds(self, name: str, sign: object) -> float:
        """Seconds since ``sign`` of ``name`` was first seen as it is."""
        seen, since = self._seen.get(name, (None, 0.0))
        if name not in self._seen or seen != sign:
            self._seen[name] = sign, time.monotonic()
            return 0.0
        return time.monotonic() - since

    def lives(self, record: Record) -> bool:
        """Tell whether a worker that hasn't ended is still there."""
        if record.presence.here:
            return record.presence.alive
        return self.seconds(record.name, record.presence.time) < SILENCE_SECONDS


class Roster:
    """The signs of life of this worker, from a thread of its own; hears what workers are asked for.

    Parameters
    ----------
    far
        The storage is a database or a proxy, so that the signs are given there, too.
    """

    def __init__(self, tuning: Tuning, name: str, *, far: bool) -> None:
        self._tuning, self._far = tuning, far
        now = time.time()
        self._record = Record(name=name, presence=Presence.of(os.getpid()), since=now)
        self._wish = ""
        self._told_far = 0.0
        self._over, self._news = threading.Event(), threading.Event()
        self._writing = threading.Lock()
        self._thread = threading.Thread(target=self._beat, name="roster", daemon=True)

    @property
    def name(self) -> str:
        """Name of this worker."""
        return self._record.name

    def say(self, phase: Phase, message: str = "", *, trial: int | None = None) -> None:
        """Tell what this worker does now."""
        if (phase, message, trial) != (self._record.phase, self._record.message, self._record.trial):
            self._record = replace(self._record, phase=phase, message=message, trial=trial, since=time.time())
            self._write_file()
            self._told_far = 0.0
            self._news.set()

    @property
    def asked_to_stop(self) -> bool:
        """Whether workers are asked to end."""
        folder = self._tuning.folder
        return folder.stop.exists() if folder.exists else self._wish == "stop"

    @property
    def asked_to_pause(self) -> bool:
        """Whether workers are asked to begin nothing new."""
        folder = self._tuning.folder
        return folder.pause.exists() if folder.exists else self._wish == "pause"

    def others(self) -> dict[str, Record]:
        """Read what all workers tell."""
        far = records_of(self._tuning.optuna.user_attrs) if self._far else {}
        return merge(far, records_in(self._tuning.folder))

    def __enter__(self) -> Self:
        self._write_file()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._record.phase != "ended":
            self.say("ended", "It ended.")
        self._over.set()
        self._news.set()
        self._thread.join()
        self._write_file()
        self._write_far()

    def _beat(self) -> None:
        while not self._over.is_set():
            self._news.wait(BEAT_SECONDS)
            self._news.clear()
            self._write_file()
            if self._far and time.monotonic() - self._told_far > FAR_BEAT_SECONDS:
                self._told_far = time.monotonic()
                self._write_far()

    def _write_file(self) -> None:
        if not self._tuning.shares_folder:
            return
        with self._writing:
            self._alive().write(self._tuning.folder)

    def _write_far(self) -> None:
        if not self._far:
            return
        try:
            self._tuning.optuna.set_user_attr(f"{PREFIX}{self.name}", asdict(self._alive()))
            self._wish = str(self._tuning.optuna.user_attrs.get(WISH, ""))
        except Exception as error:
            if not is_unreachable(error):
                raise

    def _alive(self) -> Record:
        return replace(self._record, presence=replace(self._record.presence, time=time.time()))
