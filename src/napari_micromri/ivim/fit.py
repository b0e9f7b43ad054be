"""What a fit gives: maps, their standard deviations, how well the curves fit, and what went wrong where."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntFlag
from typing import TYPE_CHECKING

import numpy as np

from napari_micromri.ivim.signal import biexponential

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Map = NDArray[np.float32]


class Flag(IntFlag):
    """Why a voxel needs a second look; a sum of these in the map of flags, 0 when all is well."""

    UNUSABLE = 1
    """A signal is missing or infinite, or the one at the smallest b isn't positive: not fitted, NaN in all maps."""
    NOT_POSITIVE = 2
    """A signal at a higher b is zero or negative. `adc` and `segmented`, which take logarithms, leave it NaN."""
    D_AT_BOUND = 4
    """D lies on a bound: the data don't determine it."""
    F_AT_BOUND = 8
    """f lies on a bound."""
    DP_AT_BOUND = 16
    """D* lies on a bound, as it often does where f is small."""
    NOT_CONVERGED = 32
    """The iteration ended before its steps became small."""


FLAG_WORDS = {
    "unusable": "can't be fitted: a signal is missing, or the one at the smallest b isn't positive",
    "not_positive": "have a signal of zero or less at a higher b",
    "d_at_bound": "have a D on a bound: the data don't determine it",
    "f_at_bound": "have an f on a bound",
    "dp_at_bound": "have a D* on a bound, as is usual where f is small",
    "not_converged": "did not converge",
}
"""What each flag says of voxels, after their number."""

AT_BOUND = Flag.D_AT_BOUND | Flag.F_AT_BOUND | Flag.DP_AT_BOUND


@dataclass(frozen=True)
class Fit:
    """The result of `Model.fit`; every map has the shape of the grid, that is of one volume.

    Parameters
    ----------
    method
        Name in the table of methods.
    maps
        ``D`` and ``Dp`` in mm^2/s, ``f`` as a fraction, ``S0`` in the units of the signals. NaN outside the mask, in
        unusable voxels, and where the method doesn't give the parameter.
    sd
        Standard deviations of the same names; empty for methods that have none.
    residual
        Fit quality: root mean square of measured minus fitted signal over the b-values, as a fraction of S0.
    flags
        Sum of `Flag`, uint8; 0 outside the mask.
    b_values
        The distinct b-values that were fitted, in s/mm^2.
    sigma
        Noise that the method worked with, in the units of the signals; None when it uses none.
    """

    method: str
    maps: dict[str, Map]
    residual: Map
    flags: NDArray[np.uint8]
    b_values: tuple[float, ...]
    sd: dict[str, Map] = field(default_factory=dict)
    sigma: float | None = None

    def curve(self, b_values: ArrayLike, where: tuple[int, ...] | None = None) -> NDArray[np.float64]:
        """Give the fitted signal at any b-values, (B, *grid), or (B,) of the voxel at ``where``.

        A method without f gives the curve of one exponential.
        """
        values = [m if where is None else m[where] for m in (self.maps[name] for name in ("D", "f", "Dp", "S0"))]
        D, f, Dp, S0 = values
        single = np.isnan(f) & np.isfinite(D)
        return biexponential(b_values, D, np.where(single, 0, f), np.where(single, 0, Dp), S0)

    def count(self, flag: Flag) -> int:
        """Count the voxels that have any of the flags."""
        return int(np.count_nonzero(self.flags & np.uint8(flag)))
