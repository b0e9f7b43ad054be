"""Sample scans that need no download: a fast and a good scan of a digital mouse and of a phantom of toy bricks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_micromri.scan import Scan, ScanInfo
from napari_micromri.simulation.acquisition import add_noise, foreground_mean, simulate_fast_scan

if TYPE_CHECKING:
    from numpy.typing import NDArray

VOXEL_SIZE = (0.6, 0.1, 0.1)
REPETITION_TIME, ECHO_TIME = 4000.0, 37.1
GOOD_AVERAGES, FAST_AVERAGES = 5, 1
GOOD_SNR, FAST_SNR = 35.0, 15.0
FULL_SCALE = 20000.0
"""Scanner units of an intensity of 1 in the phantoms."""


def digital_mouse(seed: int = 0) -> tuple[Scan, Scan]:
    """Make a fast and a good T2-weighted scan of the trunk of a procedural mouse.

    Returns
    -------
    fast, good
        (30, 150, 150) with 0.2 mm pixels at SNR 15 and (30, 300, 300) with 0.1 mm pixels at SNR 35, float32, axes
        z y x, of exactly the same extent. Each seed is another animal.
    """
    from napari_micromri.simulation.digital_mouse import digital_mouse_volume

    info = _info("Digital mouse", f"digital-mouse-{seed}")
    info = replace(info, region="thorax-abdomen", plane="coronal")
    return _pair(digital_mouse_volume(seed, plane="coronal"), info, seed)


def lego_phantom(seed: int = 0) -> tuple[Scan, Scan]:
    """Make a fast and a good scan of two toy bricks in a tube of water; shapes and units as for `digital_mouse`."""
    from napari_micromri.simulation.lego import lego_volume

    info = _info("LEGO phantom", f"lego-phantom-{seed}")
    return _pair(lego_volume(seed), replace(info, region="phantom", plane="transaxial"), seed)


def _info(name: str, subject: str) -> ScanInfo:
    return ScanInfo(
        name=name,
        axes="zyx",
        voxel_size=VOXEL_SIZE,
        subject=subject,
        protocol="T2_TurboRARE (simulated)",
        repetition_time=REPETITION_TIME,
        echo_time=ECHO_TIME,
    )


def _pair(volume: NDArray[np.float32], info: ScanInfo, seed: int) -> tuple[Scan, Scan]:
    clean = Scan(volume * np.float32(FULL_SCALE), info.with_step({"step": "draw", "what": info.name, "seed": seed}))
    fast = simulate_fast_scan(clean, factor=2, snr=FAST_SNR, averages=FAST_AVERAGES, seed=seed)
    fast_info = replace(fast.info, name=f"{info.name}, fast (LR)", averages=FAST_AVERAGES)
    return Scan(fast.read(), fast_info), _good(clean, seed)


def _good(clean: Scan, seed: int) -> Scan:
    signal = clean.read()
    rng = np.random.default_rng([seed, 1])
    # The averages are part of the SNR asked for: it is the SNR of the scan that results.
    sigma = foreground_mean(signal) / GOOD_SNR
    step = {"step": "add_noise", "snr": GOOD_SNR, "averages": GOOD_AVERAGES, "seed": seed}
    info = replace(clean.info.with_step(step), name=f"{clean.info.name}, default (HR)", averages=GOOD_AVERAGES)
    return Scan(add_noise(signal.astype(np.complex64), sigma, rng), info)
