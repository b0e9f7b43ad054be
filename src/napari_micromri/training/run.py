"""Read a run directory: in which state a run is, and how far. Cheap, and never in the way of the process that writes.

Any number of readers may look at once: the dock, the command line, another computer.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from napari_micromri.errors import TrainingError, describe_os_error
from napari_micromri.training.events import (
    Done,
    Epoch,
    Event,
    Failed,
    Resumed,
    Started,
    Stopped,
    Terminal,
    ValidationImage,
    from_line,
)
from napari_micromri.training.folder import RunFolder
from napari_micromri.training.presence import Presence, read_presence

if TYPE_CHECKING:
    from collections.abc import Mapping

State: TypeAlias = Literal["starting", "running", "stopped", "failed", "done", "died"]
LIVE: tuple[State, ...] = ("starting", "running")
"""States in which a process is at work."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run as it was when it was read.

    Parameters
    ----------
    epochs
        Finished ones by number, ascending; one that was trained again after a resume counts once.
    images
        Validation images by epoch: paths of ``.npy`` files.
    began
        The newest `Started` or `Resumed`; None before it.
    end
        How the newest segment ended; None while it goes on, and when its process died.
    presence
        The process at work, or the last one.
    settings
        Content of ``config.json``: ``study``, ``config``, ``created``, ``version``.
    """

    path: Path
    state: State
    epochs: tuple[Epoch, ...]
    images: Mapping[int, Path]
    began: Started | None
    end: Terminal | None
    presence: Presence | None
    settings: Mapping[str, Any]
    changed: float
    """When something last happened, in seconds since 1970."""

    @property
    def name(self) -> str:
        """Name of its folder."""
        return self.path.name

    @property
    def live(self) -> bool:
        """Whether a process is at work on it."""
        return self.state in LIVE

    @property
    def resumable(self) -> bool:
        """Whether it can go on, from its last checkpoint or from its beginning."""
        return not self.live and self.state != "done"

    @property
    def planned(self) -> int:
        """Epochs that were asked for."""
        return int(self.settings.get("config", {}).get("epochs", 0))

    @property
    def last(self) -> Epoch | None:
        """The newest finished epoch."""
        return self.epochs[-1] if self.epochs else None

    @cached_property
    def best(self) -> Epoch | None:
        """The epoch whose weights are in ``best.safetensors``."""
        return next((epoch for epoch in reversed(self.epochs) if epoch.best), None)

    @property
    def model(self) -> Path | None:
        """The finished model of the best epoch, once there is one."""
        path = RunFolder(self.path).best
        return path if path.is_file() else None

    @property
    def age(self) -> float:
        """Seconds since something happened."""
        return max(0.0, time.time() - self.changed)

    @property
    def fraction(self) -> float:
        """How much of the planned epochs is done, 0 to 1; early stopping may end it before."""
        if self.state == "done":
            return 1.0
        done = self.last.epoch if self.last else 0
        part = self.presence
        if part is not None and part.epoch == done + 1 and part.batches:
            return min(1.0, (done + part.batch / part.batches) / max(1, self.planned))
        return min(1.0, done / max(1, self.planned))

    @property
    def seconds_left(self) -> float | None:
        """Time until all planned epochs are done, from the pace since training last began; None before it is known."""
        if not self.live or self.began is None or not self.epochs:
            return None
        own = [epoch for epoch in self.epochs if epoch.time > self.began.time]
        if not own:
            return None
        pace = (own[-1].time - self.began.time) / len(own)
        return max(0.0, pace * (self.planned - own[-1].epoch) - (time.time() - own[-1].time))

    @property
    def message(self) -> str:
        """One sentence on the state for a person."""
        match self.state:
            case "starting":
                return "The training process is starting."
            case "running":
                return f"Training, {len(self.epochs)} of {self.planned} epochs done."
            case "died":
                return self._death()
        return self.end.message if self.end is not None else ""

    def _death(self) -> str:
        end = self.log_tail(1)
        said = f" The last line of its log: {end}" if end else ""
        return f"The training process ended without a word (killed, or the machine went off). It can be resumed.{said}"

    def log_tail(self, lines: int = 20) -> str:
        """Return the end of ``log.txt``."""
        return RunFolder(self.path).log_tail(lines)


class EventReader:
    """Follows ``events.jsonl``: each `poll` gives what was added since; a half-written last line waits."""

    def __init__(self, path: Path | str) -> None:
        self._file = RunFolder(path).events
        self._offset = 0
        self._identity: tuple[int, int] | None = None

    def poll(self) -> list[Event]:
        """Read the new events; those that make no sense are passed over."""
        try:
            with self._file.open("rb") as file:
                self._start_over_if_replaced()
                file.seek(self._offset)
                content = file.read()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise TrainingError(describe_os_error(error, self._file)) from error
        whole = content[: content.rfind(b"\n") + 1]
        self._offset += len(whole)
        events = (from_line(line) for line in whole.decode("utf-8", "replace").splitlines())
        return [event for event in events if event is not None]

    def _start_over_if_replaced(self) -> None:
        status = self._file.stat()
        identity = (status.st_dev, status.st_ino)
        if status.st_size < self._offset or (self._identity is not None and identity != self._identity):
            self._offset = 0
        self._identity = identity


class RunReader:
    """Reads a run again and again, each time only what is new.

    Raises
    ------
    TrainingError
        The folder is no run directory.
    """

    def __init__(self, path: Path | str) -> None:
        self._folder = RunFolder(path)
        self._events = EventReader(path)
        self._created: float | None = None
        self._forget()

    def read(self) -> Run:
        """Read the run as it is now."""
        settings = self._folder.read_settings()
        if settings["created"] != self._created:  # a new run has taken the place of the one that was read before
            self._created = settings["created"]
            self._events = EventReader(self._folder.path)
            self._forget()
        # The process first: an end that is written meanwhile is then seen as an end, not as a death.
        presence = read_presence(self._folder.presence)
        alive = presence is not None and presence.alive
        for event in self._events.poll():
            self._take(event)
        return Run(
            path=self._folder.path,
            state=_state(self._began, self._end, presence, alive),
            epochs=tuple(self._epochs[number] for number in sorted(self._epochs)),
            images=dict(sorted(self._images.items())),
            began=self._began,
            end=self._end,
            presence=presence,
            settings=settings,
            changed=max(self._changed, presence.time if presence else 0.0, float(settings["created"])),
        )

    def _forget(self) -> None:
        self._epochs: dict[int, Epoch] = {}
        self._images: dict[int, Path] = {}
        self._began: Started | None = None
        self._end: Terminal | None = None
        self._changed = 0.0

    def _take(self, event: Event) -> None:
        self._changed = event.time
        match event:
            case Started():
                self._began, self._end = event, None
                done = event.epoch - 1 if isinstance(event, Resumed) else 0
                self._epochs = {number: epoch for number, epoch in self._epochs.items() if number <= done}
            case Epoch():
                self._epochs[event.epoch] = event
            case ValidationImage():
                self._images[event.epoch] = self._folder.path / event.file
            case Stopped() | Failed() | Done():
                self._end = event


def read_run(path: Path | str) -> Run:
    """Read a run directory.

    Raises
    ------
    TrainingError
        The folder is no run directory, or can't be read.
    """
    return RunReader(path).read()


def find_runs(folder: Path | str) -> list[Run]:
    """Read the runs in a folder (and the folder itself, if it is one), newest first.

    Raises
    ------
    TrainingError
        There is no such folder.
    """
    folder = Path(folder)
    try:
        candidates = [folder, *(path for path in folder.iterdir() if path.is_dir())]
    except OSError as error:
        raise TrainingError(describe_os_error(error, folder)) from error
    runs = []
    for path in candidates:
        if RunFolder(path).exists:
            try:
                runs.append(read_run(path))
            except TrainingError:  # a damaged one must not hide the others
                continue
    return sorted(runs, key=lambda run: run.settings["created"], reverse=True)


def _state(began: Started | None, end: Terminal | None, presence: Presence | None, alive: bool) -> State:
    since = max(began.time if began else 0.0, end.time if end else 0.0)
    taken_over = presence is not None and presence.claimed > since  # by a process that has not said anything yet
    if end is not None and not taken_over:
        return _ended(end)
    if not alive:
        return "died"
    return "starting" if began is None or taken_over else "running"


def _ended(end: Terminal) -> State:
    match end:
        case Done():
            return "done"
        case Failed():
            return "failed"
        case Stopped():
            return "stopped"
