"""Profiles and histograms in the dock, of an edge that is known in mm."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_micromri.errors import InputError
from napari_micromri.measure.comparison import ComparedImage
from napari_micromri.measure.roi import Roi
from napari_micromri.plugin.layers import scan_to_layer
from napari_micromri.scan import Scan, ScanInfo
from napari_micromri.widgets.measuring.curves import histograms
from napari_micromri.widgets.measuring.dock import MeasureWidget
from napari_micromri.widgets.measuring.form import HISTOGRAM, PROFILE


def edge(n, name):
    """2 slices over 8 x 8 mm: 10 on the left of x = 4 mm, 30 on the right; the second slice is twice as bright."""
    size = 8 / n
    data = np.where(np.arange(n) < n / 2, 10.0, 30.0) * np.array([1.0, 2.0])[:, None, None] * np.ones((2, n, n))
    info = ScanInfo(name=name, axes="zyx", voxel_size=(1.0, size, size), origin=(0.0, size / 2, size / 2))
    return Scan(data.astype(np.float32), info)


@pytest.fixture
def dock(qtbot):
    viewer = ViewerModel()
    for n, name in ((16, "coarse"), (32, "fine")):
        data, attributes, _ = scan_to_layer(edge(n, name))
        viewer.add_image(data, **attributes)
    viewer.dims.set_current_step(0, 0)
    widget = MeasureWidget(viewer)
    qtbot.addWidget(widget, before_close_func=lambda widget: widget.shut_down())
    widget.show()
    widget.form.open_tab("Plots")
    for name, role in (("coarse", "LR"), ("fine", "HR")):
        widget.layers.tick(name, True)
        widget.layers.set_role(name, role)
    return widget


def draw(dock, start, end, z):
    """Add a line in mm, as if it were dragged."""
    dock.form.draw_line.click()
    layer = dock.curves.line.layer
    points = [layer.world_to_data((z, *point)) for point in (start, end)]
    layer.add_lines([points])


def drawn(dock, qtbot):
    """Wait for the plot, and give its curves."""
    plot = dock.form.bars
    qtbot.waitUntil(lambda: plot._wanted is not None and plot._shown is plot._wanted)
    return plot._plot.getPlotItem().listDataItems()


def test_a_line_gives_the_signal_of_each_layer_over_mm(dock, qtbot, tmp_path):
    dock.form.quantity.setCurrentText(PROFILE)
    assert "Draw line" in dock.form.curve_words.text()
    draw(dock, (4.0, 1.0), (4.0, 7.0), 1.0)
    qtbot.waitUntil(lambda: dock.curves.shown is not None)
    shown = dock.curves.shown.curves
    assert set(shown) == {"LR", "HR"}
    for x, y in shown.values():
        assert x[-1] == pytest.approx(6.0)
        np.testing.assert_allclose((y[0], y[-1]), (20.0, 60.0))
    assert "Edge width" in dock.form.curve_words.text()
    dock.rois.add([Roi("a", ((1, 1), (1, 3), (3, 3), (3, 1)), depth=(0.0, 0.0))], dock.layers.finest())
    qtbot.waitUntil(lambda: dock.found is not None and len(dock.found.rows) == 2)
    qtbot.waitUntil(lambda: dock.curves.shown is not None)
    dock.files.export(tmp_path / "cnr.csv")
    with (tmp_path / "cnr-profile.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["image"] for row in rows} == {"LR", "HR"}
    assert float(rows[-1]["distance_mm"]) == pytest.approx(6.0)


def test_the_axis_below_a_curve_has_numbers_again_after_bars(dock, qtbot):
    dock.form.quantity.setCurrentText("mean")
    dock.rois.add([Roi("a", ((1, 1), (1, 3), (3, 3), (3, 1)), depth=(0.0, 0.0))], dock.layers.finest())
    qtbot.waitUntil(lambda: dock.found is not None and len(dock.found.rows) == 2)
    drawn(dock, qtbot)
    axis = dock.form.bars._plot.getAxis("bottom")
    assert axis._tickLevels == [[(0, "a")]]
    dock.form.quantity.setCurrentText(PROFILE)
    draw(dock, (4.0, 1.0), (4.0, 7.0), 0.0)
    qtbot.waitUntil(lambda: dock.curves.shown is not None)
    drawn(dock, qtbot)
    assert axis._tickLevels is None


def test_taking_the_line_away_empties_the_plot(dock, qtbot):
    dock.form.quantity.setCurrentText(PROFILE)
    draw(dock, (4.0, 1.0), (4.0, 7.0), 0.0)
    qtbot.waitUntil(lambda: dock.curves.shown is not None)
    assert len(drawn(dock, qtbot)) == 2
    dock.viewer.layers.remove(dock.curves.line.layer)
    qtbot.waitUntil(lambda: dock.curves.shown is None)
    assert drawn(dock, qtbot) == []


def test_a_histogram_counts_each_layer_s_own_pixels(dock, qtbot):
    dock.form.quantity.setCurrentText(HISTOGRAM)
    assert "Draw ROI" in dock.form.curve_words.text()
    box = ((1.0, 2.0), (1.0, 5.0), (3.0, 5.0), (3.0, 2.0))  # two thirds of it dark, one bright
    dock.rois.add([Roi("a", box, depth=(0.0, 0.0))], dock.layers.finest())
    qtbot.waitUntil(lambda: dock.curves.shown is not None)
    for centres, percent in dock.curves.shown.curves.values():
        assert percent[centres < 20].sum() == pytest.approx(200 / 3)
        assert percent[centres > 20].sum() == pytest.approx(100 / 3)
    assert "LR 24 pixels, HR 96 pixels" in dock.form.curve_words.text()


def test_a_region_beside_the_scans_has_no_histogram():
    aside = Roi("a", ((20, 20), (20, 22), (22, 22), (22, 20)), depth=(0.0, 0.0))
    with pytest.raises(InputError, match="'a'"):
        histograms([ComparedImage("LR", edge(16, "coarse"))], aside, {})
