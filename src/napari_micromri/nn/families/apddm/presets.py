"""Settings to train diffusion models with."""

from __future__ import annotations

from typing import Any

from napari_micromri.nn.families.recipes import PATCHES, QUICK, SHIPPED, SIMULATED
from napari_micromri.nn.family import Preset

_DIFFUSION: dict[str, Any] = {"kind": "apddm", "monitor": "loss", "patience": None}

PRESETS = {
    "apddm": Preset(
        "a diffusion model that begins as the shipped UNet: from faithful to textured, with uncertainty",
        PATCHES
        | _DIFFUSION
        | {"init_from": "unet-default", "epochs": 60, "learning_rate": 3e-4, "weight_decay": 1e-4, "ema": 0.998},
    ),
    "apddm-fine-tune": Preset(
        "starts from the shipped diffusion model, with your own scans",
        PATCHES
        | _DIFFUSION
        | {"init_from": "apddm-default", "epochs": 30, "learning_rate": 1e-4, "weight_decay": 1e-4, "ema": 0.998},
    ),
    "apddm-quick": Preset(
        "a small diffusion model from scratch, for a first try: minutes on a CPU",
        QUICK | _DIFFUSION | {"network": {"features_main": [32, 64], "patch_size": 2}, "ema": 0.99},
    ),
    "apddm-default": Preset(
        "how the shipped diffusion model is made, from the same study and the shipped UNet",
        PATCHES | SIMULATED | SHIPPED | _DIFFUSION | {"init_from": "unet-default", "epochs": 30, "learning_rate": 3e-4},
    ),
}
