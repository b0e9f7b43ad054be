"""Images beside each other: cells, regions in each, one contrast, and everything as before at the end."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_micromri.measure.roi import Roi
from napari_micromri.widgets.measuring.contrast import LinkedContrast, absolute, dragged, relative
from napari_micromri.widgets.measuring.dock import MeasureWidget

CORNERS = ((0.2, 0.2), (0.2, 0.8), (0.8, 0.8), (0.8, 0.2))
MM = {"units": ("millimeter",) * 3, "axis_labels": ("z", "y", "x")}


@pytest.fixture
def viewer():
    """A layer that isn't compared, and three of one field of view: LR in other units, DL and HR."""
    made = ViewerModel()
    rng = np.random.default_rng(0)
    made.add_image(rng.random((2, 20, 20)), name="other", **MM)
    for name, gain, n in (("HR", 100.0, 20), ("DL", 100.0, 20), ("LR", 3.0, 10)):
        step = 2.0 / n
        scale, translate = (1.0, step, step), (0.0, (step - 2) / 2, (step - 2) / 2)
        made.add_image(gain * rng.random((2, n, n)), name=name, scale=scale, translate=translate, **MM)
    return made


@pytest.fixture
def dock(viewer, qtbot):
    widget = MeasureWidget(viewer)
    qtbot.addWidget(widget, before_close_func=lambda widget: widget.shut_down())
    widget.show()
    widget.layers.tick("other", False)
    for name in ("LR", "DL", "HR"):
        widget.layers.tick(name, True)
        widget.layers.set_role(name, name)
    return widget


def lay_out(dock, qtbot):
    with qtbot.waitSignal(dock.beside.ready):
        dock.form.side_by_side.click()


def cells(viewer):
    """Names of the visible layers of each cell, from left to right."""
    grid = viewer.canvas.grid
    return [
        {viewer.layers[k].name for k in inside if viewer.layers[k].visible}
        for _, inside in grid.iter_viewboxes(viewer.layers)
    ]


def test_each_image_has_a_cell_with_the_regions_and_then_all_is_as_before(viewer, dock, qtbot):
    grid = viewer.canvas.grid
    before = (grid.enabled, grid.stride, {layer.name: layer.visible for layer in viewer.layers})
    lay_out(dock, qtbot)
    assert grid.actual_shape(viewer.layers) == (1, 3)
    assert cells(viewer) == [
        {"LR", "ROIs", "cursor on LR"},
        {"DL", "ROIs on DL", "cursor on DL"},
        {"HR", "ROIs on HR", "cursor on HR"},
    ]
    assert not viewer.layers["other"].visible
    dock.rois.add([Roi("tissue", CORNERS, depth=(0.0, 0.0))], dock.layers.finest())
    qtbot.waitUntil(lambda: len(viewer.layers["ROIs on HR"].data) == 1)
    np.testing.assert_allclose(viewer.layers["ROIs on HR"].data[0], viewer.layers["ROIs"].data[0])
    assert len(dock.reading.rois) == 1
    dock.form.side_by_side.click()
    after = (grid.enabled, grid.stride, {one.name: one.visible for one in viewer.layers if one.name != "ROIs"})
    assert after == before
    assert len(viewer.layers["ROIs"].data) == 1


def test_ended_before_anything_was_laid_out_it_can_begin_again(viewer, dock, qtbot):
    lay_out(dock, qtbot)
    dock.form.side_by_side.click()
    names = [layer.name for layer in viewer.layers]
    dock.form.side_by_side.click()
    dock.form.side_by_side.click()
    assert not dock.beside.on
    assert [layer.name for layer in viewer.layers] == names
    lay_out(dock, qtbot)
    assert len(cells(viewer)) == 3


def test_layers_that_are_moved_are_listed_in_their_new_order(viewer, dock, qtbot):
    def listed():
        return [dock.layers.topLevelItem(k).text(0) for k in range(dock.layers.topLevelItemCount())]

    assert listed() == ["LR", "DL", "HR", "other"]
    viewer.layers.move(viewer.layers.index("other"), len(viewer.layers))
    qtbot.waitUntil(lambda: listed() == ["other", "LR", "DL", "HR"])


