"""Paired slices for training: from a study, in memory as far as the budget goes, checked once."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from napari_micromri.errors import InputError, TrainingError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_micromri.study.store import Study
    from napari_micromri.training.config import TrainConfig

MEGABYTE = 2**20


class SlicePair(Protocol):
    """One slice of a pair, in the scanner's units; `napari_micromri.study.reading.PairedSlice` is one."""

    @property
    def lr(self) -> NDArray[np.float32]:
        """Fast scan, (h, w)."""
        ...

    @property
    def hr(self) -> NDArray[np.float32]:
        """Good scan of the same extent, (H, W)."""
        ...

    @property
    def whole(self) -> NDArray[np.float32]:
        """Fast scan without its crop: what a slice is scaled by."""
        ...

    @property
    def corner(self) -> tuple[int, int]:
        """Row and column, on the good scan's grid, at which the crop begins in the whole slice."""
        ...

    @property
    def key(self) -> str:
        """Name of the pair."""
        ...

    @property
    def index(self) -> int:
        """Number of the slice in it, from 0."""
        ...

    @property
    def where(self) -> str:
        """The same for a person, with the place in mm."""
        ...


@dataclass(frozen=True)
class TrainingData:
    """What a model learns from, and what it is judged by.

    Parameters
    ----------
    train, validation
        Slices, each read when it is asked for.
    subjects
        Subject of each training slice; empty where they aren't known.
    source
        Name of the study.
    fingerprint
        Identifies scans, marks and split.
    split
        Subjects by set.
    """

    train: Sequence[SlicePair]
    validation: Sequence[SlicePair]
    subjects: Sequence[str] = ()
    source: str = ""
    fingerprint: str = ""
    split: Mapping[str, list[str]] = field(default_factory=dict)

    @classmethod
    def from_study(cls, study: Study) -> TrainingData:
        """Take the slices that a study keeps for training and validation."""
        split: dict[str, list[str]] = {}
        for subject in study.subjects:
            split.setdefault(study.set_of(subject), []).append(subject)
        train = study.slices("train")
        return cls(
            train=train,
            validation=study.slices("validation"),
            subjects=[pair.subject for pair, own in zip(train.pairs, train.indices, strict=True) for _ in own],
            source=study.name,
            fingerprint=study.fingerprint(),
            split=split,
        )

    def check(self) -> None:
        """Check that there is something to learn from.

        Raises
        ------
        TrainingError
            A set has no slices.
        """
        for what, slices in (("train", self.train), ("validation", self.validation)):
            if len(slices) == 0:
                raise TrainingError(
                    f"The study {self.source} has no slices in its {what} set. Assign a subject to that set, or keep "
                    "more of its slices."
                )


def check_data(study: Path | str) -> None:
    """Check that a study has slices to learn from and to judge by.

    Raises
    ------
    StudyError
        There is no such study.
    TrainingError
        A set is empty.
    """
    from napari_micromri.study.store import Study

    TrainingData.from_study(Study.open(study)).check()


def factor_of(pair: SlicePair) -> int:
    """Pixels of the good slice per pixel of the fast one.

    Raises
    ------
    InputError
        It isn't a whole number, or not the same along both axes.
    """
    (h, w), (fine_h, fine_w) = pair.lr.shape, pair.hr.shape
    factor = int(fine_h // h)
    if factor < 1 or (factor * h, factor * w) != (fine_h, fine_w):
        raise InputError(
            f"Slice {pair.where} of {pair.key} has {h} x {w} pixels in LR and {fine_h} x {fine_w} in HR; a model needs "
            "a whole number of HR pixels per LR pixel, the same along both axes. Exclude the pair or crop it."
        )
    return factor


class CheckedSlices(Sequence[SlicePair]):
    """Slices that are checked when they are first read and then kept in memory, while the budget lasts.

    Safe to read from several threads. Without a factor only the good scans are meant to be used.
    """

    def __init__(self, slices: Sequence[SlicePair], factor: int | None, budget: Budget) -> None:
        self._slices, self._factor, self._budget = slices, factor, budget
        self._kept: dict[int, SlicePair] = {}

    def __len__(self) -> int:
        return len(self._slices)

    def __getitem__(self, number: Any) -> Any:
        pair = self._kept.get(number)
        if pair is None:
            pair = self._slices[number]
            self._check(pair)
            if self._budget.take(pair.whole.nbytes + pair.hr.nbytes):
                self._kept[number] = pair
        return pair

    def _check(self, pair: SlicePair) -> None:
        if self._factor is not None and factor_of(pair) != self._factor:
            raise InputError(
                f"{pair.key} has {factor_of(pair)} HR pixels per LR pixel, other pairs {self._factor}. A model learns "
                "one factor: put such pairs into a study of their own, or exclude them."
            )
        images = {"HR": pair.hr} if self._factor is None else {"LR": pair.whole, "HR": pair.hr}
        for what, image in images.items():
            if not np.isfinite(image).all():
                raise InputError(
                    f"Slice {pair.where} of {pair.key} holds {what} values that are not numbers. Exclude the slice."
                )


def checked_slices(config: TrainConfig, data: TrainingData) -> tuple[int, tuple[CheckedSlices, CheckedSlices]]:
    """Give the factor between the grids, and the slices of training and validation.

    Raises
    ------
    TrainingError
        A set has no slices.
    InputError
        The grids of the first pair don't fit, or the slices are too small to make fast ones of them.
    """
    data.check()
    budget = Budget(config.cache_megabytes)
    if config.pairs == "simulated":
        return config.simulated.factor, (
            CheckedSlices(data.train, None, budget),
            CheckedSlices(data.validation, None, budget),
        )
    factor = factor_of(data.train[0])
    return factor, (CheckedSlices(data.train, factor, budget), CheckedSlices(data.validation, factor, budget))


class Budget:
    """Bytes that may be kept in memory, shared by all sets."""

    def __init__(self, megabytes: int) -> None:
        self._left = megabytes * MEGABYTE
        self._lock = threading.Lock()

    def take(self, size: int) -> bool:
        """Take some bytes; False when they are no longer there."""
        with self._lock:
            if size > self._left:
                return False
            self._left -= size
            return True
