"""The stored figures of all slices of a study as columns, and what is usual for each slice: its neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_micromri.study.figures import SliceFigures, columns_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from napari_micromri.study.model import Pair

    Column = NDArray[np.float64]

REACH = 3
"""Slices on either side that count as neighbours."""

MAD_TO_SIGMA = 1.4826


@dataclass(frozen=True, eq=False)
class SliceTable:
    """Figures of N slices, one pair after the other.

    Parameters
    ----------
    pairs
        Those that have figures, in order.
    pair
        Index into ``pairs`` of each slice.
    index
        Of each slice in its pair.
    columns
        Name -> (N,); NaN where a pair doesn't have the figure.
    """

    pairs: tuple[Pair, ...]
    pair: NDArray[np.int64]
    index: NDArray[np.int64]
    columns: dict[str, Column]

    @classmethod
    def of(cls, pairs: Sequence[Pair]) -> SliceTable:
        """Collect the figures of all pairs."""
        measured = tuple(pair for pair in pairs if pair.quality)
        counts = np.array([len(pair.quality) for pair in measured], dtype=int)
        figures = [_figures(pair.quality) for pair in measured]
        names = dict.fromkeys(name for found in figures for name in found.names)
        columns = {
            name: _finite(np.array([value for found in figures for value in found.column(name)], dtype=float))
            for name in names
        }
        index = np.concatenate([np.arange(n) for n in counts]) if len(counts) else np.zeros(0, int)
        return cls(measured, np.repeat(np.arange(len(measured)), counts), index, columns)

    def __len__(self) -> int:
        return len(self.index)

    def column(self, name: str) -> Column:
        """Give a column; NaN when no pair has it."""
        return self.columns.get(name, np.full(len(self), np.nan))

    def neighbours(self, values: Column) -> Column:
        """Median over up to three slices on either side, without the slice itself; NaN without any."""
        near = np.full((len(self), 2 * REACH), np.nan)
        offsets = [d for d in range(-REACH, REACH + 1) if d != 0]
        for place, offset in enumerate(offsets):
            at = np.arange(len(self)) + offset
            inside = (at >= 0) & (at < len(self))
            inside[inside] &= self.pair[at[inside]] == self.pair[inside]
            near[inside, place] = values[at[inside]]
        return row_median(near)

    def of_pair(self, values: Column) -> Column:
        """Median over the slices of the pair, for each slice."""
        return self._per_pair(values)[self.pair] if len(self) else values

    def spread(self, deviations: Column) -> Column:
        """Robust standard deviation (MAD) in each slice's pair; at least half of what is usual in the study."""
        if not len(self):
            return deviations
        own = MAD_TO_SIGMA * self._per_pair(np.abs(deviations))
        usual = np.nanmedian(own) if np.isfinite(own).any() else 0.0
        return np.fmax(own, usual / 2)[self.pair]

    def _per_pair(self, values: Column) -> Column:
        counts = np.bincount(self.pair, minlength=len(self.pairs))
        matrix = np.full((len(self.pairs), int(counts.max())), np.nan)
        matrix[self.pair, self.index] = values
        return row_median(matrix)


def _figures(quality: Sequence[Mapping[str, float]]) -> SliceFigures:
    return quality if isinstance(quality, SliceFigures) else SliceFigures(columns_of(quality))


def _finite(values: Column) -> Column:
    return np.where(np.isfinite(values), values, np.nan)


def row_median(matrix: NDArray[np.float64]) -> Column:
    """Median of the numbers in each row, as `numpy.nanmedian` but fast and without warnings."""
    ordered = np.sort(matrix, axis=1)  # NaN goes to the end
    count = np.isfinite(ordered).sum(axis=1)
    low, high = np.maximum((count - 1) // 2, 0), np.maximum(count // 2, 0)
    rows = np.arange(len(matrix))
    high = np.minimum(high, matrix.shape[1] - 1)
    middle: Column = (ordered[rows, low] + ordered[rows, high]) / 2
    return np.where(count > 0, middle, np.nan)
