"""How a tuning's parts are called in the dock, without Qt."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from napari_micromri.tuning.objectives import OBJECTIVES, at_length
from napari_micromri.widgets.training.settings import to_text
from napari_micromri.widgets.training.settings_words import LABELS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_micromri.tuning.state import TrialState, Value

STATE_WORDS: Mapping[TrialState, str] = {
    "waiting": "Waiting",
    "running": "Running",
    "done": "Done",
    "pruned": "Pruned",
    "failed": "Failed",
}
COLOURS: Mapping[TrialState, str] = {
    "waiting": "#a8a8a8",
    "running": "#6db3f2",
    "done": "#66c2a5",
    "pruned": "#e0a33a",
    "failed": "#ff6b6b",
}
OBJECTIVES_AT_LENGTH: Mapping[str, str] = {name: at_length(name) for name in OBJECTIVES}


def setting_label(key: str) -> str:
    """Name a setting as in the tab Set up: ``network.features_main.0`` is "Features 1"."""
    name, _, last = key.rpartition(".")
    if last.isdigit():
        return f"{setting_label(name)} {int(last) + 1}"
    return LABELS.get(key, last.replace("_", " ").capitalize())


def value_text(value: Value) -> str:
    """Write the value of a parameter in few characters."""
    return short(value) if isinstance(value, float) else to_text(value)


def objective_text(name: str, value: float) -> str:
    """Write a figure of an objective with its unit."""
    if not math.isfinite(value):
        return "none"
    match name:
        case "ssim":
            return f"{value:.4f}"
        case "latency":
            return f"{1000 * value:.3g} ms"
        case "parameters":
            return f"{value / 1e6:.2f} M" if value >= 1e5 else f"{value:.0f}"
    return short(value)


def short(value: float) -> str:
    """Write a number with four digits, without needless zeros: 0.0003139, 1e-06."""
    return f"{value:.4g}"
