"""The signal model of IVIM, its parameters, and how people are shown them.

``S(b) / S0 = f exp(-b D*) + (1 - f) exp(-b D)`` after Le Bihan: a share ``f`` of the signal comes from blood in
capillaries and decays fast, with ``D*`` (in files and code ``Dp``); the rest diffuses in tissue with ``D``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_micromri.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Parameter:
    """One map: its name in files, and how it is shown.

    Parameters
    ----------
    label, unit
        For people; ``shown = factor * value`` is in ``unit``.
    limits
        Contrast limits that suit most tissue, in ``unit``; None: those of the data.
    colormap
        Name of a napari colormap.
    meaning
        One line for a tooltip.
    """

    name: str
    label: str
    unit: str
    factor: float
    limits: tuple[float, float] | None
    colormap: str
    meaning: str


PARAMETERS = {
    parameter.name: parameter
    for parameter in (
        Parameter("D", "D", "10⁻³ mm²/s", 1e3, (0, 3), "viridis", "diffusion coefficient of the tissue"),
        Parameter("f", "f", "%", 100, (0, 50), "magma", "share of the signal that comes from blood in capillaries"),
        Parameter("Dp", "D*", "10⁻³ mm²/s", 1e3, (0, 100), "inferno", "pseudo-diffusion coefficient of that blood"),
        Parameter("S0", "S0", "", 1, None, "gray", "signal without diffusion weighting, in the scan's own units"),
    )
}
"""The maps of a fit, in order. D and Dp are in mm^2/s, f is a fraction."""


@dataclass(frozen=True)
class Bounds:
    """Lowest and highest value that an estimator gives; D and Dp in mm^2/s, f a fraction.

    Raises
    ------
    InputError
        A range is empty, negative or not finite, f leaves 0..1, or D or Dp is above 1, as in 10^-3 mm^2/s.
    """

    D: tuple[float, float] = (0.0, 0.005)
    f: tuple[float, float] = (0.0, 1.0)
    Dp: tuple[float, float] = (0.005, 0.2)

    def __post_init__(self) -> None:
        for name in ("D", "f", "Dp"):
            low, high = getattr(self, name)
            if not (np.isfinite([low, high]).all() and 0 <= low < high) or (name == "f" and high > 1):
                raise InputError(f"The bounds of {PARAMETERS[name].label} make no sense: {low:g} to {high:g}.")
            if high > 1:
                raise InputError(
                    f"The bounds of {PARAMETERS[name].label}, {low:g} to {high:g}, seem to be in 10⁻³ mm²/s. Give them "
                    "in mm²/s: a thousandth."
                )

    @classmethod
    def parse(cls, text: str) -> Bounds:
        """Understand ``D=0,0.004 f=0,0.7``; what isn't named keeps its default.

        Raises
        ------
        InputError
            Anything else.
        """
        given = {}
        for part in text.split():
            name, _, limits = part.partition("=")
            try:
                low, high = map(float, limits.split(","))
            except ValueError:
                name = ""
            if name not in ("D", "f", "Dp"):
                raise InputError(f"'{part}' isn't a bound such as D=0,0.004 (mm²/s), f=0,0.7 or Dp=0.005,0.1 (mm²/s).")
            given[name] = (low, high)
        return cls(**given)

    @classmethod
    def of(cls, limits: Mapping[str, Sequence[float]]) -> Bounds:
        """Take them from JSON, parameter -> (low, high); what isn't named keeps its default.

        Raises
        ------
        InputError, TypeError, ValueError
            They make no sense.
        """
        return cls(**{name: (float(low), float(high)) for name, (low, high) in limits.items()})

    @property
    def lower(self) -> NDArray[np.float64]:
        """D, f, Dp."""
        return np.array([self.D[0], self.f[0], self.Dp[0]])

    @property
    def upper(self) -> NDArray[np.float64]:
        """D, f, Dp."""
        return np.array([self.D[1], self.f[1], self.Dp[1]])


def biexponential(
    b_values: ArrayLike, D: ArrayLike, f: ArrayLike, Dp: ArrayLike, S0: ArrayLike = 1.0
) -> NDArray[np.float64]:
    """Give the signal at each b-value.

    Parameters
    ----------
    b_values
        (B,) in s/mm^2.
    D, f, Dp, S0
        Arrays of any one shape (*grid), or numbers.

    Returns
    -------
    (B, *grid).
    """
    D, f, Dp, S0 = np.broadcast_arrays(*(np.asarray(p, dtype=np.float64) for p in (D, f, Dp, S0)))
    b = np.asarray(b_values, dtype=np.float64).reshape(-1, *(1,) * D.ndim)
    signal: NDArray[np.float64] = S0 * (f * np.exp(-b * Dp) + (1 - f) * np.exp(-b * D))
    return signal
