"""What happens during a training run, as objects and as lines of ``events.jsonl``.

Epochs count from 1, batches within an epoch from 1. Times are seconds since 1970. A figure that can't be computed (the
SSIM of an empty slice) is NaN here and ``null`` in the file.
"""

from __future__ import annotations

import json
import math
import time as clock
from dataclasses import asdict, dataclass, field, fields
from typing import Any, ClassVar, TypeAlias


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """How close images come to the good scans, as means over the validation slices.

    The ``loss`` of a diffusion model is that over points of the path, all other figures are those of denoised slices.
    ``loss``, ``mse`` and ``mae`` are in normalised units (see `napari_micromri.nn.normalisation`), ``psnr`` is in dB
    with the maximum of each good slice as its peak, ``ssim`` as in `napari_micromri.measure.image_quality.ssim`.
    """

    loss: float
    mse: float
    mae: float
    psnr: float
    ssim: float


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened at a time."""

    name: ClassVar[str] = ""
    time: float = field(default_factory=clock.time)


@dataclass(frozen=True, kw_only=True)
class Started(Event):
    """Training begins. ``baseline`` is what the LR input itself, brought to the HR grid, scores on validation.

    ``note`` says what a person should know of these settings.
    """

    name: ClassVar[str] = "started"
    epochs: int
    batches: int
    train_slices: int
    validation_slices: int
    parameters: int
    device: str
    precision: str
    processes: int = 1
    baseline: Metrics
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Resumed(Started):
    """Training goes on after ``batch`` batches of ``epoch`` (0: at its beginning). ``note`` says what has changed."""

    name: ClassVar[str] = "resumed"
    epoch: int
    batch: int


@dataclass(frozen=True, kw_only=True)
class Batch(Event):
    """One batch was learned from. Not kept in ``events.jsonl``: the newest stands in ``process.json``."""

    name: ClassVar[str] = "batch"
    epoch: int
    batch: int
    batches: int
    loss: float


@dataclass(frozen=True, kw_only=True)
class Epoch(Event):
    """One epoch is over. ``best`` says whether it is the best so far, ``seconds`` are those of training alone."""

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
class Stopped(Event):
    """A person or the cluster asked for the end; the run can be resumed."""

    name: ClassVar[str] = "stopped"
    epoch: int
    batch: int
    message: str


@dataclass(frozen=True, kw_only=True)
class Failed(Event):
    """The run can't go on; ``message`` says why and what to do."""

    name: ClassVar[str] = "failed"
    message: str


@dataclass(frozen=True, kw_only=True)
class Done(Event):
    """Training came to its end. ``epoch`` is the best one."""

    name: ClassVar[str] = "done"
    epoch: int
    message: str


Terminal: TypeAlias = Stopped | Failed | Done
"""What ends a segment of a run: there is exactly one between two beginnings, unless the process died."""

KINDS: dict[str, type[Event]] = {
    kind.name: kind for kind in (Started, Resumed, Batch, Epoch, ValidationImage, Checkpoint, Stopped, Failed, Done)
}


def to_line(event: Event) -> str:
    """Write an event as one line of JSON without its line end."""
    return json.dumps({"event": event.name, **_finite(asdict(event))}, ensure_ascii=False, allow_nan=False)


def from_line(line: str) -> Event | None:
    """Read a line; None for what is half-written, damaged, or written by a later version."""
    try:
        content = json.loads(line)
        kind = KINDS[content.pop("event")]
        known = {f.name for f in fields(kind)}
        return kind(**{key: _restore(key, value) for key, value in content.items() if key in known})
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _finite(content: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in content.items():
        if isinstance(value, dict):
            result[key] = _finite(value)
        else:
            result[key] = None if isinstance(value, float) and not math.isfinite(value) else value
    return result


def _restore(key: str, value: Any) -> Any:
    if key in ("validation", "baseline"):
        return Metrics(**{f.name: math.nan if value[f.name] is None else float(value[f.name]) for f in fields(Metrics)})
    return math.nan if value is None else value
