"""The study dock in a real napari window."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_micromri.scan import Scan, ScanInfo
from napari_micromri.study.plan import Plan, PlannedPair, Simulation, Source
from napari_micromri.study.store import Study

pytestmark = pytest.mark.gui

PLUGIN, DOCK = "napari-micromri", "Study and slice curation"


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    """Build a study of two simulated pairs once."""
    from napari_micromri.io import save_scan
    from napari_micromri.study.build import build

    folder = tmp_path_factory.mktemp("study")
    rng = np.random.default_rng(0)
    y, x = np.mgrid[-1:1:32j, -1:1:32j]
    data = (500 * (y**2 + x**2 < 0.5) + rng.normal(50, 10, (5, 32, 32))).clip(0).astype(np.float32)
    info = ScanInfo(name="good", axes="zyx", voxel_size=(0.6, 0.1, 0.1))
    pairs = []
    for subject in ("mouse 1", "mouse 2"):
        path = save_scan(Scan(data, replace(info, subject=subject)), folder / f"{subject}.ome.zarr")
        pairs.append(
            PlannedPair(subject=subject, region="trunk", plane="coronal", lr=Simulation(), hr=Source(str(path)))
        )
    build(Plan(tuple(pairs)), folder / "mice.mri.zarr")
    return folder / "mice.mri.zarr"


@pytest.fixture
def study_path(template, tmp_path):
    return shutil.copytree(template, tmp_path / "mice.mri.zarr")


@pytest.fixture
def viewer(make_napari_viewer):
    return make_napari_viewer()


@pytest.fixture
def dock(viewer, study_path, qtbot, monkeypatch):
    monkeypatch.setattr("napari_micromri.widgets.study.dock.remember", lambda path: None)
    monkeypatch.setattr("napari_micromri.widgets.study.dock.recent", lambda: None)
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, DOCK)
    widget.open_study(study_path)
    qtbot.waitUntil(lambda: widget.curator.session is not None, timeout=20_000)
    return widget


@pytest.fixture(autouse=True)
def shown_pair(viewer, dock, qtbot):
    """Show the first pair in the window."""
    dock.curator.open_pair(dock.curator.session.pairs[0].key, 1)
    qtbot.waitUntil(lambda: len(viewer.layers) == 2 and dock.curator.index == 1, timeout=20_000)


def test_keys_pressed_in_the_window_curate(viewer, dock, qtbot, study_path):
    qtbot.keyClick(viewer.window._qt_window, Qt.Key.Key_3)
    qtbot.keyClick(viewer.window._qt_window, Qt.Key.Key_X)
    assert dock.curator.index == 2
    qtbot.keyClick(viewer.window._qt_window, Qt.Key.Key_N)
    [marked] = [pair for pair in Study.open(study_path).pairs() if pair.marks.excluded]
    assert dict(marked.marks.excluded) == {1: "ghost"}
    assert dock.curator.index == 3
    qtbot.keyClick(viewer.window._qt_window, Qt.Key.Key_P)
    qtbot.keyClick(viewer.window._qt_window, Qt.Key.Key_P)
    assert viewer.canvas.overlays.text.text == "excluded: ghost"


def test_the_lists_leave_the_keys_to_the_curation_and_the_grid_shows_both(viewer, dock, qtbot):
    for tab, widget in ((dock.pairs, dock.pairs.tree), (dock.slices, dock.slices.table)):
        dock.tabs.setCurrentWidget(tab)
        before = len(dock.curator.pair.marks.excluded)
        qtbot.keyClick(widget, Qt.Key.Key_X)
        assert len(dock.curator.pair.marks.excluded) != before
    qtbot.keyClick(dock.slices.table, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert dock.curator.pair.marks.excluded
    dock.side_by_side.setChecked(True)
    assert viewer.canvas.grid.actual_shape(viewer.layers) == (1, 2)


def test_typing_in_the_filter_marks_nothing(viewer, dock, qtbot):
    dock.tabs.setCurrentWidget(dock.pairs)
    dock.activateWindow()
    dock.pairs.text.setFocus()
    qtbot.keyClicks(dock.pairs.text, "xnps12")
    assert dock.pairs.text.text() == "xnps12"
    assert not dock.curator.pair.marks.excluded
    assert dock.curator.index == 1


def test_closing_the_dock_gives_the_keys_back(viewer, dock, qtbot):
    dock.parent().destroyOnClose()
    qtbot.waitUntil(lambda: not viewer.keymap)
    assert len(viewer.layers) == 2
    viewer.dims.set_current_step(0, 3)
    viewer.layers.clear()
