"""Who works on a tuning: each worker says it in the tuning's folder, ``workers/worker-01.json``."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Self, TypeAlias

from napari_micromri.runs.events import Event
from napari_micromri.runs.presence import Heartbeat, Presence, read_presence
from napari_micromri.tuning.trials import WORKER

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from optuna.trial import FrozenTrial

    from napari_micromri.tuning.folder import TuneFolder

Phase: TypeAlias = Literal["working", "waiting", "stopping", "ended"]
WorkerState: TypeAlias = Literal["working", "waiting", "stopping", "ended", "died"]

NOBODYS_SECONDS = 60.0
"""A trial that runs and names no worker for so long was taken by one that died on the spot."""


@dataclass(frozen=True, kw_only=True)
class WorkerRow:
    """A worker as it was when it was read.

    Parameters
    ----------
    host, pid
        Its computer and process; an empty text and 0 for one that shares no folder with the tuning.
    trial
        Number of the trial that it is working on.
    since
        When its state began, in seconds since 1970.
    message
        What it has to say: why it waits, why it ended.
    """

    name: str
    host: str = ""
    pid: int = 0
    state: WorkerState
    trial: int | None
    since: float
    message: str = ""

    @property
    def live(self) -> bool:
        """Whether it is there."""
        return self.state not in ("ended", "died")


@dataclass(frozen=True, kw_only=True)
class Doing(Event):
    """What a worker does since when, and what it has to say."""

    name: ClassVar[str] = "doing"
    kept: ClassVar[bool] = False
    phase: Phase = "waiting"
    trial: int | None = None
    message: str = ""


class Sign(ExitStack):
    """Says what this worker does, and that it is still there, for as long as the block lasts."""

    def __init__(self, folder: TuneFolder, name: str) -> None:
        super().__init__()
        self.name, self.now = name, Doing()
        self._heartbeat = Heartbeat(_file(folder, name), folder.log_of(name)) if folder.exists else None

    def __enter__(self) -> Self:
        if self._heartbeat is not None:
            self.enter_context(self._heartbeat)
        return self

    def say(self, phase: Phase, message: str = "", *, trial: int | None = None) -> None:
        """Say what this worker does now."""
        if (phase, message, trial) != (self.now.phase, self.now.message, self.now.trial):
            self.now = Doing(phase=phase, message=message, trial=trial)
            if self._heartbeat is not None:
                self._heartbeat.tell(self.now)


def row_of(name: str, presence: Presence) -> WorkerRow:
    """Make what is shown of a worker."""
    at = presence.at
    phase = at.get("phase", "waiting")
    died = phase != "ended" and not presence.alive
    return WorkerRow(
        name=name,
        host=presence.host,
        pid=presence.pid,
        state="died" if died else phase,
        trial=at.get("trial"),
        since=presence.time if died else at.get("time", presence.claimed),
        message="It ended unexpectedly; the end of its log may tell why." if died else at.get("message", ""),
    )


def presences_in(folder: TuneFolder) -> dict[str, Presence]:
    """Read which process each worker is, by name."""
    found = {path.stem: read_presence(path) for path in sorted(folder.workers.glob("*.json"))}
    return {name: presence for name, presence in found.items() if presence is not None}


def rows_of(folder: TuneFolder | None, trials: Iterable[FrozenTrial] = ()) -> tuple[WorkerRow, ...]:
    """List the workers of a folder, and those elsewhere that are seen by their trials alone."""
    near = presences_in(folder) if folder is not None else {}
    rows = {name: row_of(name, presence) for name, presence in near.items()}
    for trial in trials:
        name = trial.user_attrs.get(WORKER)
        if trial.state.name == "RUNNING" and isinstance(name, str) and name not in rows:
            began = trial.datetime_start.timestamp() if trial.datetime_start is not None else 0.0
            rows[name] = WorkerRow(name=name, state="working", trial=trial.number, since=began)
    return tuple(rows[name] for name in sorted(rows))


def has_died(folder: TuneFolder, trial: FrozenTrial) -> bool:
    """Tell whether the worker that took a running trial of this folder's journal is gone."""
    name = trial.user_attrs.get(WORKER)
    if name is None:  # the moment between taking a trial and writing one's name
        return trial.datetime_start is None or time.time() - trial.datetime_start.timestamp() > NOBODYS_SECONDS
    presence = read_presence(_file(folder, name))
    return presence is None or not row_of(name, presence).live


def _file(folder: TuneFolder, name: str) -> Path:
    return folder.workers / f"{name}.json"
