"""The kinds of models that the dock trains. Another kind is another entry in `FAMILIES`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_micromri.training.config import TrainConfig, parse_config
from napari_micromri.training.presets import PRESETS
from napari_micromri.training.process import start_run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from typing import Any

    from napari_micromri.training.presets import Preset


@dataclass(frozen=True)
class Family:
    """A kind of model.

    Parameters
    ----------
    kind
        As in the header of a model file; training goes on from models of the same kind only.
    config
        Its configuration, which the fields are made from.
    parse
        Checks the content of a configuration; raises `InputError`.
    start
        Begins a run in the background; raises a `MicroMRIError`.
    """

    kind: str
    label: str
    about: str
    presets: Mapping[str, Preset]
    config: type[TrainConfig]
    parse: Callable[[Mapping[str, Any]], TrainConfig]
    start: Callable[[TrainConfig, Path, Path], object]


FAMILIES: dict[str, Family] = {
    "unet": Family(
        kind="unet",
        label="UNet",
        about="Takes a fast slice and gives a good one, in one step. Learns quickly; the right choice to begin with.",
        presets=PRESETS,
        config=TrainConfig,
        parse=parse_config,
        start=start_run,
    ),
}
