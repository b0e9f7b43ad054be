"""Find the scans of some paths in a thread: first their headers, then a picture of each."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_micromri.errors import MicroMRIError
from napari_micromri.widgets.shared.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from napari_micromri.progress import ShouldStop
    from napari_micromri.scan import Scan
    from napari_micromri.study.discovery import Found
    from napari_micromri.study.plan import Rejected

PICTURE = 96
"""Pixels of a thumbnail along its longer side, at most."""


@dataclass(frozen=True, eq=False)
class Picture:
    """The middle slice of the scan of a number: ``(rows, columns)`` from 0 to 255, and how much wider than high."""

    number: int
    pixels: NDArray[np.uint8]
    aspect: float


class Kind(Enum):
    """What the thread brings; LISTED when all headers were read."""

    GLIMPSED = auto()
    FOUND = auto()
    LEFT_OUT = auto()
    LISTED = auto()
    PICTURE = auto()


class Finding(QObject):
    """What was found so far. ``came`` brings the new scans, ``pictured`` pictures; ``listed`` and ``ended`` come once.

    ``glimpsed`` brings scans of which more is to be read, before the first ``came`` or ``listed``.
    ``problem`` is the sentence of what ended it early.
    """

    glimpsed = Signal(list)
    came = Signal(list)
    pictured = Signal(list)
    listed = Signal()
    ended = Signal()

    def __init__(self, paths: Sequence[str], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.paths = list(paths)
        self.foreseen: list[Found] = []
        self.found: list[Found] = []
        self.left_out: list[Rejected] = []
        self.pictures: list[Picture] = []
        self.is_listed = False
        self.problem = ""
        self._stream = Stream(partial(_look, self.paths), self)
        self._stream.came.connect(self._take)
        self._stream.ended.connect(self._end)

    @property
    def busy(self) -> bool:
        """Whether headers are still being read."""
        return self._stream.busy and not self.is_listed

    def start(self) -> None:
        """Begin."""
        self._stream.start()

    def stop(self) -> None:
        """Look no further; what was found stays."""
        if self._stream.busy:
            self._stream.stop()
            self._end("")

    def _take(self, things: list[tuple[Kind, Any]]) -> None:
        wanted = (Kind.GLIMPSED, Kind.FOUND, Kind.LEFT_OUT, Kind.PICTURE)
        glimpsed, new, left_out, pictures = ([thing for kind, thing in things if kind is one] for one in wanted)
        if glimpsed and not new and not self.is_listed:
            self.foreseen += glimpsed
            self.glimpsed.emit(glimpsed)
        self.found += new
        self.left_out += left_out
        self.pictures += pictures
        if new or left_out:
            self.came.emit(new)
        if any(kind is Kind.LISTED for kind, _ in things):
            self._list()
        if pictures:
            self.pictured.emit(pictures)

    def _list(self) -> None:
        if not self.is_listed:
            self.is_listed = True
            self.listed.emit()

    def _end(self, problem: str) -> None:
        self.problem = problem
        self._list()
        self.ended.emit()


def _look(paths: list[str], should_stop: ShouldStop) -> Iterator[tuple[Kind, object]]:
    """Give scans and what is left out, and then pictures."""
    from napari_micromri.study.discovery import Found, each_scan, glimpse

    found: list[Found] = []
    for path in paths:
        yield from ((Kind.GLIMPSED, entry) for entry in glimpse(path))
    for entry in each_scan(paths, should_stop=should_stop):
        if isinstance(entry, Found):
            found.append(entry)
        yield Kind.FOUND if isinstance(entry, Found) else Kind.LEFT_OUT, entry
    yield Kind.LISTED, None
    for number, one in enumerate(found):
        try:
            # A compressed file is kept whole by the scan that reads of it; this one is let go again.
            whole = one.source.path.lower().endswith(".gz")
            yield Kind.PICTURE, picture_of(one.source.open() if whole else one.scan, number)
        except (MicroMRIError, OSError):
            continue  # told when the scan is opened


def picture_of(scan: Scan, number: int) -> Picture:
    """Read the middle slice of a scan, of its first repetition and weighting, thinned out and in grey levels."""
    index: list[int | slice] = [scan.shape[k] // 2 if axis == "z" else 0 for k, axis in enumerate(scan.info.axes[:-2])]
    index += [slice(None, None, max(1, math.ceil(n / PICTURE))) for n in scan.shape[-2:]]
    pixels = np.nan_to_num(scan.read(tuple(index), here=True).astype(np.float32), posinf=0, neginf=0)
    low, high = np.percentile(pixels, (1, 99.5)) if pixels.size else (0.0, 1.0)
    grey = np.clip((pixels - low) / max(high - low, np.finfo(np.float32).tiny), 0, 1) * 255
    rows, columns = (n * size for n, size in zip(scan.shape[-2:], scan.info.voxel_size[-2:], strict=True))
    return Picture(number, np.ascontiguousarray(grey, dtype=np.uint8), columns / rows)
