"""What a folder tells of an evaluation that stands in it; no pixel, model or lock is looked at."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_micromri.measure.evaluation.folder import JOURNAL, PAGE

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path


@dataclass(frozen=True)
class Earlier:
    """An evaluation in a folder: of what, how many slices are done, and whether its page is written."""

    study: str
    split: str
    models: tuple[str, ...]
    slices: int
    finished: bool

    def is_of(self, study: str, split: str, models: Collection[str]) -> bool:
        """Whether it can probably be resumed, judging by names; `open_journal` knows for sure."""
        return (self.study, self.split, sorted(self.models)) == (study, split, sorted(models))

    @property
    def words(self) -> str:
        """Say what it evaluates."""
        return f"{', '.join(self.models)} on the {self.split} set of {self.study}"


def find_earlier(folder: Path) -> Earlier | None:
    """Look into a folder; None where no evaluation stands, or none that can be read."""
    journal, page = folder / JOURNAL, folder / PAGE
    try:
        with journal.open("rb") as stream:
            setup = json.loads(stream.readline())["evaluation"]
            slices = sum(line.endswith(b"\n") for line in stream)
        finished = page.exists() and page.stat().st_mtime_ns >= journal.stat().st_mtime_ns
        models = tuple(str(model["name"]) for model in setup["models"])
        return Earlier(str(setup["study"]), str(setup["split"]), models, slices, finished)
    except (OSError, ValueError, TypeError, KeyError):
        return None
