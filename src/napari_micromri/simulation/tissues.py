"""The tissues of a mouse and their signals in a T2-weighted RARE scan at 7 T.

``S = PD (1 - exp(-TR / T1)) exp(-TE / T2)``, from textbook orders of magnitude for PD, T1 and T2.
"""

from __future__ import annotations

import numpy as np

from napari_micromri.simulation.shapes import Tissue

REPETITION_TIME, ECHO_TIME = 4000.0, 37.1

_RELAXATION = {
    # proton density, T1 in ms, T2 in ms, grain, fibre
    "skin": (0.60, 1000, 20, 0.10, 0.0),
    "fat": (0.90, 700, 62, 0.10, 0.08),
    "brown_fat": (0.85, 800, 42, 0.10, 0.0),
    "muscle": (0.78, 1500, 25, 0.08, 0.16),
    "mesentery": (0.86, 900, 52, 0.13, 0.0),
    "liver": (0.76, 1100, 28, 0.07, 0.0),
    "spleen": (0.82, 1500, 46, 0.06, 0.0),
    "cortex": (0.84, 1500, 48, 0.06, 0.0),
    "medulla": (0.92, 2000, 68, 0.10, 0.0),
    "pelvis": (0.97, 3000, 110, 0.05, 0.0),
    "heart": (0.80, 1500, 34, 0.12, 0.0),
    "blood": (0.20, 2000, 30, 0.30, 0.0),
    "vein": (0.85, 2200, 48, 0.10, 0.0),
    "lung": (0.16, 1400, 20, 0.35, 0.0),
    "air": (0.01, 1400, 20, 0.0, 0.0),
    "bone": (0.12, 1000, 15, 0.10, 0.0),
    "marrow": (0.70, 1000, 42, 0.15, 0.0),
    "disc": (0.92, 2000, 75, 0.05, 0.0),
    "cord": (0.80, 1700, 45, 0.06, 0.06),
    "fluid": (1.00, 3500, 130, 0.03, 0.0),
    "urine": (1.00, 3500, 220, 0.02, 0.0),
    "gut_wall": (0.82, 1500, 38, 0.06, 0.0),
    "food": (0.75, 1500, 45, 0.40, 0.0),
    "gland": (0.92, 1900, 90, 0.12, 0.0),
    "thymus": (0.84, 1500, 50, 0.08, 0.0),
}


def make_tissues(rng: np.random.Generator) -> dict[str, Tissue]:
    """Give each tissue its signal, with a tenth of variation from animal to animal."""
    tissues = {}
    for name, (density, t1, t2, grain, fibre) in _RELAXATION.items():
        decay = np.exp(-ECHO_TIME / (t2 * rng.normal(1, 0.06)))
        signal = density * rng.normal(1, 0.03) * (1 - np.exp(-REPETITION_TIME / t1)) * decay
        tissues[name] = Tissue(float(signal), grain, fibre)
    return tissues
