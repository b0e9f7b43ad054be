"""Events in words, for the log and the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_micromri.runs import record
from napari_micromri.runs.words import duration
from napari_micromri.training.events import Epoch, Resumed, Started

if TYPE_CHECKING:
    from napari_micromri.runs.events import Event


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
        case _:
            return record.describe(event)


def describe_epoch(epoch: Epoch) -> str:
    """Say how good an epoch was, beside the LR input itself."""
    judged, given = epoch.validation, epoch.baseline
    return (
        f"Epoch {epoch.epoch}: loss {epoch.train_loss:.4g}, validation MSE {judged.mse:.4g} (input {given.mse:.4g}), "
        f"PSNR {judged.psnr:.2f} dB ({given.psnr:.2f}), SSIM {judged.ssim:.4f} ({given.ssim:.4f}), "
        f"rate {epoch.learning_rate:.2g}, {duration(epoch.seconds)}{', best so far' if epoch.best else ''}"
    )


def _setting(event: Started) -> str:
    together = f" in {event.processes} processes" if event.processes > 1 else ""
    return (
        f"{event.train_slices} slices to learn from, {event.validation_slices} to judge by, "
        f"{event.parameters} weights, {event.device} in {event.precision}{together}."
    )
