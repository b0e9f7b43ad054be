"""What the best trial of a tuning hands to the tab "Set up", without Qt."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_micromri.training.config import TrainConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_micromri.tuning.state import TrialRow, TuneState

OF_THE_COMPUTER = ("device", "precision", "devices", "nodes", "threads", "workers")
"""Workers share a computer; a training alone has it for itself."""


@dataclass(frozen=True)
class Retraining:
    """A training to set up: on which study, with which settings, and what it is called."""

    study: Path
    settings: Mapping[str, Any]
    title: str


def retraining(state: TuneState, row: TrialRow) -> Retraining | None:
    """Take a trial's settings, for as many epochs as an ordinary training has; None where they aren't known.

    Early stopping ends it before, when nothing gets better.
    """
    from napari_micromri.tuning.report.settings_file import settings_of

    if state.config is None:
        return None
    base, tried = state.config.base.model_dump(mode="json"), settings_of(state, row)
    own = {key: base[key] for key in OF_THE_COMPUTER if key in base}
    epochs = max(int(tried.get("epochs", 1)), TrainConfig().epochs)
    settings = dict(tried) | own | {"name": "", "epochs": epochs}
    return Retraining(Path(state.config.study), settings, f"trial {row.number} of the tuning {state.name}")
