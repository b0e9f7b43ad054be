"""What a study is made of: pairs of scans, the marks a person sets on them, and the sets that subjects belong to.

Everything here is a frozen snapshot without files or arrays; `napari_micromri.study.store` reads and changes the files.

Counting
--------
Slices count from 0 along the ``z`` axis, as napari's slider does. Pixels of a `Crop` count from 0 on the HR grid.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from napari_micromri.errors import StudyError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_micromri.scan import ScanInfo

Reason: TypeAlias = Literal["noise", "motion", "ghost", "outside", "other", "before"]
REASONS: tuple[Reason, ...] = get_args(Reason)
REASON_WORDS: dict[Reason, str] = {
    "noise": "too noisy",
    "motion": "motion",
    "ghost": "ghost",
    "outside": "out of the animal",
    "other": "other",
    "before": "excluded before",
}

Set: TypeAlias = Literal["train", "validation", "test"]
SETS: tuple[Set, ...] = get_args(Set)
DEFAULT_SET: Set = "train"
"""Where a subject belongs that nobody assigned."""


@dataclass(frozen=True, order=True)
class Crop:
    """A box on the HR grid: rows ``top`` to ``bottom`` and columns ``left`` to ``right``, the ends not included."""

    top: int
    bottom: int
    left: int
    right: int

    def __post_init__(self) -> None:
        if not (0 <= self.top < self.bottom and 0 <= self.left < self.right):
            raise StudyError(f"A crop needs at least one row and one column inside the image, not {self}.")

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.bottom - self.top, self.right - self.left


@dataclass(frozen=True)
class Marks:
    """What a person decided about one pair; the pixels stay as they are."""

    excluded: Mapping[int, Reason] = field(default_factory=dict)
    crop: Crop | None = None


@dataclass(frozen=True)
class StudyImage:
    """One of the two scans of a pair, without its pixels. ``shape`` is (slices, rows, columns), axes ``zyx``."""

    shape: tuple[int, int, int]
    dtype: str
    info: ScanInfo


@dataclass(frozen=True)
class Finding:
    """One line of a pair's report. ``error`` says that the pair shouldn't be used, otherwise it is a warning."""

    error: bool
    text: str


@dataclass(frozen=True, kw_only=True)
class PairReport:
    """How well the two scans of a pair belong together; measured when the pair is built.

    Parameters
    ----------
    extent_difference
        Largest distance in mm between the outer edges of the two fields of view, in-plane.
    shift
        (y, x) in mm, by which the LR content lies off the HR content (phase cross-correlation); median over slices.
    shift_spread
        Median absolute deviation of that over slices, in mm; NaN when it could not be measured.
    correlation
        Pearson correlation of LR and HR on the LR grid, after the shift is undone; median over slices.
    intensity_ratio
        Mean foreground signal of HR over that of LR.
    lr_snr, hr_snr
        See `napari_micromri.measure.noise.NoiseEstimate`.
    findings
        Errors and warnings in words; empty when all is well.
    """

    extent_difference: float
    shift: tuple[float, float]
    shift_spread: float
    correlation: float
    intensity_ratio: float
    lr_snr: float
    hr_snr: float
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Pair:
    """An LR and an HR scan of the same slices of one subject, with its marks as they were when it was read.

    Parameters
    ----------
    key
        Unique in the study, and the path of the pair in it: ``"<subject>/<region>/<plane>"``, each part encoded so that
        it can be a folder's name. A second session of the same region and plane has a number behind the plane.
    shift
        (y, x) in mm, by which the LR content is moved back when slices are read for training; (0, 0) for no alignment.
    quality
        One entry per slice: named measurements, see `napari_micromri.study.quality`.
    sources
        JSON-like: where both scans came from, or how LR was simulated.
    digest
        SHA-256 of the stored pixels of both scans.
    """

    key: str
    subject: str
    region: str
    plane: str
    session: str | None
    lr: StudyImage
    hr: StudyImage
    shift: tuple[float, float]
    report: PairReport
    quality: Sequence[Mapping[str, float]]
    sources: Mapping[str, Any]
    digest: str
    marks: Marks = field(default_factory=Marks)

    @property
    def slice_count(self) -> int:
        """Slices in either scan."""
        return self.hr.shape[0]

    @property
    def kept(self) -> tuple[int, ...]:
        """Indices of the slices that are not excluded."""
        return tuple(k for k in range(self.slice_count) if k not in self.marks.excluded)

    def slice_words(self, index: int) -> str:
        """Name a slice for a person by its number and place in HR: ``6 · z 4.5 mm``."""
        return self.hr.info.slice_words(index)

    @property
    def cells(self) -> tuple[int, int]:
        """Count of rows and columns of the finest grid whose lines are pixel edges of both scans; crops keep to it."""
        return math.gcd(self.lr.shape[1], self.hr.shape[1]), math.gcd(self.lr.shape[2], self.hr.shape[2])


@dataclass(frozen=True)
class Exclude:
    """Exclude one slice for a reason; None keeps it."""

    key: str
    index: int
    reason: Reason | None


@dataclass(frozen=True)
class SetCrop:
    """Crop a pair to a box; None shows all of it."""

    key: str
    crop: Crop | None


@dataclass(frozen=True)
class Assign:
    """Put a subject, with all its pairs, into a set; None leaves it to `DEFAULT_SET`."""

    subject: str
    to: Set | None


Edit: TypeAlias = Exclude | SetCrop | Assign
"""One reversible change of the marks. Applying it gives the edit that undoes it."""
