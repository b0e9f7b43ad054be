from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import QObject
from qtpy.QtWidgets import QLineEdit

from napari_micromri.plugin.study_layers import STUDY_KEY, corners_box, crop_corners, load_pair, matched_limits
from napari_micromri.study.cropping import snap
from napari_micromri.study.model import Crop
from napari_micromri.widgets.study.keys import Keys
from napari_micromri.widgets.study.viewing import PairView


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def view(viewer, qapp):
    parent = QObject()
    yield PairView(viewer, parent)


def test_a_pair_is_two_layers_over_each_other_with_matched_contrast(viewer, view, pixels):
    view.show(pixels())
    assert [layer.name for layer in viewer.layers] == [
        "mouse 06 head-thorax coronal HR",
        "mouse 06 head-thorax coronal LR",
    ]
    hr, lr = viewer.layers
    assert (hr.contrast_limits, lr.contrast_limits) == ([0, 100], [0, 50])
    np.testing.assert_allclose(hr.extent.world[:, 1:] + [[-0.5], [0.5]], lr.extent.world[:, 1:] + [[-1], [1]])
    assert viewer.layers.selection.active is lr
    assert hr.metadata[STUDY_KEY] == view.pair.key
    assert viewer.layers.units is not None


@pytest.mark.parametrize("ratio", [float("nan"), 0.0, -1.0, float("inf")])
def test_a_ratio_that_makes_no_sense_leaves_the_contrast(ratio):
    assert matched_limits((1.0, 5.0), ratio) == (1.0, 5.0)


def test_the_next_pair_takes_the_place_of_the_first(viewer, view, pixels, make_pair):
    view.show(pixels())
    layers = list(viewer.layers)
    view.show(pixels(make_pair("mouse 07", slices=6)))
    assert list(viewer.layers) == layers
    assert [layer.name[:8] for layer in layers] == ["mouse 07"] * 2
    assert layers[0].data.shape[0] == 6


def test_a_pair_elsewhere_is_brought_into_view(viewer, view, pixels, make_pair):
    view.show(pixels())
    viewer.scene.camera.center = (0, 1, 2)
    view.show(pixels(make_pair("mouse 07")))
    assert tuple(viewer.scene.camera.center) == (0, 1, 2)
    pair = make_pair("mouse 08")
    far = replace(pair.hr, info=replace(pair.hr.info, origin=(5.0, 100.0, 100.0)))
    view.show(pixels(replace(pair, hr=far)))
    assert viewer.scene.camera.center[1] > 40


def test_the_slider_and_the_view_agree_on_the_slice(viewer, view, pixels, qtbot):
    view.show(pixels())
    seen = []
    view.moved.connect(seen.append)
    for index in (0, 3, 1):
        view.go_to(index)
        assert view.index == index
    assert seen[-1] == 1
    view.go_to(99)
    assert view.index == 3
    view.go_to(-1)
    assert view.index == 0
    viewer.dims.set_current_step(0, 2)
    assert (view.index, seen[-1]) == (2, 2)


def test_another_layer_in_the_viewer_does_not_shift_the_slices(viewer, view, pixels):
    viewer.add_image(np.zeros((2, 30, 5, 5)), name="other")
    view.show(pixels())
    view.go_to(2)
    assert view.index == 2


def test_an_excluded_slice_is_framed_and_the_text_given_back(viewer, view, pixels):
    text = viewer.canvas.overlays.text
    text.text, text.visible = "mine", False
    view.show(pixels())
    view.show_mark("motion")
    view.show_mark("outside")
    assert (text.text, text.visible) == ("excluded: out of the animal", True)
    assert all(layer.bounding_box.visible for layer in viewer.layers)
    view.show_mark(None)
    assert (text.text, text.visible) == ("mine", False)
    assert not any(layer.bounding_box.visible for layer in viewer.layers)


def test_side_by_side_is_napari_grid_and_is_given_back(viewer, view, pixels):
    viewer.canvas.grid.stride = 2
    view.show(pixels())
    view.show_crop(Crop(2, 12, 4, 10))
    view.side_by_side(True)
    assert viewer.canvas.grid.enabled
    cells = [viewer.canvas.grid.position(k, viewer.layers) for k in range(2)]
    assert [layer.name[-2:] for layer in viewer.layers[:2]] == ["HR", "LR"] and cells == [(0, 1), (0, 0)]
    assert not view.outline.visible
    view.side_by_side(False)
    assert (viewer.canvas.grid.enabled, viewer.canvas.grid.stride) == (False, 2)
    assert view.outline.visible


