"""The tab "Tune" in a real napari window, with real workers in processes of their own."""

from __future__ import annotations

import os
import signal
import sys

import pytest
from qtpy.QtCore import Qt

from napari_micromri.study.model import Assign
from napari_micromri.tuning.process import read_workers, stop_tuning
from napari_micromri.tuning.reading import read_tuning
from napari_micromri.widgets.training.tuning.new_model import AS_SET_UP
from napari_micromri.widgets.training.tuning.space_rows import SpaceRow
from study_samples import make_study

pytestmark = pytest.mark.gui

PLUGIN, DOCK = "napari-micromri", "Training and tuning"
SMALL = {
    "network.features_main": "2, 3",
    "crop": "none",
    "batch_size": "4",
    "scheduler": "none",
    "patience": "none",
    "device": "cpu",
    "threads": "1",
    "workers": "0",
}
SEARCHED = [SpaceRow("learning_rate", "1e-4 to 1e-2, log", True, {}), SpaceRow("loss", "mse, mae", True, {})]
PATIENCE = 120_000


@pytest.fixture
def study(tmp_path):
    """Two subjects, one of them to judge by."""
    made = make_study(tmp_path / "mice.mri.zarr", subjects=2, shape=(8, 12))
    made.apply([Assign("mouse 02", "validation")])
    return made.path


@pytest.fixture
def started():
    """Collect the folders of tunings, so that no worker outlives its test."""
    folders = []
    yield folders
    for folder in folders:
        if any(worker.state not in ("ended", "died") for worker in read_workers(folder)):
            stop_tuning(folder, kill=True)


@pytest.fixture
def begin(qtbot, study, started):
    """Start a tuning through the window and wait until it is at work."""

    def start(dock, *, epochs, trials, workers):
        tab, form = dock.tune, dock.tune.new.form
        dock.tabs.setCurrentWidget(tab)
        dock.setup.fields.set_texts(SMALL)
        form.base.setCurrentText(AS_SET_UP)
        tab.new.space.show(SEARCHED)
        tab.new.studies.use(study)
        form.set_options({"epochs": str(epochs), "trials": str(trials), "workers": str(workers)})
        qtbot.waitUntil(form.start.isEnabled, timeout=10_000)
        qtbot.mouseClick(form.start, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(lambda: tab.watch.look is not None, timeout=30_000)
        started.append(tab.watch.path)
        return tab.watch

    return start


def open_dock(viewer):
    return viewer.window.add_plugin_dock_widget(PLUGIN, DOCK)[1]


def click(qtbot, button):
    qtbot.waitUntil(button.isEnabled, timeout=10_000)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def test_from_a_study_to_the_best_model_in_use(make_napari_viewer, qtbot, begin):
    viewer = make_napari_viewer()
    dock = open_dock(viewer)
    watch = begin(dock, epochs=1, trials=3, workers=2)
    qtbot.waitUntil(lambda: watch.form.state.text() == "Done", timeout=PATIENCE)
    state = watch.look.state
    assert state.finished in (3, 4)  # both workers may begin the last trial at the same moment; see `Worker`
    best = watch.best
    assert best.values[0] == min(row.values[0] for row in state.done())
    watch.form.table.select(best.number)
    qtbot.waitUntil(lambda: "validation" in watch.form.curve.labels, timeout=10_000)
    click(qtbot, watch.form.use)
    denoise = viewer.window.add_plugin_dock_widget(PLUGIN, "Denoise with UNet/APDDM")[1]
    assert denoise.models.current.model == best.run / "best.safetensors"
    click(qtbot, watch.form.retrain)
    assert dock.tabs.currentWidget() is dock.setup
    assert dock.setup.config().learning_rate == best.parameters["learning_rate"]
    assert dock.setup.config().network.features_main == (2, 3)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_tuning_outlives_the_window_and_a_killed_worker(make_napari_viewer, qtbot, begin):
    viewer = make_napari_viewer()
    watch = begin(open_dock(viewer), epochs=100_000, trials=2, workers=1)
    qtbot.waitUntil(lambda: any(row.epoch for row in watch.look.state.trials), timeout=PATIENCE)
    path = watch.path
    viewer.close()
    [row] = [row for row in read_tuning(path).trials if row.state == "running"]
    qtbot.waitUntil(lambda: read_tuning(path).trials[row.number].epoch > row.epoch, timeout=PATIENCE)

    dock = open_dock(make_napari_viewer())
    watch, form = dock.tune.watch, dock.tune.watch.form
    qtbot.waitUntil(lambda: watch.look is not None, timeout=20_000)
    assert dock.tabs.currentWidget() is dock.tune
    assert watch.path == path
    [worker] = watch.look.state.workers
    os.kill(worker.pid, signal.SIGKILL)
    qtbot.waitUntil(lambda: form.state.text() == "Died", timeout=20_000)
    assert "worker-01 died" in form.workers.text()
    assert form.pause.text() == "Resume"
    click(qtbot, form.pause)
    qtbot.waitUntil(lambda: watch.look.state.retried == 1, timeout=PATIENCE)
    assert form.state.text() == "Running"
    assert watch.look.state.finished == 0
