"""Two steps: D from the high b-values, where the blood's signal is gone; then f and D* with that D."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri.ivim.estimators.adc import log_linear
from napari_micromri.ivim.estimators.lsq import estimate
from napari_micromri.ivim.estimators.voxelwise import Voxelwise
from napari_micromri.ivim.fit import Flag
from napari_micromri.ivim.model import Estimates

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_micromri.ivim.model import Voxels


class Segmented(Voxelwise):
    """The method `segmented`."""

    name = "segmented"

    def estimate(self, voxels: Voxels) -> Estimates:
        """See `Voxelwise`."""
        D, _ = log_linear(voxels, self.options.high_b)
        usable = np.isfinite(D)
        low, high = self.options.bounds.D
        found = estimate(voxels.chosen(usable), self.options, np.clip(D[usable], low, high))
        flags = np.full(len(voxels), Flag.NOT_POSITIVE, dtype=np.uint8)
        flags[usable] = np.asarray(found.flags)
        return Estimates({name: _spread(value, usable) for name, value in found.values.items()}, flags=flags)


def _spread(values: NDArray[Any], usable: NDArray[np.bool_]) -> NDArray[np.float64]:
    filled = np.full(len(usable), np.nan)
    filled[usable] = values
    return filled
