"""The plot of one voxel: measured signals, and the fitted curve of each method."""

from __future__ import annotations

from napari_micromri.widgets.ivim.model import VoxelCurves
from napari_micromri.widgets.shared.lazy_plot import LazyPlot

HEIGHT = 190
COLOURS = ("#e69f00", "#56b4e9", "#009e73", "#cc79a7", "#d55e00")
"""Told apart by colour-blind people as well (Okabe and Ito)."""


class VoxelPlot(LazyPlot[VoxelCurves]):
    """Signal over S0 against b."""

    def __init__(self) -> None:
        super().__init__("Click a voxel of a map", "Measured signals and fitted curves of a voxel.", height=HEIGHT)

    def show_voxel(self, curves: VoxelCurves) -> None:
        """Show another voxel."""
        self._show(curves)

    def _draw(self, before: VoxelCurves | None, content: VoxelCurves) -> None:
        plot = self._plot
        plot.clear()
        if before is None:
            plot.addLegend(offset=(-4, 4), labelTextSize="8pt")
            plot.setLabel("bottom", "b (s/mm²)")
            plot.setLabel("left", "S / S0")
        self.set_title(content.title)
        text = self.palette().text().color()
        plot.plot(
            content.b_values, content.measured, pen=None, symbol="o", symbolSize=6, symbolBrush=text, name="measured"
        )
        for colour, (name, curve) in zip(COLOURS, content.curves.items(), strict=False):
            plot.plot(content.curve_b, curve, pen={"color": colour, "width": 2}, name=name)
