"""Run a trained model over a scan, slice by slice."""

from __future__ import annotations

from napari_micromri.inference.denoise import (
    DEFAULT_MODEL,
    denoise,
    denoise_to_file,
    denoise_with_uncertainty,
)
from napari_micromri.inference.devices import available_devices
from napari_micromri.inference.options import DenoiseOptions

__all__ = [
    "DEFAULT_MODEL",
    "DenoiseOptions",
    "available_devices",
    "denoise",
    "denoise_to_file",
    "denoise_with_uncertainty",
]
