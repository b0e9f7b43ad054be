"""Events in words, for the log and the terminal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from napari_micromri.training.events import Done, Epoch, Failed, Resumed, Started, Stopped

if TYPE_CHECKING:
    from napari_micromri.training.events import Event


def describe(event: Event) -> str | None:
    """Say in one line what happened; None for what a person need not read."""
    match event:
        case Resumed():
            return (
                f"Resumed in epoch {event.epoch} after {event.batch} batches. {_setting(event)} {event.note}".rstrip()
            )
        case Started():
            return f"Started. {_setting(event)} {event.note}".rstrip()
        case Epoch():
            return describe_epoch(event)
        case Stopped() | Failed() | Done():
            return event.message
        case _:
            return None


def describe_epoch(epoch: Epoch) -> str:
    """Say how good an epoch was, beside the LR input itself."""
    judged, given = epoch.validation, epoch.baseline
    return (
        f"Epoch {epoch.epoch}: loss {epoch.train_loss:.4g}, validation MSE {judged.mse:.4g} (input {given.mse:.4g}), "
        f"PSNR {judged.psnr:.2f} dB ({given.psnr:.2f}), SSIM {judged.ssim:.4f} ({given.ssim:.4f}), "
        f"rate {epoch.learning_rate:.2g}, {duration(epoch.seconds)}{', best so far' if epoch.best else ''}"
    )


def duration(seconds: float | None) -> str:
    """Write a time for a person: 12 s, 3 min, 2 h 05 min, 3 d 4 h."""
    if seconds is None or not math.isfinite(seconds):
        return "?"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h {minutes % 60:02} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def _setting(event: Started) -> str:
    together = f" in {event.processes} processes" if event.processes > 1 else ""
    return (
        f"{event.train_slices} slices to learn from, {event.validation_slices} to judge by, "
        f"{event.parameters} weights, {event.device} in {event.precision}{together}."
    )