def test_a_crosshair_stands_at_the_cursor_in_each_image(viewer, dock, qtbot):
    lay_out(dock, qtbot)
    viewer.dims.set_point(0, 1.0)
    viewer.cursor.position = (1.0, 0.45, -0.2)
    for name in ("LR", "DL", "HR"):
        cross = viewer.layers[f"cursor on {name}"]
        extent = viewer.layers[name].extent.world
        begins = np.array([cross.data_to_world(begin) for begin, _ in cross.data])
        ends = np.array([cross.data_to_world(begin + way) for begin, way in cross.data])
        assert len(ends) == 4
        np.testing.assert_allclose([*begins[:, 0], *ends[:, 0]], 1.0)
        np.testing.assert_allclose(sorted(ends[np.isclose(ends[:, 2], -0.2), 1]), extent[:, 1])
        np.testing.assert_allclose(sorted(ends[np.isclose(ends[:, 1], 0.45), 2]), extent[:, 2])
        assert len(cross._view_data) == 4
    viewer.dims.set_point(0, 0.0)
    assert all(len(viewer.layers[f"cursor on {name}"]._view_data) == 4 for name in ("LR", "DL", "HR"))
    viewer.cursor.position = (0.0, 90.0, 0.0)
    assert not len(viewer.layers["cursor on DL"].data)
    dock.form.side_by_side.click()
    assert not [layer for layer in viewer.layers if layer.name.startswith("cursor")]
    viewer.cursor.position = (0.0, 0.45, 0.0)


def test_lines_of_regions_are_as_thick_in_a_cell_as_before_on_the_canvas(viewer, dock, qtbot):
    dock.rois.add([Roi("tissue", CORNERS, depth=(0.0, 0.0))], dock.layers.finest())
    [width] = viewer.layers["ROIs"].edge_width
    lay_out(dock, qtbot)
    for name in ("ROIs", "ROIs on DL", "ROIs on HR"):
        assert viewer.layers[name].edge_width == [3 * width]
    dock.form.side_by_side.click()
    assert viewer.layers["ROIs"].edge_width == [width]


def test_a_layer_that_comes_or_goes_ends_it(viewer, dock, qtbot):
    lay_out(dock, qtbot)
    viewer.layers.remove("DL")
    assert not dock.form.side_by_side.isChecked()
    assert not viewer.canvas.grid.enabled
    assert not [layer for layer in viewer.layers if layer.name.startswith("ROIs on")]


def test_matched_contrast_shows_the_same_percentiles_whatever_the_units(viewer, dock):
    dock.form.match.click()
    for name in ("LR", "HR"):
        wanted = np.percentile(viewer.layers[name].data[int(viewer.dims.current_step[0])], (1, 99.5))
        np.testing.assert_allclose(viewer.layers[name].contrast_limits, wanted)


def test_contrast_of_one_is_followed_by_all_in_parts_of_their_own(viewer, dock, qtbot):
    lr, hr, other = viewer.layers["LR"], viewer.layers["HR"], viewer.layers["other"]
    lr.contrast_limits, hr.contrast_limits, kept = (0.0, 3.0), (0.0, 100.0), list(other.contrast_limits)
    lay_out(dock, qtbot)
    hr.contrast_limits = (20.0, 80.0)
    np.testing.assert_allclose(lr.contrast_limits, (0.6, 2.4))
    assert list(other.contrast_limits) == kept
    dock.form.side_by_side.click()
    hr.contrast_limits = (0.0, 50.0)
    np.testing.assert_allclose(lr.contrast_limits, (0.6, 2.4))


def test_a_drag_with_alt_sets_window_and_level(viewer):
    layer = viewer.layers["HR"]
    layer.contrast_limits = (0.0, 100.0)
    linked = LinkedContrast(viewer)
    linked.link([layer])
    event = SimpleNamespace(modifiers=("Alt",), pos=(0, 0), type="mouse_press")
    steps = linked._drag(viewer, event)
    next(steps)
    assert not viewer.scene.camera.mouse_pan
    event.type, event.pos = "mouse_move", (30, 0)
    next(steps)
    np.testing.assert_allclose(layer.contrast_limits, (-5.0, 105.0))
    event.pos = (0, -60)  # up
    next(steps)
    np.testing.assert_allclose(layer.contrast_limits, (-20.0, 80.0))
    event.type = "mouse_release"
    assert next(steps, None) is None
    assert viewer.scene.camera.mouse_pan
    assert next(linked._drag(viewer, SimpleNamespace(modifiers=(), pos=(0, 0), type="mouse_press")), None) is None


def test_parts_of_a_range():
    assert absolute(relative((3.0, 7.0), (1.0, 9.0)), (10.0, 18.0)) == (12.0, 16.0)
    assert dragged((0.0, 1.0), -1e6, 0.0) == pytest.approx((0.495, 0.505))
