"""The residual bank: differences between real fast and good slices, drawn from as noise (report, eq. 22, 23, 30).

Rician noise depends on the signal beneath it, so a residual laid on other anatomy is an approximation: it carries the
strength of the noise and the outlines of the place that it came from. A quarter turn at random keeps such outlines from
adding up.
"""

from __future__ import annotations

import hashlib
import itertools
from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_micromri.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

MEMORY_BUDGET = 2**28
"""Bytes that a bank takes unless told otherwise; 300 x 300 residuals in half precision take 180 kB each."""


class ResidualBank:
    """Residuals of mean 0 and variance 1, each kept once.

    Build one with `collect`; `draw` gives images of any size.

    Parameters
    ----------
    residuals
        (H, W) each.
    origins
        Number of the slice that each of them comes from; by default all come from different ones.
    """

    def __init__(self, residuals: Sequence[NDArray[np.float16]], origins: Sequence[int] | None = None) -> None:
        if not residuals:
            raise ModelError("A residual bank needs at least one slice whose fast and good scan differ.")
        self._residuals = list(residuals)
        self.origins = tuple(range(len(residuals))) if origins is None else tuple(origins)

    def __len__(self) -> int:
        return len(self._residuals)

    @property
    def digest(self) -> str:
        """SHA-256 of what is in the bank, whatever the order it came in."""
        return hashlib.sha256("".join(sorted(_digest(r) for r in self._residuals)).encode()).hexdigest()

    @property
    def excess_kurtosis(self) -> float:
        """How much heavier the tails are than those of Gaussian noise (0); see `AnchoredPath.accumulate`."""
        fourth = [float((r.astype(np.float64) ** 4).mean()) for r in self._residuals]
        return float(np.mean(fourth)) - 3.0

    def draw(self, count: int, shape: tuple[int, int], generator: torch.Generator, *, apart_from: int = -1) -> Tensor:
        """Draw independent residuals, each turned by a random multiple of 90 degrees, (count, 1, H, W) float32.

        Parameters
        ----------
        shape
            (H, W). A larger residual is cut at a random place, a smaller one is repeated periodically.
        generator
            On the CPU; the same state gives the same draws.
        apart_from
            Number of a slice whose residuals are never drawn: that of the slice at hand, with which the chain would
            only walk the path at another pace and add no noise. It is ignored where there is no other.
        """
        allowed = [k for k, origin in enumerate(self.origins) if origin != apart_from] or range(len(self))
        images = np.empty((count, 1, *shape), np.float32)
        for image in images:
            which, turns, top, left = torch.randint(2**31, (4,), generator=generator).tolist()
            turned = np.rot90(self._residuals[allowed[which % len(allowed)]], turns % 4)
            rows = (top % _places(turned.shape[0], shape[0]) + np.arange(shape[0])) % turned.shape[0]
            columns = (left % _places(turned.shape[1], shape[1]) + np.arange(shape[1])) % turned.shape[1]
            image[0] = turned[np.ix_(rows, columns)]
        return torch.from_numpy(images)


def collect(
    pairs: Iterable[tuple[NDArray[np.float32], NDArray[np.float32]]],
    *,
    origins: Iterable[int] | None = None,
    memory_budget: int = MEMORY_BUDGET,
    seed: int = 0,
) -> ResidualBank:
    """Fill a bank from slices one after the other, within a memory budget.

    Parameters
    ----------
    pairs
        Fast slices brought to the grid of the good one, and good slices, (H, W) each; only those that training may see.
    origins
        Number of the slice that each pair is of, for `ResidualBank.draw`; by default they count up.
    memory_budget
        In bytes. Once it is full, each further residual replaces an earlier one with the chance that makes all of them
        equally likely to stay (reservoir sampling).

    Raises
    ------
    ModelError
        No slice whose two scans differ, or a slice of two sizes.
    """
    rng = np.random.default_rng(seed)
    kept: list[NDArray[np.float16]] = []
    slices: list[int] = []
    seen: set[str] = set()
    for origin, (fast, good) in zip(itertools.count() if origins is None else origins, pairs, strict=False):
        residual = standardised(fast, good)
        if residual is None or (digest := _digest(residual)) in seen:
            continue
        seen.add(digest)
        if (len(kept) + 1) * residual.nbytes <= memory_budget or not kept:
            kept.append(residual)
            slices.append(origin)
        elif (place := int(rng.integers(len(seen)))) < len(kept):
            kept[place], slices[place] = residual, origin
    return ResidualBank(kept, slices)


def standardised(fast: NDArray[np.float32], good: NDArray[np.float32]) -> NDArray[np.float16] | None:
    """Bring ``fast - good`` to mean 0 and standard deviation 1; None where they don't differ.

    Eq. 30 divides by what the report calls the variance; a unit variance needs the standard deviation.
    """
    if fast.shape != good.shape:
        raise ModelError(f"A residual needs two slices of one size, not {fast.shape} and {good.shape}.")
    residual = fast.astype(np.float64) - good
    spread = residual.std()
    if not np.isfinite(spread) or spread == 0:
        return None
    return np.asarray((residual - residual.mean()) / spread, np.float16)


def _places(available: int, wanted: int) -> int:
    """Count the offsets at which a cut fits; all of them where the residual is repeated periodically."""
    return available - wanted + 1 if available >= wanted else available


def _digest(residual: NDArray[np.float16]) -> str:
    return hashlib.sha256(repr(residual.shape).encode() + np.ascontiguousarray(residual).tobytes()).hexdigest()
