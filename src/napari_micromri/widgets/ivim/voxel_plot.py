"""The plot of one voxel: measured signals, and the fitted curve of each method."""

from __future__ import annotations

from napari_micromri.widgets.ivim.voxel_model import METHOD_COLOURS, VoxelCurves
from napari_micromri.widgets.shared.curves import CurvePlot
from napari_micromri.widgets.shared.lazy_plot import LazyPlot
from napari_micromri.widgets.shared.theme import readable

HEIGHT = 190


class PosteriorPlot(CurvePlot):
    """How likely each value of a parameter is."""

    def __init__(self) -> None:
        tip = "How likely each value is, given the signals of the clicked voxel: D and D* in 10⁻³ mm²/s, f in %."
        super().__init__("", tip, height=80, epochs=False)

    def _make(self) -> None:
        super()._make()
        self._plot.hideAxis("left")


class VoxelPlot(LazyPlot[VoxelCurves]):
    """Signal over S0 against b."""

    def __init__(self) -> None:
        super().__init__("Click a voxel of a map", "Measured signals and fitted curves of a voxel.", height=HEIGHT)

    def show_voxel(self, curves: VoxelCurves) -> None:
        """Show another voxel."""
        self._show(curves)

    def _take_colours(self) -> None:
        super()._take_colours()
        if self._shown is not None:
            self._draw(self._shown, self._shown)

    def _draw(self, before: VoxelCurves | None, content: VoxelCurves) -> None:
        plot, text = self._plot, self.palette().text().color()
        plot.clear()
        if before is None:
            plot.addLegend(offset=(-4, 4), labelTextSize="8pt")
            plot.setLabel("bottom", "b (s/mm²)")
            self._label("left", "S / S0")
        plot.getPlotItem().legend.setLabelTextColor(text)
        self.set_title(content.title)
        plot.plot(
            content.b_values, content.measured, pen=None, symbol="o", symbolSize=6, symbolBrush=text, name="measured"
        )
        for name, curve in content.curves.items():
            plot.plot(
                content.curve_b, curve, pen={"color": readable(METHOD_COLOURS[name], self), "width": 2}, name=name
            )
