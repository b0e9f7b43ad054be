"""Undo and redo of everything that is done to regions: snapshots of all shapes, which are small. Needs no Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_micromri.plugin.roi_layers import named

if TYPE_CHECKING:
    from napari.layers import Shapes
    from numpy.typing import NDArray

    from napari_micromri.measure.roi import Kind

MOST = 100
"""Steps that can be undone."""


@dataclass(frozen=True, eq=False)
class RoiState:
    """All shapes of a layer, one entry each."""

    corners: tuple[NDArray[np.float64], ...] = ()
    shapes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    kinds: tuple[Kind, ...] = ()

    @classmethod
    def of(cls, layer: Shapes) -> RoiState:
        """Copy what stands in a layer."""
        names, kinds = named(layer)
        corners = tuple(np.array(data, dtype=np.float64) for data in layer.data)
        return cls(corners, tuple(map(str, layer.shape_type)), tuple(names), tuple(kinds))

    def same(self, other: RoiState) -> bool:
        """Tell whether both hold the same shapes."""
        about = (self.shapes, self.names, self.kinds) == (other.shapes, other.names, other.kinds)
        return about and all(np.array_equal(a, b) for a, b in zip(self.corners, other.corners, strict=True))


class History:
    """Snapshots in the order of time, and which of them is shown."""

    def __init__(self, first: RoiState | None = None) -> None:
        self._all = [first or RoiState()]
        self._at = 0

    def note(self, now: RoiState) -> None:
        """Remember a new state; what was undone before it is forgotten."""
        if not now.same(self._all[self._at]):
            self._all = [*self._all[: self._at + 1], now][-MOST - 1 :]
            self._at = len(self._all) - 1

    @property
    def can_undo(self) -> bool:
        """There is an earlier state."""
        return self._at > 0

    @property
    def can_redo(self) -> bool:
        """There is a later state."""
        return self._at < len(self._all) - 1

    def step(self, by: int) -> RoiState | None:
        """Go one state back (-1) or forth (1); None when there is none."""
        if not 0 <= self._at + by < len(self._all):
            return None
        self._at += by
        return self._all[self._at]
