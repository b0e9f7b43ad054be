"""Configurations to start from: those of every kind of model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_micromri.errors import InputError
from napari_micromri.nn.families import FAMILIES
from napari_micromri.training.config import TrainConfig, parse_config

if TYPE_CHECKING:
    from napari_micromri.nn.family import Family


@dataclass(frozen=True)
class Preset:
    """A configuration and what it is good for."""

    summary: str
    config: TrainConfig


def presets_of(family: Family) -> dict[str, Preset]:
    """Give the presets of a kind of model by name."""
    return {
        name: Preset(preset.summary, parse_config({"kind": family.kind, **preset.settings}))
        for name, preset in family.presets.items()
    }


PRESETS = {name: preset for family in FAMILIES.values() for name, preset in presets_of(family).items()}


def find_preset(name: str) -> TrainConfig:
    """Give the configuration of a preset.

    Raises
    ------
    InputError
        There is none of that name.
    """
    if name not in PRESETS:
        raise InputError(f"There is no preset '{name}'. Choose one of: {', '.join(PRESETS)}.")
    return PRESETS[name].config
