"""The dock "Training and tuning"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.utils.notifications import show_info, show_warning
from qtpy.QtWidgets import QTabWidget

from napari_micromri.widgets.shared.dock import Dock
from napari_micromri.widgets.training.compare_tab import CompareTab
from napari_micromri.widgets.training.remembered import remembered_runs
from napari_micromri.widgets.training.run_tab import RunTab
from napari_micromri.widgets.training.setup_tab import SetupTab
from napari_micromri.widgets.training.tuning.retraining import fill_set_up
from napari_micromri.widgets.training.tuning.tab import TuneTab

if TYPE_CHECKING:
    from pathlib import Path

    from napari.components import ViewerModel

    from napari_micromri.training.run import Run
    from napari_micromri.widgets.training.tuning.retraining import Retraining

PLUGIN, DENOISE = "napari-micromri", "Denoise with UNet/APDDM"


class TrainingWidget(Dock):
    """Set a training up, watch it, compare runs, tune.

    Trainings and the workers of tunings are processes of their own: this reads what they write into their folders, and
    closing it ends none.
    """

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.setup, self.run, self.compare = SetupTab(), RunTab(napari_viewer), CompareTab()
        self.tune = TuneTab(self.setup.config)
        self.tabs = QTabWidget()
        self.tabs.setUsesScrollButtons(False)
        for title, tab in zip(("Set up", "Run", "Compare", "Tune"), self.all_tabs, strict=True):
            self.tabs.addTab(tab, title)
        self.hold(self.tabs)
        self.setup.started.connect(self.watch)
        self.run.listed.connect(self._take_list)
        self.run.used.connect(self.use_in_denoise)
        self.tune.found.connect(self._show_tuning)
        self.tune.watch.used.connect(self.use_in_denoise)
        self.tune.watch.opened.connect(self.watch)
        self.tune.watch.retrained.connect(self.set_up)
        self.compare.list_beside(remembered_runs())

    @property
    def all_tabs(self) -> tuple[SetupTab, RunTab, CompareTab, TuneTab]:
        """The tabs, in their order."""
        return self.setup, self.run, self.compare, self.tune

    def watch(self, path: Path) -> None:
        """Show a run that began, and its validation slice."""
        self.tabs.setCurrentWidget(self.run)
        self.run.open_run(path)

    def set_up(self, wanted: Retraining) -> None:
        """Fill in the tab Set up with the settings of a trial."""
        fill_set_up(self.setup, wanted)
        self.tabs.setCurrentWidget(self.setup)
        show_info(f"The settings of {wanted.title} are filled in, for {wanted.settings['epochs']} epochs.")

    def use_in_denoise(self, model: Path) -> None:
        """Choose a model in the Denoise dock, which is opened for it."""
        window = getattr(self.viewer, "window", None)
        if window is None:
            show_warning(f"There is no window to open the dock {DENOISE} in. The model is {model}.")
            return
        dock, widget = window.add_plugin_dock_widget(PLUGIN, DENOISE, tabify=True)
        dock.show()
        dock.raise_()
        if widget.use_model(model):
            show_info(f"{model.parent.name} is chosen in the dock {DENOISE}.")

    def shut_down(self) -> None:
        """Stop looking, and listen to the viewer no more; trainings continue."""
        for tab in self.all_tabs:
            tab.shut_down()

    def _show_tuning(self) -> None:
        """Show a tuning that runs when the dock is opened again, unless a training runs."""
        if self.run.run is None or not self.run.run.live:
            self.tabs.setCurrentWidget(self.tune)

    def _take_list(self, runs: list[Run]) -> None:
        """Show the newest run that was shown before, when the dock is opened again."""
        self.compare.list_beside(run.path for run in runs)
        if self.run.path is None and runs:
            live = next((run for run in runs if run.live), None)
            self.run.open_run((live or runs[0]).path, with_slice=False)
            if live is not None:
                self.tabs.setCurrentWidget(self.run)
