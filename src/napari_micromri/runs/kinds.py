"""The kinds of jobs. Another kind is a module with a `JobKind`, and a line in `KINDS`.

The process of a job finds by its ``config.json`` what it has to do, and ``micromri stop``, ``watch`` and ``resume``
find how to read it. Nothing else here knows of trainings or any other kind.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_micromri.errors import JobError
from napari_micromri.io.small_files import read_small
from napari_micromri.runs.record import describe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from napari_micromri.progress import ShouldStop
    from napari_micromri.runs.events import Event
    from napari_micromri.runs.reading import JobReader

KINDS: Mapping[str, str] = {
    "run": "napari_micromri.training.runner:TRAINING",
    "ivim": "napari_micromri.ivim.training_job:IVIM_TRAINING",
    "denoise": "napari_micromri.inference.many.job:MANY",
}
"""Where the `JobKind` of each kind is, which is imported only when there is such a job."""


@dataclass(frozen=True)
class JobKind:
    """What is to be known of a kind of job.

    Parameters
    ----------
    reader
        Reads such a job; its ``job.folder_of`` says which files there are.
    run
        Does the work of a folder in this process, by way of `napari_micromri.runs.record.run_job`.
    words
        A line for the terminal about an event, or None.
    """

    reader: type[JobReader[Any]]
    run: Callable[[Any, ShouldStop], Iterator[Event]]
    words: Callable[[Event], str | None] = describe


def kind_of(path: Path | str) -> JobKind:
    """Find out what kind of job a folder holds.

    Raises
    ------
    JobError
        None that is known here.
    """
    content: Any = None
    with suppress(OSError, ValueError, RecursionError):
        content = json.loads(read_small(Path(path) / "config.json"))
    for name, place in KINDS.items():
        if isinstance(content, dict) and f"micromri-{name}" in content:
            module, _, attribute = place.partition(":")
            kind: JobKind = getattr(import_module(module), attribute)
            return kind
    raise JobError(f"{path} holds no training run or other job (no config.json of one).")
