"""The training dock in a real napari window, with real trainings in processes of their own."""

from __future__ import annotations

import os
import signal
import sys

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_micromri.plugin.layers import scan_to_layer
from napari_micromri.study.model import Assign
from napari_micromri.training.process import stop_run
from napari_micromri.training.run import read_run
from study_samples import make_study

pytestmark = pytest.mark.gui

PLUGIN, DOCK = "napari-micromri", "Training and tuning"
SMALL = {"network.features_main": "4, 6", "crop": "none", "batch_size": "16", "device": "cpu", "threads": "1"}
PATIENCE = 120_000


@pytest.fixture
def study(tmp_path):
    """Three subjects, one of them to judge by."""
    made = make_study(tmp_path / "mice.mri.zarr", slices=4)
    made.apply([Assign("mouse 03", "validation")])
    return made.path


@pytest.fixture
def started():
    """Collect the folders of runs, so that none outlives its test."""
    folders = []
    yield folders
    for folder in folders:
        if read_run(folder).live:
            stop_run(folder, kill=True)


@pytest.fixture
def begin(qtbot, study, started):
    """Start a training through the window and wait until it is at work."""

    def start(dock, epochs):
        form = dock.setup.form
        dock.tabs.setCurrentWidget(dock.setup)
        dock.setup.studies.use(study)
        dock.setup.fields.set_texts(SMALL | {"epochs": str(epochs), "patience": "none"})
        qtbot.waitUntil(form.start.isEnabled, timeout=PATIENCE)
        before = dock.run.path
        qtbot.mouseClick(form.start, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(lambda: dock.run.path != before, timeout=PATIENCE)
        started.append(dock.run.path)
        return dock.run

    return start


def open_dock(viewer):
    return viewer.window.add_plugin_dock_widget(PLUGIN, DOCK)[1]


def test_from_a_study_to_a_model_in_use(make_napari_viewer, qtbot, begin, make_scan):
    viewer = make_napari_viewer()
    data, attributes, _ = scan_to_layer(make_scan((3, 16, 24), name="fast"))
    viewer.add_image(data, **attributes)
    dock = open_dock(viewer)
    tab = begin(dock, epochs=2)
    qtbot.waitUntil(lambda: tab.form.state.text() == "Done", timeout=PATIENCE)
    qtbot.waitUntil(lambda: len(viewer.layers) == 4)
    qtbot.waitUntil(lambda: "validation" in tab.form.loss.labels)
    assert len(tab.run.epochs) == 2
    assert tab.form.history_label.text() == "Epoch 2"
    tab.form.show_slice.setChecked(False)
    assert [layer.name for layer in viewer.layers] == ["fast"]

    qtbot.mouseClick(tab.form.use, Qt.MouseButton.LeftButton)
    denoise = viewer.window.add_plugin_dock_widget(PLUGIN, "Denoise with UNet/APDDM")[1]
    assert denoise.models.current.model == tab.run.model
    denoise.start_denoising()
    qtbot.waitUntil(lambda: denoise._job is None, timeout=PATIENCE)
    result = viewer.layers["fast [mice-quick-1]"]
    assert result.data.shape == (3, 32, 48)
    assert np.isfinite(result.data).all()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_training_outlives_the_window_and_its_death_is_shown_and_harms_no_other(make_napari_viewer, qtbot, begin):
    viewer = make_napari_viewer()
    tab = begin(open_dock(viewer), epochs=100_000)
    qtbot.waitUntil(lambda: tab.run is not None and len(tab.run.epochs) >= 1, timeout=PATIENCE)
    path = tab.path
    viewer.close()
    done = len(read_run(path).epochs)
    qtbot.waitUntil(lambda: len(read_run(path).epochs) > done, timeout=PATIENCE)

    dock = open_dock(make_napari_viewer())
    tab = dock.run
    qtbot.waitUntil(lambda: tab.run is not None, timeout=PATIENCE)
    assert tab.path == path
    assert dock.tabs.currentWidget() is tab
    assert tab.form.state.text() == "Running"
    os.kill(tab.run.presence.pid, signal.SIGKILL)
    qtbot.waitUntil(lambda: tab.form.state.text() == "Died", timeout=PATIENCE)
    assert f"Epoch {tab.run.epochs[-1].epoch}" in tab.form.log.toPlainText()
    assert tab.form.resume.isEnabled()

    tab = begin(dock, epochs=100_000)
    states = set()

    def at_work():
        if tab.run is not None:
            states.add(tab.form.state.text())
        return "Running" in states

    qtbot.waitUntil(at_work, timeout=PATIENCE)
    assert "Died" not in states
    assert tab.path.name == "mice-quick-2"
    qtbot.mouseClick(tab.form.stop, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: tab.form.state.text() == "Stopped", timeout=PATIENCE)
    assert tab.form.resume.isEnabled()
