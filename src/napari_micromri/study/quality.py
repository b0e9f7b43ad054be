"""What can be measured about one slice of a pair, and how well its LR and HR belong together.

`measure_slices` looks at the pixels once, when a pair is built; `rank` judges a whole study from these numbers alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri.errors import InputError
from napari_micromri.study.suspicion import Suspicion, rank

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Volume = NDArray[np.float32]

__all__ = ["Suspicion", "measure_slices", "rank"]


def measure_slices(lr: Any, hr: Any) -> tuple[dict[str, float], ...]:
    """Measure every slice of a pair; all figures are finite.

    Parameters
    ----------
    lr, hr
        (z, h, w) and (z, H, W), magnitudes; NaN and infinite values count as zero.

    Raises
    ------
    InputError
        The arrays aren't volumes, are complex, or differ in the number of slices.
    """
    from napari_micromri.measure.noise import estimate_noise

    lr, hr = _volume(lr, "LR"), _volume(hr, "HR")
    if len(lr) != len(hr):
        raise InputError(f"LR and HR of a pair have the same slices, not {len(lr)} and {len(hr)}.")
    found = []
    for coarse, fine in zip(lr, hr, strict=True):
        entry = {}
        for name, image in (("lr", coarse), ("hr", fine)):
            noise = estimate_noise(image)
            entry |= {f"{name}_noise": noise.sigma, f"{name}_snr": noise.snr if np.isfinite(noise.snr) else 0.0}
        found.append(entry)
    return tuple(found)


def _volume(values: Any, what: str) -> Volume:
    array = np.asarray(values)
    if array.ndim != 3 or array.size == 0 or np.iscomplexobj(array):
        raise InputError(
            f"The quality of slices is measured on magnitudes (slices, rows, columns), but {what} is an array of "
            f"{array.dtype} and shape {array.shape}."
        )
    return np.nan_to_num(array.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
