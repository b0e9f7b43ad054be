"""Axes of a plot that say whole epochs, and figures rather than powers of ten. Loads pyqtgraph: import it late."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyqtgraph import AxisItem

from napari_micromri.widgets.shared.ticks import logarithmic_ticks

if TYPE_CHECKING:
    from collections.abc import Sequence

ABOVE, BESIDE = 24, 56
"""Pixels that a figure needs above the next one, or beside it."""


class EpochAxis(AxisItem):  # type: ignore[misc,unused-ignore]
    """Counts epochs."""

    def tickSpacing(self, minVal: float, maxVal: float, size: float) -> list[tuple[float, float]]:
        """Choose the distances of ticks, none under 1."""
        return [(max(1.0, spacing), offset) for spacing, offset in super().tickSpacing(minVal, maxVal, size)]


class FigureAxis(AxisItem):  # type: ignore[misc,unused-ignore]
    """Shows some round figures, however small the part of a decade that is seen."""

    def logTickValues(
        self, minVal: float, maxVal: float, size: float, stdTicks: object
    ) -> list[tuple[None, Sequence[float]]]:
        """Choose ticks on a logarithmic axis, as powers of ten."""
        room = BESIDE if self.orientation in ("top", "bottom") else ABOVE
        return [(None, logarithmic_ticks(minVal, maxVal, max(4, int(size / room))))]

    def logTickStrings(self, values: Sequence[float], scale: float, spacing: object) -> list[str]:
        """Write them as figures."""
        return [f"{10**value * scale:.3g}" for value in values]
