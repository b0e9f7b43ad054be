"""Settings to train UNets with, from a first try to the shipped model and the report's networks."""

from __future__ import annotations

from napari_micromri.nn.families.recipes import PATCHES, QUICK, SHIPPED, SIMULATED
from napari_micromri.nn.family import Preset

PRESETS = {
    "quick": Preset(
        "a small network for a first try: minutes on a CPU",
        QUICK | {"network": {"features_main": [32, 64], "patch_size": 2}},
    ),
    "fine-tune": Preset(
        "starts from the shipped model, with your own scans",
        PATCHES | {"init_from": "unet-default", "epochs": 30, "learning_rate": 1e-4, "weight_decay": 1e-4, "ema": 0.99},
    ),
    "good-scans": Preset(
        "starts from the shipped model, with good scans alone: their fast scans are made by simulation",
        PATCHES | SIMULATED | {"init_from": "unet-default", "epochs": 30, "learning_rate": 1e-4, "ema": 0.99},
    ),
    "unet-default": Preset(
        "how the shipped model is made, from a study of good scans of many kinds",
        PATCHES
        | SIMULATED
        | SHIPPED
        | {
            "network": {
                "features_main": [64, 64, 96],
                "downsampling": "conv_strided",
                "patch_size": 2,
                "noise_input": True,
            },
            "upsampling": "sinc",
            "epochs": 60,
            "learning_rate": 1e-3,
            "warmup_epochs": 2,
            # A new network learns hardly anything by `structural`, which is for the end.
            "loss": "relative",
        },
    ),
    "first-run": Preset(
        "the report's first network (section 6.1); needs a GPU",
        {
            "network": {},
            "optimizer": "rmsprop",
            "learning_rate": 1e-4,
            "scheduler": "plateau",
            "batch_size": 32,
            "epochs": 200,
            "loss": "mse",
        },
    ),
    "tuned": Preset(
        "the report's tuned network (section 6.2); needs a GPU",
        {
            "network": {
                "features_main": [128, 128, 64],
                "downsampling": "conv_strided",
                "upsampling": "bilinear",
                "residual": False,
            },
            "optimizer": "adam",
            "learning_rate": 3.139e-4,
            "scheduler": "step",
            "batch_size": 32,
            "epochs": 200,
            "loss": "mse",
        },
    ),
}
