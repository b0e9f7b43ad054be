"""Measuring on a pair of a study: its crop bounds the image quality, and marks the ROIs that pass it."""

from __future__ import annotations

import pytest
from napari.components import ViewerModel
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QWidget

from napari_micromri.measure.image_comparison import compare_quality
from napari_micromri.measure.roi import Roi
from napari_micromri.plugin.study_layers import load_pair
from napari_micromri.study.cropping import crop_in_mm
from napari_micromri.study.model import Crop
from napari_micromri.widgets.measuring.dock import MeasureWidget
from napari_micromri.widgets.study.viewing import PairView
from study_samples import make_study

CROP = Crop(4, 28, 6, 40)


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def view(viewer, qtbot, tmp_path):
    """Shows the first pair of a study."""
    study = make_study(tmp_path / "mice.mri.zarr", subjects=1)
    parent = QWidget()
    qtbot.addWidget(parent)
    view = PairView(viewer, parent)
    view.show(load_pair(study, study.pairs()[0], lambda *_: None, lambda: False))
    yield view
    view.disconnect_viewer()


@pytest.fixture
def dock(viewer, view, qtbot):
    widget = MeasureWidget(viewer)
    qtbot.addWidget(widget, before_close_func=lambda widget: widget.shut_down())
    widget.show()
    return widget


def settle(qtbot, dock):
    qtbot.waitUntil(
        lambda: not (dock.rois.watch.waiting or dock.crop._timer.isActive() or dock.live.busy), timeout=60_000
    )


def areas(dock):
    return [dock.quality.within.itemText(k) for k in range(dock.quality.within.count())]


def square(name, top, left, size, pair, **more):
    box = crop_in_mm(pair, Crop(top, top + size, left, left + size))
    corners = ((box.top, box.left), (box.top, box.right), (box.bottom, box.right), (box.bottom, box.left))
    return Roi(name, corners, depth=(0.6, 0.6), **more)


def test_the_crop_is_offered_while_there_is_one(view, dock, qtbot):
    assert areas(dock) == ["whole slice"]
    view.show_crop(CROP)
    settle(qtbot, dock)
    assert areas(dock) == ["whole slice", "the pair's crop"]
    dock.quality.within.setCurrentIndex(1)
    for name in dock.layers.roles:
        dock.layers.tick(name, False)
    assert areas(dock) == ["whole slice"]
    view.show_crop(None)
    settle(qtbot, dock)
    assert dock.found.settings.crop is None


def test_the_figures_are_those_within_the_crop(viewer, view, dock, qtbot):
    view.show_crop(CROP)
    settle(qtbot, dock)
    viewer.dims.set_point(0, 0.6)
    dock.quality.within.setCurrentText("the pair's crop")
    qtbot.mouseClick(dock.quality.compare, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(dock.quality.compare.isEnabled)
    lr, hr = dock.layers.compared
    box = crop_in_mm(view.pair, CROP)
    [found] = compare_quality([lr], hr, [1], crop=((box.top, box.bottom), (box.left, box.right)))
    table = dock.quality.table
    shown = {table.horizontalHeaderItem(k).text(): table.item(0, k).text() for k in range(table.columnCount())}
    [psnr] = [text for heading, text in shown.items() if heading.startswith("PSNR")]
    assert psnr == f"{found.quality.psnr:.2f}"
    assert "the pair's crop" in dock.quality.summary.text()
    [whole] = compare_quality([lr], hr, [1])
    assert whole.quality.mse != found.quality.mse


def test_a_roi_that_passes_the_crop_is_marked_when_the_crop_moves(viewer, view, dock, qtbot):
    view.show_crop(CROP)
    viewer.dims.set_point(0, 0.6)
    rois = [square("in", 10, 12, 8, view.pair), square("air", 20, 30, 6, view.pair, kind="background")]
    dock.rois.add(rois, dock.layers.finest())
    settle(qtbot, dock)
    assert all("crop" not in {one.code for one in row.cautions} for row in dock.found.rows)
    view.show_crop(Crop(12, 28, 6, 40))
    settle(qtbot, dock)
    assert all("crop" in {one.code for one in row.cautions} for row in dock.found.rows)
    assert "'in' reaches beyond the crop." in dock.form.explanation.text()


def test_a_closed_dock_follows_no_crop(view, dock, qtbot):
    view.show_crop(CROP)
    dock.shut_down()
    view.show_crop(Crop(12, 28, 6, 40))
    assert not dock.crop._timer.isActive()
    assert dock.crop.box({view.pair.key}) is None
