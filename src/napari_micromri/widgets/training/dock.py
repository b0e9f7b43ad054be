"""The dock "Training and tuning"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.utils.notifications import show_info, show_warning
from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QTabWidget, QVBoxLayout, QWidget

from napari_micromri.widgets.training.compare_tab import CompareTab
from napari_micromri.widgets.training.remembered import remembered_runs
from napari_micromri.widgets.training.run_tab import RunTab
from napari_micromri.widgets.training.setup_tab import SetupTab

if TYPE_CHECKING:
    from pathlib import Path

    from napari.components import ViewerModel

    from napari_micromri.training.run import Run

MINIMUM_WIDTH = 320
PLUGIN, DENOISE = "napari-micromri", "Denoise with UNet/APDDM"


class TrainingWidget(QWidget):
    """Set a training up, watch it, compare runs.

    Trainings are processes of their own: this reads what they write into their folders, and closing it ends none.
    """

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.setMinimumWidth(MINIMUM_WIDTH)
        self.setup, self.run, self.compare = SetupTab(), RunTab(napari_viewer), CompareTab()
        self.tabs = QTabWidget()
        self.tabs.setUsesScrollButtons(False)
        for title, tab in (("Set up", self.setup), ("Run", self.run), ("Compare", self.compare)):
            self.tabs.addTab(tab, title)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2, 2, 2, 2)
        layout.addWidget(self.tabs)
        self.setup.started.connect(self.watch)
        self.run.listed.connect(self._take_list)
        self.run.used.connect(self.use_in_denoise)
        self.compare.list_beside(remembered_runs())

    def watch(self, path: Path) -> None:
        """Show a run that began, and its validation slice."""
        self.tabs.setCurrentWidget(self.run)
        self.run.open_run(path)

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

    def changeEvent(self, event: QEvent) -> None:
        """Let go when napari takes the widget out of its dock, which is how a dock is closed."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.shut_down()

    def shut_down(self) -> None:
        """Stop looking, and listen to the viewer no more; trainings go on."""
        for tab in (self.setup, self.run, self.compare):
            tab.shut_down()

    def _take_list(self, runs: list[Run]) -> None:
        """Show the newest run that was shown before, when the dock is opened anew."""
        self.compare.list_beside(run.path for run in runs)
        if self.run.path is None and runs:
            live = next((run for run in runs if run.live), None)
            self.run.open_run((live or runs[0]).path, with_slice=False)
            if live is not None:
                self.tabs.setCurrentWidget(self.run)
