"""The dock in a real napari window."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from qtpy.QtCore import Qt, QThreadPool, QTimer
from qtpy.QtWidgets import QTabBar

from napari_micromri.errors import CancelledError
from napari_micromri.nn.registry import available_models
from napari_micromri.plugin.denoising import DenoiseResult
from napari_micromri.plugin.layers import METADATA_KEY, scan_to_layer
from napari_micromri.widgets import background

pytestmark = pytest.mark.gui

PLUGIN, DOCK = "napari-micromri", "Denoise with UNet/APDDM"


@pytest.fixture
def viewer(make_napari_viewer):
    return make_napari_viewer()


@pytest.fixture
def layer(viewer, make_scan):
    data, attributes, _ = scan_to_layer(make_scan((4, 40, 36), name="fast"))
    return viewer.add_image(data, **attributes)


@pytest.fixture
def endless(monkeypatch):
    """A run that goes on until it is told to stop."""
    began = threading.Event()

    def run(request, progress, should_stop):
        began.set()
        while not should_stop():
            time.sleep(0.002)
        raise CancelledError("The run was stopped.")

    monkeypatch.setattr("napari_micromri.widgets.denoise.run_request", run)
    return began


def open_dock(viewer):
    return viewer.window.add_plugin_dock_widget(PLUGIN, DOCK)


def gone() -> bool:
    return not background._alive and QThreadPool.globalInstance().activeThreadCount() == 0


def test_our_docks_open_as_tabs_of_one_area(make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    window = viewer.window._qt_window
    names = ("Study and slice curation", DOCK, "Measure CNR", "Training and tuning", "IVIM maps")
    height = window.height()
    docks = [viewer.window.add_plugin_dock_widget(PLUGIN, name)[0] for name in names]
    qtbot.waitUntil(lambda: len(window.tabifiedDockWidgets(docks[0])) == len(names) - 1)
    qtbot.waitUntil(lambda: docks[-1].isVisible() and not docks[-1].visibleRegion().isEmpty())
    qtbot.waitUntil(lambda: all(dock.layout() is not None for dock in docks))
    assert window.height() == height
    assert max(dock.minimumSizeHint().width() for dock in docks) <= 320
    assert sum(not dock.visibleRegion().isEmpty() for dock in docks) == 1


def test_many_docks_keep_their_whole_names(make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    window = viewer.window._qt_window
    window.resize(1280, 800)
    names = ["Scans", "Study and slice curation", DOCK, "Measure CNR", "Training and tuning", "IVIM maps"]
    for name in names:
        viewer.window.add_plugin_dock_widget(PLUGIN, name)
    direct = Qt.FindChildOption.FindDirectChildrenOnly

    def bars():
        return [bar for bar in window.findChildren(QTabBar, options=direct) if bar.count() == len(names)]

    qtbot.waitUntil(lambda: bool(bars()))
    [bar] = bars()
    assert [bar.tabText(k) for k in range(bar.count())] == names
    needed = [bar.fontMetrics().horizontalAdvance(name) for name in names]
    assert all(bar.tabRect(k).width() > needed[k] for k in range(bar.count()))


def test_from_a_layer_to_its_denoised_layer(viewer, layer, qtbot):
    assert "unet-default" in [entry.name for entry in available_models()]
    _, dock = open_dock(viewer)
    dock.form.denoise.click()
    qtbot.waitUntil(lambda: dock._job is None, timeout=60_000)
    result = viewer.layers["fast [unet-default]"]
    assert result.data.shape == (4, 80, 72)
    assert np.isfinite(result.data).all()
    assert result.metadata[METADATA_KEY].provenance
    assert str(result.units[-1]) == "millimeter"


def test_the_menu_command_denoises_the_selected_layer(viewer, layer, qtbot):
    from napari._app_model import get_app_model

    get_app_model().commands.execute_command("napari-micromri.denoise_layer")
    qtbot.waitUntil(lambda: len(viewer.layers) == 2, timeout=60_000)
    assert viewer.layers[-1].name == "fast [unet-default]"
    qtbot.waitUntil(gone)


def test_closing_the_dock_ends_its_run(viewer, layer, endless, qtbot):
    dock_widget, dock = open_dock(viewer)
    dock.start_denoising()
    qtbot.waitUntil(endless.is_set)
    dock_widget.destroyOnClose()
    qtbot.waitUntil(gone)
    assert list(viewer.layers) == [layer]
    viewer.layers.clear()


def test_closing_napari_ends_the_run(viewer, layer, endless, qtbot):
    _, dock = open_dock(viewer)
    dock.start_denoising()
    qtbot.waitUntil(endless.is_set)
    viewer.close()
    qtbot.waitUntil(gone)


def test_hiding_the_dock_lets_it_work_on(viewer, layer, endless, qtbot):
    dock_widget, dock = open_dock(viewer)
    dock.start_denoising()
    qtbot.waitUntil(endless.is_set)
    dock_widget.hide()
    qtbot.wait(50)
    assert dock._job is not None
    dock.cancel()
    qtbot.waitUntil(gone)


def test_the_window_answers_while_slices_are_computed(viewer, layer, qtbot, monkeypatch):
    """The run can only end when the window's thread has done something meanwhile."""
    answered, threads = threading.Event(), []

    def run(request, progress, should_stop):
        threads.append(threading.get_ident())
        assert answered.wait(30)
        return DenoiseResult(request.scan)

    monkeypatch.setattr("napari_micromri.widgets.denoise.run_request", run)
    _, dock = open_dock(viewer)
    dock.start_denoising()
    qtbot.waitUntil(lambda: bool(threads), timeout=30_000)
    QTimer.singleShot(0, answered.set)
    qtbot.waitUntil(gone, timeout=30_000)
    assert answered.is_set()
    assert threads != [threading.get_ident()]
    assert len(viewer.layers) == 2
