"""The kinds of models that the dock trains. Another kind is another entry in `FAMILIES`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_micromri.training.presets import PRESETS
from napari_micromri.training.process import start_run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from napari_micromri.training.config import TrainConfig
    from napari_micromri.training.presets import Preset


@dataclass(frozen=True)
class Family:
    """A kind of model.

    Parameters
    ----------
    kind
        As in the header of a model file.
    begins_from
        Kinds of models that its training goes on from.
    left_out
        Beginnings of the settings that it has no use for.
    start
        Begins a run in the background; raises a `MicroMRIError`.
    """

    kind: str
    label: str
    about: str
    presets: Mapping[str, Preset]
    begins_from: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    start: Callable[[TrainConfig, Path, Path], object] = start_run


def _presets(kind: str) -> dict[str, Preset]:
    return {name: preset for name, preset in PRESETS.items() if preset.config.kind == kind}


FAMILIES: dict[str, Family] = {
    "unet": Family(
        kind="unet",
        label="UNet",
        about="Takes a fast slice and gives a good one, in one step. Learns quickly; the right choice to begin with.",
        presets=_presets("unet"),
        begins_from=("unet",),
        left_out=("apddm.",),
    ),
    "apddm": Family(
        kind="apddm",
        label="APDDM",
        about="A diffusion model: one step gives about what a UNet gives, more steps bring texture back, several draws "
        "an uncertainty map. The differences between the scans of your pairs are the noise that it learns from.",
        presets=_presets("apddm"),
        begins_from=("unet", "apddm"),
    ),
}
