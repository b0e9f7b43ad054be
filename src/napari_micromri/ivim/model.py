"""What all estimators share: their interface, options, and the way from images to voxels and from there to maps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from napari_micromri.errors import InputError
from napari_micromri.ivim.b_values import Averaging, average_repeats, check_b_values
from napari_micromri.ivim.fit import Fit, Flag
from napari_micromri.ivim.signal import PARAMETERS, Bounds
from napari_micromri.progress import never, no_progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from napari_micromri.progress import Progress, ShouldStop

Noise = Literal["rician", "gaussian"]


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """Settings of a fit; each method takes what concerns it.

    Parameters
    ----------
    bounds
        `lsq` and `segmented` stay within, and a parameter on a bound is flagged; networks that are trained keep within.
    sigma
        Noise of one image (one channel of the complex signal), in the units of the signals. None: estimated.
    noise
        What `bayes` and `spatial` assume: ``"rician"`` compares magnitudes with sqrt(s^2 + sigma^2).
    average
        How repeats of a b-value are averaged; see `napari_micromri.ivim.b_values.average_repeats`.
    high_b
        `segmented` finds D at b-values from here on, in s/mm^2; `adc` uses all b-values from ``adc_from`` on.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"``, ...
    """

    bounds: Bounds = field(default_factory=Bounds)
    sigma: float | None = None
    noise: Noise = "rician"
    average: Averaging = "arithmetic"
    high_b: float = 200.0
    adc_from: float = 0.0
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.sigma is not None and not (np.isfinite(self.sigma) and self.sigma > 0):
            raise InputError(f"sigma is a positive number in the units of the scan, not {self.sigma}.")
        if not self.high_b > 0:
            raise InputError(f"D of 'segmented' is found from a b-value above 0 on, not from {self.high_b:g} on.")
        if self.noise not in ("rician", "gaussian") or self.average not in ("arithmetic", "geometric"):
            raise InputError(
                f"noise is 'rician' or 'gaussian', average 'arithmetic' or 'geometric', not '{self.noise}', "
                f"'{self.average}'."
            )


@dataclass(frozen=True)
class Voxels:
    """The voxels to fit, of one scan or slice.

    Parameters
    ----------
    signals
        (N, B) float32, one column per distinct b-value, rising; as a fraction of ``s0``.
    s0
        (N,) mean signal at the smallest b-value, above 0.
    b_values, counts
        (B,) in s/mm^2, and the number of images behind each.
    where
        (N,) places in the flattened grid.
    grid
        Shape of one volume.
    """

    signals: NDArray[np.float32]
    s0: NDArray[np.float32]
    b_values: NDArray[np.float64]
    counts: NDArray[np.int64]
    where: NDArray[np.int64]
    grid: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.where)

    def chosen(self, which: NDArray[Any]) -> Voxels:
        """Keep some of the voxels."""
        return Voxels(self.signals[which], self.s0[which], self.b_values, self.counts, self.where[which], self.grid)


@dataclass(frozen=True)
class Estimates:
    """What an estimator gives for N voxels: (N,) arrays by name, S0 as a fraction of ``Voxels.s0``."""

    values: dict[str, NDArray[Any]]
    sd: dict[str, NDArray[Any]] = field(default_factory=dict)
    flags: NDArray[np.uint8] | None = None


class Model(Protocol):
    """A method with its options and, once it has learned, with what it learned."""

    @property
    def name(self) -> str:
        """Its name in the table of methods."""
        ...

    @property
    def options(self) -> FitOptions:
        """Its settings."""
        ...

    def learn(
        self,
        signals: NDArray[Any],
        b_values: Sequence[float],
        mask: ArrayLike | None = None,
        *,
        progress: Progress = no_progress,
        should_stop: ShouldStop = never,
    ) -> Model:
        """Learn from a scan, or from some slices of it, what the fit of each voxel needs: noise, prior, weights.

        Returns a model that keeps it; the methods that learn nothing return themselves. Arguments and errors as for
        `fit`.
        """
        ...

    def fit(
        self,
        signals: NDArray[Any],
        b_values: Sequence[float],
        mask: ArrayLike | None = None,
        *,
        progress: Progress = no_progress,
        should_stop: ShouldStop = never,
    ) -> Fit:
        """Fit every voxel of the mask.

        Parameters
        ----------
        signals
            (volumes, *grid), magnitudes in any unit; repeated and unsorted b-values are averaged first.
        b_values
            One per volume, in s/mm^2.
        mask
            (*grid), true where to fit; None: everywhere.

        Raises
        ------
        InputError
            b-values, mask or signals that the method can't use, or noise that can't be estimated.
        CancelledError
            ``should_stop`` said so.
        """
        ...


def to_voxels(
    signals: NDArray[Any],
    b_values: Sequence[float],
    mask: ArrayLike | None,
    average: Averaging,
    *,
    perfusion: bool = True,
) -> tuple[Voxels, NDArray[np.uint8]]:
    """Check what was given, average repeats, and pick the voxels that can be fitted.

    Returns
    -------
    tuple
        Voxels, and flags of the grid (`Flag.UNUSABLE`, `Flag.NOT_POSITIVE`).
    """
    signals = np.asarray(signals)
    if signals.ndim < 2 or signals.dtype.kind not in "uif":
        raise InputError(
            "Signals are magnitudes, with the volumes along the first of two to four axes, not "
            f"{signals.dtype} of shape {signals.shape}."
        )
    check_b_values(b_values, len(signals), perfusion=perfusion)
    grid = signals.shape[1:]
    chosen = _mask(mask, grid)
    means, b, counts = average_repeats(signals, b_values, average)
    columns = means.reshape(len(b), -1)
    usable = np.isfinite(columns).all(axis=0) & (columns[0] > 0)
    flags = np.zeros(chosen.size, dtype=np.uint8)
    flags[chosen.ravel() & ~usable] = Flag.UNUSABLE
    flags[chosen.ravel() & usable & (columns <= 0).any(axis=0)] = Flag.NOT_POSITIVE
    where = np.flatnonzero(chosen.ravel() & usable)
    s0 = columns[0, where]
    voxels = Voxels(np.ascontiguousarray((columns[:, where] / s0).T), s0, b, counts, where, grid)
    return voxels, flags.reshape(grid)


def _mask(mask: ArrayLike | None, grid: tuple[int, ...]) -> NDArray[np.bool_]:
    if mask is None:
        return np.ones(grid, dtype=bool)
    chosen = np.asarray(mask)
    if chosen.shape != grid:
        raise InputError(f"The mask has the shape {chosen.shape} and a volume {grid}. They must be on the same grid.")
    chosen = np.asarray(np.nan_to_num(chosen) != 0)
    if not chosen.any():
        raise InputError("The mask is empty: there is no voxel to fit.")
    return chosen


def to_fit(
    method: str, voxels: Voxels, found: Estimates, flags: NDArray[np.uint8], *, sigma: float | None = None
) -> Fit:
    """Put what an estimator found back on the grid, with the residual of its curves."""
    values = {name: np.asarray(value) for name, value in found.values.items()}
    maps = {name: _map(voxels, values.get(name), scaled=name == "S0") for name in PARAMETERS}
    sd = {name: _map(voxels, value, scaled=name == "S0") for name, value in found.sd.items()}
    if found.flags is not None:
        flags = flags.copy()
        flags.ravel()[voxels.where] |= found.flags
    residual = Fit(method, {k: m.ravel()[voxels.where] for k, m in maps.items()}, np.empty(0, np.float32), flags, ())
    rms = np.sqrt(np.mean((residual.curve(voxels.b_values).T - voxels.signals * voxels.s0[:, None]) ** 2, axis=1))
    # Of the fitted S0: what was measured at the smallest b is less than that where this b isn't 0.
    part = np.divide(rms, residual.maps["S0"], out=np.full_like(rms, np.nan), where=residual.maps["S0"] > 0)
    b_values = tuple(float(b) for b in voxels.b_values)
    return Fit(method, maps, _map(voxels, part), flags, b_values, sd, sigma)


def _map(voxels: Voxels, values: NDArray[Any] | None, *, scaled: bool = False) -> NDArray[np.float32]:
    filled = np.full(int(np.prod(voxels.grid)), np.nan, dtype=np.float32)
    if values is not None:
        filled[voxels.where] = values * voxels.s0 if scaled else values
    return filled.reshape(voxels.grid)
