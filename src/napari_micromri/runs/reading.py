"""Read the folder of a job: in which state it is, and how far. Cheap, and never in the way of the process that writes.

Any number of readers may look at once: a dock, the command line, another computer.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeAlias, TypeVar

from napari_micromri.errors import JobError, describe_os_error
from napari_micromri.runs.events import Done, Event, Failed, Progress, Started, Stopped, from_content, from_line
from napari_micromri.runs.folder import JobFolder
from napari_micromri.runs.presence import Presence, read_presence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_micromri.runs.events import Terminal

State: TypeAlias = Literal["starting", "running", "stopped", "failed", "done", "died"]
LIVE: tuple[State, ...] = ("starting", "running")
"""States in which a process is running."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job as it was when it was read.

    Parameters
    ----------
    began
        The newest `Started` or `Resumed`; None before it.
    end
        How the newest segment ended; None while it continues, and when its process died.
    presence
        The process that is running, or the last one.
    at
        The newest event that is not kept: how far the work is, or was.
    settings
        Content of ``config.json``: ``config``, ``created``, ``version``, and what the kind of job puts there.
    changed
        When something last happened, in seconds since 1970.
    """

    folder_of: ClassVar[type[JobFolder]] = JobFolder

    path: Path
    state: State
    began: Started | None
    end: Terminal | None
    presence: Presence | None
    at: Event | None
    settings: Mapping[str, Any]
    changed: float

    @property
    def name(self) -> str:
        """Name of its folder."""
        return self.path.name

    @property
    def live(self) -> bool:
        """Whether a process is working on it."""
        return self.state in LIVE

    @property
    def resumable(self) -> bool:
        """Whether it can be resumed."""
        return not self.live and self.state != "done"

    @property
    def age(self) -> float:
        """Seconds since something happened."""
        return max(0.0, time.time() - self.changed)

    @property
    def fraction(self) -> float:
        """How much of the work is done, 0 to 1."""
        if self.state == "done":
            return 1.0
        at = self.at
        return min(1.0, at.done / at.total) if isinstance(at, Progress) and at.total else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Time until the work is done, from the pace since it last began; None before it is known."""
        at = self.at
        if not self.live or self.began is None or not isinstance(at, Progress):
            return None
        done, seconds = at.done - at.before, at.time - self.began.time
        if done <= 0 or seconds <= 0:
            return None
        return max(0.0, seconds / done * (at.total - at.done) - (time.time() - at.time))

    @property
    def message(self) -> str:
        """One sentence on the state for a person."""
        match self.state:
            case "starting":
                return "The process is starting."
            case "running":
                return self._running()
            case "died":
                return self._death()
        return self.end.message if self.end is not None else ""

    def _running(self) -> str:
        return f"Running, {100 * self.fraction:.0f} % done."

    def _death(self) -> str:
        end = self.log_tail(1)
        said = f" The last line of its log: {end}" if end else ""
        return f"The process ended unexpectedly (killed, or the computer shut down). It can be resumed.{said}"

    def log_tail(self, lines: int = 20) -> str:
        """Return the end of ``log.txt``."""
        return self.folder_of(self.path).log_tail(lines)


class EventReader:
    """Follows ``events.jsonl``: each `poll` gives what was added since; a half-written last line waits."""

    def __init__(self, folder: JobFolder) -> None:
        self._file, self._kinds = folder.events, folder.events_read
        self.offset = 0
        """How much of the file has been read: whole lines only."""
        self._identity: tuple[int, int] | None = None

    def poll(self) -> list[Event]:
        """Read the new events; those that make no sense are passed over."""
        try:
            with self._file.open("rb") as file:
                self._start_over_if_replaced()
                file.seek(self.offset)
                content = file.read()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise JobError(describe_os_error(error, self._file)) from error
        whole = content[: content.rfind(b"\n") + 1]
        self.offset += len(whole)
        events = (from_line(line, self._kinds) for line in whole.decode("utf-8", "replace").splitlines())
        return [event for event in events if event is not None]

    def _start_over_if_replaced(self) -> None:
        status = self._file.stat()
        identity = (status.st_dev, status.st_ino)
        if status.st_size < self.offset or (self._identity is not None and identity != self._identity):
            self.offset = 0
        self._identity = identity


J = TypeVar("J", bound=Job)


class JobReader(Generic[J]):
    """Reads a job again and again, each time only what is new.

    A subclass says what it reads (``job``) and takes the events of its own (`_take`, `_facts`).

    Raises
    ------
    JobError
        The folder holds no such job.
    """

    job: type[J]

    def __init__(self, path: Path | str) -> None:
        self._folder = self.job.folder_of(path)
        self._created: float | None = None

    def read(self) -> J:
        """Read the job as it is now."""
        settings = self._folder.read_settings()
        if settings["created"] != self._created:  # a new job has taken the place of the one that was read before
            self._created = settings["created"]
            self._events = EventReader(self._folder)
            self._forget()
        # The process first: an end that is written meanwhile is then seen as an end, not as a death.
        presence = read_presence(self._folder.presence)
        for event in self._events.poll():
            self._take(event)
        return self.job(
            path=self._folder.path,
            state=self._state(presence),
            began=self._began,
            end=self._end,
            presence=presence,
            at=from_content(presence.at, self._folder.events_read) if presence else None,
            settings=settings,
            changed=max(self._changed, presence.time if presence else 0.0, float(settings["created"])),
            **self._facts(),
        )

    def _forget(self) -> None:
        self._began: Started | None = None
        self._end: Terminal | None = None
        self._changed = 0.0

    def _take(self, event: Event) -> None:
        self._changed = event.time
        match event:
            case Started():
                self._began, self._end = event, None
            case Stopped() | Failed() | Done():
                self._end = event

    def _state(self, presence: Presence | None) -> State:
        alive = presence is not None and presence.alive
        silent = presence is not None and self._is_silent(presence)
        if self._end is not None and not silent:
            return _ended(self._end)
        if not alive:
            return "died"
        return "starting" if self._began is None or silent else "running"

    def _is_silent(self, presence: Presence) -> bool:
        """Tell whether the process that took over has not said anything yet."""
        if presence.after is not None:
            return presence.after >= self._events.offset
        since = max(self._began.time if self._began else 0.0, self._end.time if self._end else 0.0)
        return presence.claimed > since  # in folders of earlier versions, which went by the clock

    def _facts(self) -> dict[str, Any]:
        """Give what the kind of job adds to `Job`."""
        return {}


def find_jobs(folder: Path | str, reader: type[JobReader[J]]) -> list[J]:
    """Read the jobs of a kind in a folder (and the folder itself, if it is one), newest first.

    Raises
    ------
    JobError
        There is no such folder.
    """
    folder, error_of = Path(folder), reader.job.folder_of.error
    try:
        candidates = [folder, *(path for path in folder.iterdir() if path.is_dir())]
    except OSError as error:
        raise error_of(describe_os_error(error, folder)) from error
    jobs = []
    for path in candidates:
        if reader.job.folder_of(path).exists:
            try:
                jobs.append(reader(path).read())
            except JobError:  # a damaged one must not hide the others
                continue
    return sorted(jobs, key=lambda job: float(job.settings["created"]), reverse=True)


def _ended(end: Terminal) -> State:
    match end:
        case Done():
            return "done"
        case Failed():
            return "failed"
        case Stopped():
            return "stopped"
