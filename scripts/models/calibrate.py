"""Measure how large the errors of shipped models are, on the judging slices of a study, and write it into their files.

Usage: ``python scripts/models/calibrate.py STUDY.mri.zarr MODEL.safetensors ...``. For models whose run isn't at hand;
``micromri calibrate RUN`` does the same for a run.
"""

from __future__ import annotations

import sys
from pathlib import Path

from napari_micromri.study import Study
from napari_micromri.training.calibration import calibrate_model, fast_scans
from napari_micromri.training.presets import find_preset


def main() -> None:
    """Measure, write."""
    study, *files = map(Path, sys.argv[1:])
    slices, config = Study.open(study).slices("validation"), find_preset("unet-default")
    pairs = [make for number in range(len(slices)) for make in fast_scans(slices[number], config)]
    for file in files:
        calibrate_model(file, pairs)
        print(f"{file}: measured on {len(pairs)} fast scans")


if __name__ == "__main__":
    main()
