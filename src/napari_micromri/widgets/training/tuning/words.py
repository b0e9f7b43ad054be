"""How a tuning's parts are called in the dock, without Qt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_micromri.widgets.training.run_model import COLOURS as RUN_COLOURS
from napari_micromri.widgets.training.settings_words import LABELS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_micromri.tuning.state import TrialState

COLOURS: Mapping[TrialState, str] = {
    "waiting": "#a8a8a8",
    "running": RUN_COLOURS["running"],
    "done": RUN_COLOURS["done"],
    "pruned": RUN_COLOURS["stopped"],
    "failed": RUN_COLOURS["failed"],
}


def setting_label(key: str) -> str:
    """Name a setting as in the tab Set up: ``network.features_main.0`` is "Features 1"."""
    name, _, last = key.rpartition(".")
    if last.isdigit():
        return f"{setting_label(name)} {int(last) + 1}"
    return LABELS.get(key, last.replace("_", " ").capitalize())
