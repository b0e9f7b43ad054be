"""Signals with known parameters: independent voxels, and phantoms whose neighbours belong together.

`voxels` is the set that voxelwise methods are compared on, `phantoms` the one for methods that look at neighbours. A
digital mouse with organs stands in `napari_micromri.ivim.mouse`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri.errors import InputError
from napari_micromri.ivim.signal import biexponential
from napari_micromri.simulation.random_phantoms import ellipse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_micromri.ivim.model import Noise

    Ranges = dict[str, tuple[float, float]]

MOST_SEEDS = 2**32
VOXEL_B = (0.0, 5, 10, 20, 30, 40, 60, 150, 300, 500, 700)
VOXEL_RANGES: Ranges = {"D": (0.5e-3, 3e-3), "f": (0.05, 0.55), "Dp": (0.01, 0.1)}
PHANTOM_B = (0.0, 10, 20, 60, 150, 300, 500, 1000)
PHANTOM_RANGES: Ranges = {"D": (0.5e-3, 2e-3), "f": (0.1, 0.4), "Dp": (0.01, 0.2)}


@dataclass(frozen=True)
class Simulated:
    """A simulated measurement and what is true.

    Parameters
    ----------
    signals, clean
        (B, *grid), with and without noise.
    b_values
        (B,) in s/mm^2.
    truth
        ``D``, ``f``, ``Dp``, ``S0`` (*grid).
    sigma
        Of the noise in each channel.
    """

    signals: NDArray[np.float32]
    clean: NDArray[np.float32]
    b_values: tuple[float, ...]
    truth: dict[str, NDArray[np.float32]]
    sigma: float


def simulate(
    truth: dict[str, NDArray[Any]], b_values: Sequence[float], snr: float, *, noise: Noise = "gaussian", seed: int = 0
) -> Simulated:
    """Measure what has the parameters ``truth``; sigma is 1 / ``snr``, so ``S0`` of 1 has that SNR.

    Raises
    ------
    InputError
        The SNR is not positive.
    """
    if not (np.isfinite(snr) and snr > 0):
        raise InputError(f"The SNR is a positive number, not {snr}.")
    clean = biexponential(b_values, *(truth[name] for name in ("D", "f", "Dp", "S0")))
    rng = np.random.default_rng([seed, 0x1F1])
    signals = clean + rng.normal(0, 1 / snr, clean.shape)
    if noise == "rician":
        signals = np.hypot(signals, rng.normal(0, 1 / snr, clean.shape))
    kept = {name: np.asarray(value, dtype=np.float32) for name, value in truth.items()}
    return Simulated(signals.astype(np.float32), clean.astype(np.float32), tuple(b_values), kept, 1 / snr)


def check_phantom(count: int, size: int, seed: int) -> None:
    """Refuse a phantom without slices or pixels, and what isn't a seed."""
    if count < 1 or size < 1:
        raise InputError(f"A phantom has at least one slice, one row and one column, not {count} of {size} x {size}.")
    check_seed(seed)


def check_seed(seed: int) -> None:
    """Refuse what torch's or numpy's generators would."""
    if not 0 <= seed < MOST_SEEDS:
        raise InputError(f"The seed is from 0 to {MOST_SEEDS - 1}, not {seed}.")


def voxels(count: int, snr: float, *, noise: Noise = "gaussian", seed: int = 0) -> Simulated:
    """Simulate independent voxels with uniformly drawn parameters (`VOXEL_RANGES`), divided by their noisy S0."""
    rng = np.random.default_rng(seed)
    truth = {name: rng.uniform(*limits, count) for name, limits in VOXEL_RANGES.items()}
    found = simulate(truth | {"S0": np.ones(count)}, VOXEL_B, snr, noise=noise, seed=seed)
    return Simulated(found.signals / found.signals[0], found.clean, found.b_values, found.truth, found.sigma)


def phantoms(
    count: int,
    snr: float,
    *,
    size: int = 48,
    noise: Noise = "gaussian",
    seed: int = 0,
    b_values: Sequence[float] = PHANTOM_B,
) -> Simulated:
    """Simulate slices (B, count, size, size) of some ten regions, each of one tissue (`PHANTOM_RANGES`).

    Raises
    ------
    InputError
        There is no slice or pixel, or the SNR or seed makes no sense.
    """
    check_phantom(count, size, seed)
    rng = np.random.default_rng(seed)
    truth = {name: np.empty((count, size, size)) for name in PHANTOM_RANGES}
    for k in range(count):
        regions = [np.ones((size, size), dtype=bool)]
        for _ in range(rng.integers(6, 14)):
            centre = (float(rng.uniform(0.1, 0.9)), float(rng.uniform(0.1, 0.9)))
            regions.append(ellipse(rng, size, centre, rng.uniform(0.08, 0.35, 2)))
        for region in regions:
            for name, limits in PHANTOM_RANGES.items():
                truth[name][k][region] = rng.uniform(*limits)
    truth["S0"] = np.ones((count, size, size))
    return simulate(truth, b_values, snr, noise=noise, seed=seed)
