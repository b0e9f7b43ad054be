"""What an evaluation finds: a row per slice and method, and what was evaluated on what.

Plain data with its JSON form. Numbers that JSON can't hold (NaN, infinity) are written as texts, which ``float`` reads.
"""

from __future__ import annotations

import math
from dataclasses import MISSING, asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from napari_micromri.measure.metrics import Figures

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from napari_micromri.inference.options import Quality

NEAREST, SINC = "LR nearest", "LR sinc"
BASELINES = (NEAREST, SINC)
"""The fast scan itself on the grid of the good one: repeated pixels, as in the report, and zero-filled k-space."""

MULTIPLES = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
"""Times the width that a model states for its errors, at which the part of them within is counted."""

MEASURES = 3
"""Raise it when a figure is computed in another way: earlier measurements are then not reused."""


@dataclass(frozen=True, kw_only=True)
class SliceRow(Figures):
    """One slice as one method makes it, compared with HR within the crop.

    Parameters
    ----------
    index
        The slice, counted from 0.
    method
        One of `BASELINES` or a model's label.
    lr_mean
        Mean of the absolute LR values within the crop: the unit of ``mse``.
    mse and the other metrics
        See `napari_micromri.measure.metrics`; the MSE is that of images divided by ``lr_mean`` (report 3.4, eq. 12).
    power_curve, ring_curve
        Power ratio and Fourier ring correlation at the frequencies of `napari_micromri.measure.evaluation.slices`.
    within
        Part of the foreground's pixels whose error lies within `MULTIPLES` of the width that the model states for them
        (`napari_micromri.inference.denoise_with_uncertainty`); empty where it states none.
    """

    key: str
    subject: str
    region: str
    plane: str
    session: str | None
    index: int
    method: str
    lr_mean: float
    power_curve: tuple[float, ...] = ()
    ring_curve: tuple[float, ...] = ()
    within: tuple[float, ...] = ()

    @property
    def slice_key(self) -> tuple[str, int]:
        """Which slice it is about."""
        return self.key, self.index

    @property
    def errors_within(self) -> float:
        """Part of the errors within the stated width; NaN where none is stated."""
        return self.within[MULTIPLES.index(1.0)] if self.within else math.nan

    def to_json(self) -> dict[str, Any]:
        """Give plain JSON."""
        return {name: _plain(value) for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> SliceRow:
        """Restore what `to_json` gave.

        Raises
        ------
        ValueError, TypeError, KeyError
            It is something else.
        """
        values = dict(document)
        for field in fields(cls):
            if field.type == "float" and (field.name in values or field.default is MISSING):
                values[field.name] = float(values[field.name])
            elif field.type == "tuple[float, ...]":
                values[field.name] = tuple(float(value) for value in values[field.name])
        return cls(**values)


@dataclass(frozen=True, kw_only=True)
class ModelIdentity:
    """Which model stands behind a label, and how it is run.

    Parameters
    ----------
    sampling
        Has the fields of `napari_micromri.nn.restorer.Sampling`; None for models that have no choice.
    quality, dark_air
        See `napari_micromri.inference.DenoiseOptions`.
    """

    label: str
    name: str
    kind: str
    fingerprint: str
    factor: int
    sampling: Mapping[str, float] | None = None
    quality: Quality = "fast"
    dark_air: bool = False

    @property
    def how(self) -> str:
        """Steps, draws, quality and dark air in words; empty for models that have no choice, run as usual."""
        counts = [(name, self.sampling[f"{name}s"]) for name in ("step", "draw")] if self.sampling else []
        words = [f"{count:g} {name}{'' if count == 1 else 's'}" for name, count in counts]
        words += [name for name, on in (("quality best", self.quality == "best"), ("dark air", self.dark_air)) if on]
        return ", ".join(words)


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What is evaluated on what: two evaluations with equal setups find the same.

    Parameters
    ----------
    study_fingerprint
        Of the pairs, pixels, marks and subjects of the evaluated set.
    precision
        What convolutions are computed in.
    rois
        Digest of the regions; empty without.
    """

    study: str
    study_fingerprint: str
    split: str
    models: tuple[ModelIdentity, ...]
    precision: str = "float32"
    rois: str = ""
    measures: int = MEASURES

    @property
    def methods(self) -> tuple[str, ...]:
        """Labels of all that is compared with HR, the baselines first."""
        return (*BASELINES, *(model.label for model in self.models))

    def to_json(self) -> dict[str, Any]:
        """Give plain JSON."""
        document = asdict(self)
        for model in document["models"]:
            for name, usual in (("quality", "fast"), ("dark_air", False)):
                if model[name] == usual:  # earlier evaluations don't say it, and are continued
                    del model[name]
        return document | {"models": list(document["models"])}


@dataclass(frozen=True)
class Problem:
    """A pair, or one slice of it, that could not be measured, in words."""

    key: str
    index: int | None
    text: str
    where: str = ""

    @property
    def place(self) -> str:
        """The pair, and the slice by its number and place in mm."""
        return self.key if self.index is None else f"{self.key}, slice {self.where or self.index}"


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What `napari_micromri.measure.evaluation.evaluate` found; the same stands in the files of ``folder``.

    Parameters
    ----------
    rois
        Rows of ``rois.csv``: a region on a slice of an image.
    problems
        What could not be measured, and is in none of the figures.
    subjects
        Those that were measured.
    cautions
        Sentences on what keeps the figures from meaning more than they do.
    """

    setup: Setup
    rows: tuple[SliceRow, ...]
    rois: tuple[Mapping[str, Any], ...]
    problems: tuple[Problem, ...]
    subjects: tuple[str, ...]
    cautions: tuple[str, ...]
    folder: Path


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
