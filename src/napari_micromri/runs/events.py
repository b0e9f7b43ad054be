"""What happens during a job, as objects and as lines of ``events.jsonl``.

Each kind of job may add events of its own, and fields to these. Times are seconds since 1970. A figure that can't be
computed is NaN here and ``null`` in the file.
"""

from __future__ import annotations

import json
import math
import time as clock
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened at a time.

    Events that are not ``kept`` come too often for ``events.jsonl``: the newest one stands in ``process.json``.
    """

    name: ClassVar[str] = ""
    kept: ClassVar[bool] = True
    time: float = field(default_factory=clock.time)

    @classmethod
    def restore(cls, _key: str, value: Any) -> Any:
        """Make the value of a field from what JSON gives."""
        return math.nan if value is None else value


@dataclass(frozen=True, kw_only=True)
class Started(Event):
    """Work begins. ``note`` says what a person should know of it."""

    name: ClassVar[str] = "started"
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Resumed(Started):
    """Work continues where it was interrupted."""

    name: ClassVar[str] = "resumed"


@dataclass(frozen=True, kw_only=True)
class Progress(Event):
    """``done`` of ``total`` steps are over, ``before`` of them when this process began; ``text`` names the step."""

    name: ClassVar[str] = "progress"
    kept: ClassVar[bool] = False
    done: float
    total: float
    before: float = 0.0
    text: str = ""


@dataclass(frozen=True, kw_only=True)
class Stopped(Event):
    """A person or the cluster asked for the end; the job can be resumed."""

    name: ClassVar[str] = "stopped"
    message: str


@dataclass(frozen=True, kw_only=True)
class Failed(Event):
    """The job can't continue; ``message`` says why and what to do."""

    name: ClassVar[str] = "failed"
    message: str


@dataclass(frozen=True, kw_only=True)
class Done(Event):
    """The job came to its end."""

    name: ClassVar[str] = "done"
    message: str


Terminal: TypeAlias = Stopped | Failed | Done
"""What ends a segment of a job: there is exactly one between two beginnings, unless the process died."""


def by_name(*kinds: type[Event]) -> dict[str, type[Event]]:
    """Make the table by which the events of a kind of job are read: these, and the ones that all jobs share."""
    shared: tuple[type[Event], ...] = (Started, Resumed, Progress, Stopped, Failed, Done)
    return {kind.name: kind for kind in (*shared, *kinds)}


def to_content(event: Event) -> dict[str, Any]:
    """Write an event as JSON-like values."""
    return {"event": event.name, **_finite(asdict(event))}


def from_content(content: Any, kinds: Mapping[str, type[Event]]) -> Event | None:
    """Read an event; None for what is damaged or was written by a later version."""
    try:
        kind = kinds[content["event"]]
        known = {f.name for f in fields(kind)}
        return kind(**{key: kind.restore(key, value) for key, value in content.items() if key in known})
    except (ValueError, KeyError, TypeError):
        return None


def to_line(event: Event) -> str:
    """Write an event as one line of JSON without its line end."""
    return json.dumps(to_content(event), ensure_ascii=False, allow_nan=False)


def from_line(line: str, kinds: Mapping[str, type[Event]]) -> Event | None:
    """Read a line; None for what is half-written, damaged, or written by a later version."""
    try:
        return from_content(json.loads(line), kinds)
    except (ValueError, RecursionError):
        return None


def _finite(content: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in content.items():
        if isinstance(value, dict):
            result[key] = _finite(value)
        else:
            result[key] = None if isinstance(value, float) and not math.isfinite(value) else value
    return result
