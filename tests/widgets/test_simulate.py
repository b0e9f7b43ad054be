"""The dock that simulates fast scans: the selected layer's, with its geometry, as the core does it."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from numpy.testing import assert_allclose, assert_array_equal

from napari_micromri.plugin.layers import layer_to_scan, scan_to_layer
from napari_micromri.simulation.acquisition import simulate_fast_scan
from napari_micromri.widgets.simulate import SimulateWidget


@pytest.fixture
def dock(qtbot):
    widget = SimulateWidget(ViewerModel())
    qtbot.addWidget(widget, before_close_func=lambda widget: widget.shut_down())
    return widget


def test_the_fast_scan_of_the_selected_layer_is_added_in_its_place(dock, qtbot, make_scan):
    good = make_scan((3, 40, 36), name="good")
    data, attributes, _ = scan_to_layer(good)
    layer = dock.viewer.add_image(data, **attributes)
    dock.form.snr.value, dock.form.seed.value = 9.0, 4
    dock.form.call_button.native.click()
    qtbot.waitUntil(lambda: len(dock.viewer.layers) == 2)
    fast = dock.viewer.layers[-1]
    assert_array_equal(np.asarray(fast.data), simulate_fast_scan(good, factor=2, snr=9, seed=4).read())
    assert layer_to_scan(fast).info.voxel_size == pytest.approx(np.array(good.info.voxel_size) * (1, 2, 2))
    # The field of view is the same: edges lie where those of the good scan lie.
    for axis in (1, 2):
        edges = [one.translate[axis] - one.scale[axis] / 2 for one in (layer, fast)]
        assert_allclose(*edges)


def test_without_a_scan_nothing_begins(dock, monkeypatch):
    said = []
    monkeypatch.setattr("napari_micromri.widgets.simulate.show_warning", said.append)
    dock.form()
    dock.viewer.add_labels(np.zeros((8, 8), dtype=int), name="mask")
    dock.form()
    assert "Select one image layer" in said[0]
    assert "labels" in said[1]
    assert dock.job is None
