"""Configurations to start from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from napari_micromri.errors import InputError
from napari_micromri.nn.families.unet.config import PRESETS as NETWORKS
from napari_micromri.nn.families.unet.config import UNetConfig
from napari_micromri.training.config import TrainConfig


@dataclass(frozen=True)
class Preset:
    """A configuration and what it is good for."""

    summary: str
    config: TrainConfig


_PATCHES: dict[str, Any] = {
    "batch_size": 8,
    "crop": 96,
    "transpose": True,
    "scaling": 0.3,
    "optimizer": "adamw",
    "scheduler": "cosine",
    "warmup_epochs": 0.5,
    "clip": 1.0,
}
"""Learn from random squares, turned and scaled, with a learning rate that rises for a moment and falls to the end."""

_SMALL: dict[str, Any] = {
    "network": UNetConfig(features_main=(32, 64), patch_size=2),
    "upsampling": "sinc",
    "epochs": 30,
    "learning_rate": 1e-3,
}
_SIMULATED: dict[str, Any] = {"pairs": "simulated", "cuts": 4, "batch_size": 3, "loss": "structural"}
"""Fast scans made anew at every draw; four squares of each, since making the scan is most of the work."""

_SHIPPED: dict[str, Any] = {
    "draws": 300,
    "balance": "subjects",
    "weight_decay": 1e-4,
    "ema": 0.995,
    "final_rate": 0.02,
    "monitor": "loss",
    "patience": None,
    "threads": 1,
}
"""An epoch is 100 steps; every source of the study comes equally often."""

_DIFFUSION: dict[str, Any] = {"kind": "apddm", "monitor": "loss", "patience": None}

PRESETS = {
    "quick": Preset(
        "a small network for a first try: minutes on a CPU",
        TrainConfig(**_PATCHES, **_SMALL),
    ),
    "fine-tune": Preset(
        "goes on from the shipped model with your own scans",
        TrainConfig(**_PATCHES, init_from="unet-default", epochs=30, learning_rate=1e-4, weight_decay=1e-4, ema=0.99),
    ),
    "good-scans": Preset(
        "goes on from the shipped model with good scans alone: their fast scans are made by simulation",
        TrainConfig(**_PATCHES | _SIMULATED, init_from="unet-default", epochs=30, learning_rate=1e-4, ema=0.99),
    ),
    "unet-default": Preset(
        "how the shipped model is made, from a study of good scans of many kinds",
        TrainConfig(
            **_PATCHES | _SIMULATED,
            **_SHIPPED,
            network=UNetConfig(features_main=(64, 64, 96), downsampling="conv_strided", patch_size=2, noise_input=True),
            upsampling="sinc",
            epochs=60,
            learning_rate=5e-4,
        ),
    ),
    "apddm-default": Preset(
        "how the shipped diffusion model is made, from the same study and the shipped UNet",
        TrainConfig(
            **_PATCHES | _SIMULATED,
            **_SHIPPED | _DIFFUSION,
            init_from="unet-default",
            epochs=30,
            learning_rate=3e-4,
        ),
    ),
    "apddm": Preset(
        "a diffusion model that begins as the shipped UNet: from faithful to textured, with uncertainty",
        TrainConfig(
            **_PATCHES,
            **_DIFFUSION,
            init_from="unet-default",
            epochs=60,
            learning_rate=3e-4,
            weight_decay=1e-4,
            ema=0.998,
        ),
    ),
    "apddm-fine-tune": Preset(
        "goes on from the shipped diffusion model with your own scans",
        TrainConfig(
            **_PATCHES,
            **_DIFFUSION,
            init_from="apddm-default",
            epochs=30,
            learning_rate=1e-4,
            weight_decay=1e-4,
            ema=0.998,
        ),
    ),
    "apddm-quick": Preset(
        "a small diffusion model from scratch, for a first try: minutes on a CPU",
        TrainConfig(**_PATCHES, **_SMALL, **_DIFFUSION, ema=0.99),
    ),
    "first-run": Preset(
        "the report's first network; wants a GPU",
        TrainConfig(
            network=NETWORKS["first-run"],
            optimizer="rmsprop",
            learning_rate=1e-4,
            scheduler="plateau",
            batch_size=32,
            epochs=200,
            loss="mse",
        ),
    ),
    "tuned": Preset(
        "the report's tuned network; wants a GPU",
        TrainConfig(
            network=NETWORKS["tuned"],
            optimizer="adam",
            learning_rate=3.139e-4,
            scheduler="step",
            batch_size=32,
            epochs=200,
            loss="mse",
        ),
    ),
}


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
