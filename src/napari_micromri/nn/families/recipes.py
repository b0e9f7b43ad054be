"""Settings of training that the presets of several kinds of models share."""

from __future__ import annotations

from typing import Any

PATCHES: dict[str, Any] = {
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

QUICK: dict[str, Any] = {**PATCHES, "upsampling": "sinc", "epochs": 30, "learning_rate": 1e-3}
"""A first try from scratch, in minutes on a CPU."""

SIMULATED: dict[str, Any] = {"pairs": "simulated", "cuts": 4, "batch_size": 3, "loss": "structural"}
"""A new fast scan at every draw; four squares of each, since making the scan is most of the work."""

SHIPPED: dict[str, Any] = {
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
