"""What happens during a training run, besides what happens in all jobs (`napari_micromri.runs.events`).

Epochs count from 1, batches within an epoch from 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, make_dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from napari_micromri.runs import events as job
from napari_micromri.runs.events import Event, by_name
from napari_micromri.training.figures import FIGURES

if TYPE_CHECKING:

    @dataclass(frozen=True, kw_only=True)
    class _Values:
        def __getattr__(self, name: str) -> float: ...

else:
    # A float of each name. Runs of before a figure was there lack it, hence the default.
    _Values = make_dataclass(
        "_Values", [(figure.name, "float", field(default=math.nan)) for figure in FIGURES], frozen=True, kw_only=True
    )


class Metrics(_Values):
    """How close images come to the good scans, as means over the validation slices: a value of each of `FIGURES`.

    The ``loss`` of a diffusion model is that over points of the path, all other figures are those of denoised slices.
    ``loss``, ``mse`` and ``mae`` are in normalised units (see `napari_micromri.nn.normalisation`), ``psnr`` is in dB
    with the maximum of each good slice as its peak, ``ssim`` as in `napari_micromri.measure.image_quality.ssim`.
    """


class _Judged(Event):
    """An event that carries `Metrics`."""

    @classmethod
    def restore(cls, key: str, value: Any) -> Any:
        if key not in ("validation", "baseline"):
            return super().restore(key, value)
        values: dict[str, float] = {
            figure.name: math.nan if value[figure.name] is None else float(value[figure.name])
            for figure in FIGURES
            if figure.name in value
        }
        return Metrics(**values)


@dataclass(frozen=True, kw_only=True)
class Started(_Judged, job.Started):
    """Training begins. ``baseline`` is what the LR input itself, brought to the HR grid, scores on validation.

    ``note`` says what a person should know of these settings.
    """

    epochs: int
    batches: int
    train_slices: int
    validation_slices: int
    parameters: int
    device: str
    precision: str
    processes: int = 1
    baseline: Metrics


@dataclass(frozen=True, kw_only=True)
class Resumed(Started, job.Resumed):
    """Training continues after ``batch`` batches of ``epoch`` (0: at its beginning). ``note`` says what has changed."""

    epoch: int
    batch: int


@dataclass(frozen=True, kw_only=True)
class BatchDone(Event):
    """One batch was learned from."""

    name: ClassVar[str] = "batch"
    kept: ClassVar[bool] = False
    epoch: int
    batch: int
    batches: int
    loss: float


@dataclass(frozen=True, kw_only=True)
class Epoch(_Judged):
    """One epoch is over. ``best`` says whether it is the best so far, ``seconds`` are those of training alone.

    ``train_loss`` is the mean over the slices that were learned from.
    """

    name: ClassVar[str] = "epoch"
    epoch: int
    train_loss: float
    validation: Metrics
    baseline: Metrics
    learning_rate: float
    seconds: float
    best: bool

    @property
    def noise(self) -> float:
        """Mean Noise ``|n - s|`` of the input against the reference (DSQ), in normalised units."""
        return self.baseline.mae

    @property
    def recon_error(self) -> float:
        """Mean ReconError ``|p - s|`` of the prediction against the reference (DSQ), in normalised units."""
        return self.validation.mae


@dataclass(frozen=True, kw_only=True)
class ValidationImage(Event):
    """The fixed validation slice was denoised by the weights after ``epoch``; ``file`` is relative to the run."""

    name: ClassVar[str] = "validation_image"
    epoch: int
    file: str


@dataclass(frozen=True, kw_only=True)
class Checkpoint(Event):
    """``file`` (``best.safetensors`` or ``last.safetensors``) was written after ``batch`` batches of ``epoch``."""

    name: ClassVar[str] = "checkpoint"
    epoch: int
    batch: int
    file: str


@dataclass(frozen=True, kw_only=True)
class Stopped(job.Stopped):
    """A person or the cluster asked for the end after ``batch`` batches of ``epoch``; both 0 when it came at once."""

    epoch: int = 0
    batch: int = 0


@dataclass(frozen=True, kw_only=True)
class Done(job.Done):
    """Training came to its end. ``epoch`` is the best one."""

    epoch: int


KINDS = by_name(Started, Resumed, BatchDone, Epoch, ValidationImage, Checkpoint, Stopped, Done)
