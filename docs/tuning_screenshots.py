"""Take the pictures of the tab "Tune": docs/images/tuning_*.png. Called by docs/make_screenshots.py.

A study is simulated in a temporary folder from the real mouse trunk and rat head (or digital mice where they aren't
there), and small networks are really tuned on it by two workers.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from make_screenshots import SIZE, lab_folder, save, wait
from make_study_screenshots import make_study
from training_screenshots import SETS, WIDTH

from napari_micromri.study.model import Assign
from napari_micromri.study.store import Study
from napari_micromri.tuning.process import stop_tuning
from napari_micromri.widgets.training.tuning.new_model import AS_SET_UP
from napari_micromri.widgets.training.tuning.space_rows import SpaceRow

if TYPE_CHECKING:
    from pathlib import Path

    import napari

    from napari_micromri.widgets.training.dock import TrainingWidget
    from napari_micromri.widgets.training.tuning.watch_page import WatchPage

EPOCHS, TRIALS, WORKERS = 3, 24, 2
SEARCHED = {
    "network.features_main.0": "4, 8",
    "network.features_main.1": "8, 16",
    "network.downsampling": "maxpool, meanpool, conv_strided",
    "network.residual": "true, false",
    "learning_rate": "1e-5 to 0.03, log",
    "optimizer": "adam, adamw, sgd, rmsprop",
    "loss": "mse, mae, hybrid",
    "alpha": "0.2 to 0.9",
}
WHEN = {"alpha": {"loss": ("hybrid",)}}
ROWS = [SpaceRow(key, text, True, WHEN.get(key, {})) for key, text in SEARCHED.items()]


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
        watch = fill_in(viewer, dock, path, output)
        try:
            take_during(viewer, watch, output)
            take_after(viewer, dock, watch, output)
        finally:
            if watch.look is not None and watch.look.status.live:
                stop_tuning(watch.path, kill=True)
        viewer.close()


def fill_in(viewer: napari.Viewer, dock: TrainingWidget, study: Path, output: Path) -> WatchPage:
    """Start a tuning through the form."""
    tab, form = dock.tune, dock.tune.new.form
    dock.tabs.setCurrentWidget(tab)
    tab.new.studies.use(study)
    wait(form.start.isEnabled)
    form.space.setCurrentItem(form.space.topLevelItem(9))
    save(viewer, output / "tuning_new.png")
    form.space.setCurrentItem(None)
    settings = {"network.features_main": "8, 16", "batch_size": "4", "device": "cpu", "patience": "none"}
    dock.setup.fields.set_texts(settings)
    form.base.setCurrentText(AS_SET_UP)
    tab.new.space.show(ROWS)
    form.set_options({"epochs": str(EPOCHS), "trials": str(TRIALS), "workers": str(WORKERS)})
    form.start.click()
    wait(lambda: tab.watch.look is not None)
    return tab.watch


def take_during(viewer: napari.Viewer, watch: WatchPage, output: Path) -> None:
    wait(lambda: watch.look.state.finished >= TRIALS // 2)
    save(viewer, output / "tuning_during.png")


def take_after(viewer: napari.Viewer, dock: TrainingWidget, watch: WatchPage, output: Path) -> None:
    from qtpy.QtCore import Qt

    wait(lambda: watch.form.state.text() == "Done")
    form = watch.form
    form.table.sortByColumn(2, Qt.SortOrder.AscendingOrder)
    form.table.select(watch.best.number)
    wait(lambda: "validation" in form.curve.labels)
    save(viewer, output / "tuning_after.png")
    scroll = form._scroll.verticalScrollBar()
    scroll.setValue(form.table.y())
    save(viewer, output / "tuning_trial.png")
    form.against.setCurrentIndex(list(watch.look.searched).index("learning_rate"))
    scroll.setValue(scroll.maximum())
    save(viewer, output / "tuning_plots.png")
    form.retrain.click()
    save(viewer, output / "tuning_retrain.png")
