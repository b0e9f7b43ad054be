"""A digital mouse with IVIM parameters: liver, kidneys, spleen, muscle, vessels and a tumour with known D, f and D*."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_micromri.ivim.signal import PARAMETERS
from napari_micromri.ivim.simulation import PHANTOM_B, Simulated, check_phantom, simulate
from napari_micromri.simulation.digital_mouse import FIELD_OF_VIEW, Mouse, draw
from napari_micromri.simulation.shapes import Blob, Part, Slice, Tissue

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from napari_micromri.ivim.model import Noise

TUMOUR = "tumour"
OTHERS = (1.2e-3, 0.05, 0.02)
VALUES = {
    # D and D* in mm^2/s: orders of magnitude of the literature, chosen to differ
    "liver": (1.1e-3, 0.25, 0.06),
    "spleen": (0.8e-3, 0.12, 0.05),
    "cortex": (1.9e-3, 0.25, 0.03),
    "medulla": (1.7e-3, 0.15, 0.03),
    "pelvis": (2.8e-3, 0.02, 0.02),
    "muscle": (1.4e-3, 0.04, 0.03),
    "blood": (1.5e-3, 0.8, 0.1),
    "vein": (1.5e-3, 0.6, 0.08),
    "fat": (0.3e-3, 0.02, 0.02),
    "cord": (0.8e-3, 0.05, 0.02),
    "urine": (2.8e-3, 0.0, 0.02),
    TUMOUR: (0.7e-3, 0.12, 0.04),
}
LEVELS = (-1.0, 9.0)
"""Where slices lie between head and tail, in mm: liver to kidneys."""

_MARK = 1e-6


def mouse(
    count: int = 8,
    snr: float = 30,
    *,
    size: int = 96,
    noise: Noise = "rician",
    seed: int = 0,
    b_values: Sequence[float] = PHANTOM_B,
) -> Simulated:
    """Simulate transaxial slices (B, count, size, size) of one animal; S0 is 1 on average within it and 0 outside.

    Where two tissues share a pixel its parameters lie between theirs. Outside the body they are NaN, and the signal is
    noise alone.

    Raises
    ------
    InputError
        As for `phantoms`.
    """
    check_phantom(count, size, seed)
    animal = Mouse.born(np.random.default_rng([seed, 0x3005E]))
    tissues = animal.tissues | {TUMOUR: Tissue(0.5)}
    centre = np.array([0.0, 5.0, 5.5], dtype=np.float32)
    growth = Blob(centre, np.array([2.5, 4.0, 2.5], dtype=np.float32), wobble=0.1)
    animal = replace(animal, tissues=tissues, parts=[*animal.parts, Part(growth, tissues[TUMOUR])])
    coverage = _drawn(animal, lambda *_: 1.0, count, size)
    body = coverage > 0.5 * coverage.max()
    maps = {
        parameter: _drawn(animal, lambda name, _, k=k: VALUES.get(name, OTHERS)[k], count, size)  # type: ignore[misc]
        for k, parameter in enumerate(("D", "f", "Dp"))
    }
    s0 = _drawn(animal, lambda _, tissue: tissue.signal, count, size)
    # All are drawn through the same coil and the same soft outline, which the division takes out.
    truth = {name: np.where(body, values / np.maximum(coverage, _MARK), np.nan) for name, values in maps.items()}
    truth["S0"] = np.where(body, s0 / np.maximum(coverage, _MARK), 0)
    truth["S0"] /= truth["S0"][body].mean()
    inside = {name: np.where(body, values, 0) for name, values in truth.items()}
    found = simulate(inside, b_values, snr, noise=noise, seed=seed)
    return replace(found, truth={name: truth[name].astype(np.float32) for name in PARAMETERS})


def _drawn(animal: Mouse, value: Callable[[str, Tissue], float], count: int, size: int) -> NDArray[np.float64]:
    """Draw the animal with a number in the place of each tissue's signal, and without texture."""
    names = {tissue: name for name, tissue in animal.tissues.items()}

    def swapped(tissue: Tissue) -> Tissue:
        return Tissue(value(names.get(tissue, ""), tissue))

    parts = [
        replace(part, tissue=swapped(part.tissue), wall=None if part.wall is None else swapped(part.wall))
        for part in animal.parts
    ]
    painted = replace(animal, tissues={name: swapped(t) for name, t in animal.tissues.items()}, parts=parts)
    rng = np.random.default_rng(0)
    slices = [
        draw(painted, Slice.through("transaxial", float(at), (size, size), FIELD_OF_VIEW / size), rng)
        for at in np.linspace(*LEVELS, count)
    ]
    return np.stack(slices).astype(np.float64)
