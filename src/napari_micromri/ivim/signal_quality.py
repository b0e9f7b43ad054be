"""Differences in signal quality (DSQ): whether predicted signals are nearer to the truth than measured ones, and where.

For clean signals s, noisy ones n = s + e and predicted ones p = n + f: Noise = |e|, FittingError = |f| and ReconError =
|p - s| (the source's eq. 1-3), with the means Q_n of Noise and Q_p of ReconError (eq. 4, 5). Phenomenon 1: Q_p falls
below Q_n as training continues. Phenomenon 2: after training the gap Q_n - Q_p rises with FittingError.

The source infers both from |e + f| < |e| (eq. 9) and Delta = ReconError - Noise = -|f| then, else |f| (eq. 14). Eq. 14
holds only where f and e have the same sign or |f| <= |e|: where a prediction goes beyond the truth, Delta is larger
than -|f|, and in general only Delta >= -|f| is true. So both shares are counted here and not assumed.

A signal is one number: a voxel at one b-value, or a pixel of an image.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri.errors import InputError
from napari_micromri.measure.regridding import Regridder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from napari_micromri.scan import Scan

BINS = 10
FEWEST = 30
"""Signals that a bin needs to count for phenomenon 2."""


@dataclass(frozen=True)
class Bin:
    """Signals whose FittingError lies in [low, high); means are NaN where there are none."""

    low: float
    high: float
    count: int
    noise: float
    recon_error: float

    @property
    def gap(self) -> float:
        """Noise - ReconError: how much better predicted signals are."""
        return self.noise - self.recon_error


@dataclass(frozen=True)
class SignalQuality:
    """What `signal_quality` finds.

    Parameters
    ----------
    count, missing
        Signals that were compared, and those left out since one of the three is not finite.
    q_n, q_p
        Mean Noise and mean ReconError.
    eq9
        Share of signals with |e + f| < |e|.
    eq14
        Share of signals for which the source's eq. 14 holds.
    overshoot
        Share of signals that the prediction improved, yet by less than |f|: eq. 9 holds and eq. 14 fails.
    bins
        By FittingError, rising.
    """

    count: int
    missing: int
    q_n: float
    q_p: float
    eq9: float
    eq14: float
    overshoot: float
    bins: tuple[Bin, ...]

    @property
    def phenomenon_1(self) -> bool:
        """Whether predicted signals are better than noisy ones on the whole."""
        return self.q_p < self.q_n

    @property
    def gap_trend(self) -> float:
        """Rank correlation of the bins' gap with their FittingError, -1 to 1; NaN for fewer than three bins."""
        gaps = [b.gap for b in self.bins if b.count >= FEWEST]
        if len(gaps) < 3:
            return float("nan")
        ranks = np.argsort(np.argsort(gaps))
        return float(np.corrcoef(ranks, np.arange(len(gaps)))[0, 1])


def signal_quality(
    clean: ArrayLike, noisy: ArrayLike, predicted: ArrayLike, *, edges: Sequence[float] | None = None
) -> SignalQuality:
    """Compare predicted and noisy signals with clean ones.

    Parameters
    ----------
    clean, noisy, predicted
        Of one shape.
    edges
        Rising limits of the bins of FittingError, the last bin open to above; by default nine of equal width up to the
        99th percentile.

    Raises
    ------
    InputError
        Other shapes, edges that don't rise, or nothing to compare.
    """
    s, n, p = (np.asarray(a, dtype=np.float64) for a in (clean, noisy, predicted))
    if not s.shape == n.shape == p.shape:
        raise InputError(f"Clean, noisy and predicted signals have one shape, not {s.shape}, {n.shape} and {p.shape}.")
    known = np.isfinite(s) & np.isfinite(n) & np.isfinite(p)
    if not known.any():
        raise InputError("There is no signal that is finite in all three: nothing to compare.")
    e, f = (n - s)[known], (p - n)[known]
    noise, fitting, recon = np.abs(e), np.abs(f), np.abs(e + f)
    limits = _edges(fitting, edges)
    better = recon < noise
    beyond = (np.sign(e) * np.sign(f) < 0) & (fitting > noise)
    return SignalQuality(
        count=int(known.sum()),
        missing=int(known.size - known.sum()),
        q_n=float(noise.mean()),
        q_p=float(recon.mean()),
        eq9=float(better.mean()),
        eq14=float(1 - beyond.mean()),
        overshoot=float((better & beyond).mean()),
        bins=tuple(_bins(fitting, noise, recon, limits)),
    )


def _edges(fitting: NDArray[np.float64], edges: Sequence[float] | None) -> NDArray[np.float64]:
    if edges is None:
        top = float(np.quantile(fitting, 0.99)) or float(fitting.max()) or 1.0
        return np.append(np.linspace(0, top, BINS), np.inf)
    limits = np.asarray(edges, dtype=np.float64)
    if limits.ndim != 1 or len(limits) < 1 or not (np.diff(limits) > 0).all() or not np.isfinite(limits).all():
        raise InputError(f"Edges of bins are rising numbers, not {list(edges)}.")
    return np.append(limits, np.inf)


def _bins(fitting: NDArray[Any], noise: NDArray[Any], recon: NDArray[Any], limits: NDArray[Any]) -> list[Bin]:
    place = np.searchsorted(limits, fitting, side="right") - 1
    found = []
    for k, (low, high) in enumerate(pairwise(limits)):
        inside = place == k
        means = [float(values[inside].mean()) if inside.any() else float("nan") for values in (noise, recon)]
        found.append(Bin(float(low), float(high), int(inside.sum()), *means))
    return found


def compare_scans(clean: Scan, noisy: Scan, predicted: Scan, *, edges: Sequence[float] | None = None) -> SignalQuality:
    """Compare three scans; noisy and predicted ones are brought to the clean one's grid by their geometry.

    Raises
    ------
    InputError
        They don't lie over each other; see `napari_micromri.measure.regridding.Regridder`.
    """
    noisy_values, predicted_values = (_on_grid_of(clean, scan) for scan in (noisy, predicted))
    return signal_quality(clean.read(), noisy_values, predicted_values, edges=edges)


def _on_grid_of(reference: Scan, scan: Scan) -> NDArray[Any]:
    mine, theirs = reference.info, scan.info
    same = (mine.axes, mine.voxel_size, mine.origin) == (theirs.axes, theirs.voxel_size, theirs.origin)
    if same and reference.shape == scan.shape:
        return scan.read()
    regridder = Regridder.between(scan, reference)
    outer = [axis for axis in mine.axes if axis in "tb"]
    sizes = [reference.shape[mine.axes.index(axis)] for axis in outer]
    if [scan.shape[theirs.axes.index(axis)] if axis in theirs.axes else 0 for axis in outer] != sizes:
        raise InputError(f"'{theirs.name}' and '{mine.name}' don't have the same volumes, so they can't be compared.")
    result = np.full(reference.shape, np.nan)
    slices = reference.shape[mine.axes.index("z")] if "z" in mine.axes else 1
    for place in np.ndindex(*sizes):
        at = dict(zip(outer, place, strict=True))
        for k in range(slices):
            plane = regridder.plane(k, at)
            if plane is not None:
                where = {**at, "z": k}
                result[tuple(where.get(axis, slice(None)) for axis in mine.axes)] = plane
    return result