def test_removing_a_layer_of_the_pair_ends_showing_it(viewer, view, pixels, qtbot):
    view.show(pixels())
    view.show_crop(Crop(2, 12, 4, 10))
    view.show_mark("noise")
    with qtbot.waitSignal(view.closed):
        viewer.layers.remove(view.lr)
    assert len(viewer.layers) == 0
    assert view.pair is None
    assert not viewer.canvas.overlays.text.visible
    view.show(pixels())
    assert len(viewer.layers) == 2


def test_the_crop_is_outlined_from_edge_to_edge(viewer, view, pixels, make_pair):
    pair, crop = make_pair(), Crop(2, 12, 4, 10)
    corners = crop_corners(pair, crop)
    np.testing.assert_allclose([corners.min(axis=0), corners.max(axis=0)], [[12, 24], [22, 30]])
    assert snap(pair, corners_box(corners)) == crop
    view.show(pixels())
    view.show_crop(crop)
    [shape] = view.outline.data
    np.testing.assert_allclose(shape, corners)
    assert viewer.layers.selection.active is view.lr
    assert viewer.layers.units is not None
    view.show_crop(Crop(0, 12, 4, 10))
    np.testing.assert_allclose(view.outline.data[0].min(axis=0), [10, 24])
    view.show_crop(None)
    assert len(viewer.layers) == 2


def test_a_dragged_outline_is_told_once_when_let_go(viewer, view, pixels, qtbot):
    view.show(pixels())
    view.show_crop(Crop(2, 12, 4, 10))
    view.edit_crop(True)
    assert viewer.layers.selection.active is view.outline
    assert str(view.outline.mode) == "select"
    seen = []
    view.drawn.connect(seen.append)
    moved = view.outline.data[0] + np.array([1.2, 0])
    further = moved + np.array([0.2, 0])
    view.outline.data = [(moved, "rectangle")]
    view.outline.data = [(further, "rectangle")]
    qtbot.waitUntil(lambda: bool(seen))
    qtbot.wait(200)
    [corners] = seen
    np.testing.assert_allclose(corners, further)
    view.edit_crop(False)
    assert viewer.layers.selection.active is view.lr


def test_our_own_outline_is_no_drawing(viewer, view, pixels, qtbot):
    view.show(pixels())
    with qtbot.assertNotEmitted(view.drawn, wait=250):
        view.show_crop(Crop(2, 12, 4, 10))
        view.show_crop(Crop(2, 14, 4, 10))


def test_a_pair_is_read_into_memory_unless_it_is_large(make_pair, make_scan, monkeypatch):
    import dask.array as da

    from napari_micromri.progress import never, no_progress
    from napari_micromri.scan import Scan

    scans = [Scan(da.from_array(scan.data, name=False), scan.info) for scan in (make_scan(), make_scan((3, 48, 40)))]

    class Study:
        def scans(self, key):
            return scans

    loaded = load_pair(Study(), make_pair(), no_progress, never)
    assert isinstance(loaded.lr.data, np.ndarray)
    assert loaded.limits[1] > loaded.limits[0]
    monkeypatch.setattr("napari_micromri.plugin.study_layers.READ_UP_TO", 10)
    assert isinstance(load_pair(Study(), make_pair(), no_progress, never).lr.data, da.Array)


# Keys


def test_keys_are_taken_and_given_back(viewer, view, pixels, qapp):
    view.show(pixels())
    mine, done = (lambda viewer: None), []
    viewer.bind_key("X", mine)
    keys = Keys({"X": lambda: done.append("x"), "N": lambda: done.append("n")})
    keys.bind([viewer, *view.layers])
    keys.bind([viewer, *view.layers])
    for owner in (viewer, *view.layers):
        pressed = {str(key): action for key, action in owner.keymap.items()}
        pressed["X"](owner)
    assert done == ["x"] * 3
    assert keys.press("n") and done[-1] == "n"
    assert not keys.press("q")
    keys.release()
    assert {str(key): action for key, action in viewer.keymap.items()} == {"X": mine}
    assert not view.lr.keymap
    assert not keys.press("n")


def test_no_key_acts_while_a_text_is_typed(viewer, qtbot, monkeypatch):
    edit, done = QLineEdit(), []
    qtbot.addWidget(edit)
    monkeypatch.setattr("qtpy.QtWidgets.QApplication.focusWidget", lambda: edit)
    keys = Keys({"X": lambda: done.append("x")})
    keys.bind([viewer])
    next(iter(viewer.keymap.values()))(viewer)
    assert not done
    monkeypatch.setattr("qtpy.QtWidgets.QApplication.focusWidget", lambda: None)
    next(iter(viewer.keymap.values()))(viewer)
    assert done == ["x"]
