"""Models that need no training, rows worked out by hand, and a study with a test set."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from napari_micromri.measure.evaluation.rows import SINC, SliceRow
from napari_micromri.nn.checkpoint import ModelCard, ModelSpec
from napari_micromri.nn.restorer import MEASURED, Noise
from napari_micromri.study.cropping import snap
from napari_micromri.study.model import Assign, Crop, Exclude, SetCrop
from study_samples import make_study

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from torch import Tensor

    from napari_micromri.study.store import Study

ROW = SliceRow(
    key="a/r/p",
    subject="a",
    region="r",
    plane="p",
    session=None,
    index=0,
    method=SINC,
    lr_mean=2.0,
    mse=0.0,
    psnr=0.0,
    ssim=0.0,
    bias=0.0,
    power_ratio=1.0,
    ring_correlation=0.0,
)


def rows_of(values: dict[str, list[float]], *, method: str = SINC, metric: str = "mse") -> list[SliceRow]:
    """One row per value; ``values`` is subject -> values of the metric, slice by slice."""
    return [
        replace(ROW, key=f"{subject}/r/p", subject=subject, index=k, method=method, **{metric: value})
        for subject, mine in values.items()
        for k, value in enumerate(mine)
    ]


class Repeater:
    """A `Restorer` that repeats pixels and multiplies by a gain; it counts the slices that it was given."""

    def __init__(self, name: str = "repeater", *, gain: float = 1.0, factor: int = 2, **fields: object) -> None:
        card = ModelCard(summary="repeats <b>pixels</b>", training_data={"nothing": "CC0"})
        described = {"name": name, "kind": "unet", "config": {}, "factor": factor, "card": card}
        self.spec = ModelSpec(**(described | fields))
        self.fingerprint, self.gain = f"{name}-{gain}", gain
        self.count = 0

    def prepare(self, device: torch.device, dtype: torch.dtype) -> None:
        pass

    takes_noise = False

    def restore(self, slices: Tensor, tile: int | None = None, noise: Noise = MEASURED) -> Tensor:
        self.count += len(slices)
        factor = self.spec.factor
        return self.gain * slices.repeat_interleave(factor, 2).repeat_interleave(factor, 3)

    def memory(self, height: int, width: int) -> int:
        return 1


def make_test_study(path: Path, *, subjects: int = 3, tested: int = 2, slices: int = 4) -> Study:
    """The first subjects are tested; slice 0 of the first is excluded, and its pair is cropped."""
    study = make_study(path, subjects=subjects, slices=slices)
    edits = [Assign(subject, "test") for subject in study.subjects[:tested]]
    first = study.pairs()[0]
    crop = snap(first, Crop(4, 28, 6, 40))
    study.apply([*edits, Exclude(first.key, 0, "noise"), SetCrop(first.key, crop)])
    return study
