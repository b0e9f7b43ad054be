"""Take the pictures of the training dock: docs/images/training_*.png. Called by docs/make_screenshots.py.

A study is simulated in a temporary folder from the real mouse trunk and rat head (or digital mice where they aren't
there), and small models are really trained on it: one to its end, one that is killed and resumed, one that fails.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from make_screenshots import SIZE, lab_folder, save, wait
from make_study_screenshots import make_study
from qtpy.QtWidgets import QScrollArea

from napari_micromri.study.model import Assign
from napari_micromri.study.store import Study
from napari_micromri.training.process import stop_run

if TYPE_CHECKING:
    from pathlib import Path

    from napari_micromri.widgets.training.dock import TrainingWidget
    from napari_micromri.widgets.training.run_tab import RunTab

WIDTH = 360
EPOCHS = 10
SETS = {"mouse 05": "train", "mouse 07": "train", "mouse 06": "validation", "rat 16": "test", "rat 22": "test"}


def take(output: Path) -> None:
    """Take the pictures."""
    import napari
    from qtpy.QtCore import Qt

    with lab_folder() as folder:
        os.environ["XDG_CONFIG_HOME"] = str(folder)  # nothing is remembered from before, nor for later
        path = make_study(folder)
        Study.open(path).apply([Assign(subject, to) for subject, to in SETS.items()])
        viewer = napari.Viewer(title="napari")
        viewer.window.resize(*SIZE)
        dock_widget, dock = viewer.window.add_plugin_dock_widget("napari-micromri", "Training and tuning")
        viewer.window._qt_window.resizeDocks([dock_widget], [WIDTH], Qt.Orientation.Horizontal)
        try:
            take_to_the_end(viewer, dock, path, output)
            take_killed(viewer, dock, output)
            fail(dock)
            take_diffusion(viewer, dock, output)
            dock.tabs.setCurrentWidget(dock.compare)
            wait(lambda: dock.compare.table.topLevelItemCount() == 4)
            for _, item in dock.compare._items():
                item.setCheckState(0, Qt.CheckState.Checked)
            save(viewer, output / "training_compare.png")
        finally:
            if dock.run.run is not None and dock.run.run.live:
                stop_run(dock.run.path, kill=True)
        viewer.close()


def take_to_the_end(viewer: object, dock: TrainingWidget, study: Path, output: Path) -> None:
    dock.setup.studies.use(study)
    wait(dock.setup.form.start.isEnabled)
    dock.setup.toggle_estimate()
    wait(lambda: dock.setup._job is None)
    save(viewer, output / "training_before.png")
    tab = start(dock, epochs=EPOCHS)
    tab.form.side_by_side.setChecked(True)
    wait(lambda: tab.run is not None and len(tab.run.epochs) >= EPOCHS // 2)
    save(viewer, output / "training_during.png")
    wait(lambda: tab.form.state.text() == "Done")


def take_killed(viewer: object, dock: TrainingWidget, output: Path) -> None:
    tab = start(dock, epochs=EPOCHS, learning_rate="0.003")
    wait(lambda: tab.run is not None and len(tab.run.epochs) >= 2)
    os.kill(tab.run.presence.pid, signal.SIGKILL)
    wait(lambda: tab.form.state.text() == "Died")
    save(viewer, output / "training_died.png")
    tab.resume()
    wait(lambda: len(tab.run.epochs) >= EPOCHS // 2)
    tab.stop()
    wait(lambda: tab.form.state.text() == "Stopped")


def fail(dock: TrainingWidget) -> None:
    tab = start(dock, epochs=EPOCHS, device="cuda:7")
    wait(lambda: tab.form.state.text() == "Failed")


def take_diffusion(viewer: object, dock: TrainingWidget, output: Path) -> None:
    dock.tabs.setCurrentWidget(dock.setup)
    dock.setup.form.family.setCurrentText("APDDM")
    dock.setup.fields.more.setChecked(True)
    wait(dock.setup.fields.fields["apddm.steps"].isVisible)
    scroll = dock.setup.form.findChild(QScrollArea)
    wait(lambda: scroll.verticalScrollBar().maximum() > scroll.height())
    scroll.ensureWidgetVisible(dock.setup.fields.fields["apddm.judged_steps"])
    save(viewer, output / "training_diffusion.png")
    dock.setup.fields.more.setChecked(False)
    tab = start(dock, epochs=EPOCHS // 2)
    wait(lambda: tab.form.state.text() == "Done")


def start(dock: TrainingWidget, **settings: object) -> RunTab:
    """Start a training through the form."""
    dock.tabs.setCurrentWidget(dock.setup)
    dock.setup.fields.set_texts({"device": "cpu"} | {key: str(value) for key, value in settings.items()})
    dock.setup.form.start.click()
    wait(lambda: dock.tabs.currentWidget() is dock.run)
    return dock.run
