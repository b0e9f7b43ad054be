"""The tab "Tune": a new tuning, or one that runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QStackedWidget, QVBoxLayout, QWidget

from napari_micromri.widgets.shared.parts import button, row
from napari_micromri.widgets.training.fields import Choice
from napari_micromri.widgets.training.following import FolderList
from napari_micromri.widgets.training.remembered import remember_tuning, remembered_tunings
from napari_micromri.widgets.training.tuning.looks import which_live
from napari_micromri.widgets.training.tuning.new_page import NewPage
from napari_micromri.widgets.training.tuning.watch_page import WatchPage

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_micromri.training.config import TrainConfig

NEW = "New tuning"


class TuneTab(QWidget):
    """Shows the form for a new tuning or one tuning; ``found`` is sent when one that runs was found at the start.

    Parameters
    ----------
    set_up
        Gives the settings that are filled in in the tab Set up; raises `InputError` when they make no sense.
    """

    found = Signal()

    def __init__(self, set_up: Callable[[], TrainConfig]) -> None:
        super().__init__()
        self.new, self.watch = NewPage(set_up), WatchPage()
        self.tunings = Choice("A new tuning, or those shown before, newest first.")
        self.open_other = button("Open…", "Show a tuning by its folder, wherever it was started.")
        self.pages = QStackedWidget()
        for page in (self.new, self.watch):
            self.pages.addWidget(page)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.setSpacing(4)
        layout.addWidget(row(self.tunings, self.open_other, stretch=(1, 0)))
        layout.addWidget(self.pages, 1)
        self._fresh = True
        self.list = FolderList(self.tunings, which_live, _label, first=(NEW,))
        self.list.chosen.connect(self._choose)
        self.list.found.connect(self._take)
        self.open_other.clicked.connect(self._ask)
        self.new.started.connect(self.open)
        self.watch.changed.connect(self.list.look_up)
        self.list.show(remembered_tunings())

    def open(self, path: Path) -> None:
        """Show a tuning."""
        self._fresh = False
        self.pages.setCurrentWidget(self.watch)
        self.watch.open(path)
        self.list.show(remember_tuning(path), path)

    def shut_down(self) -> None:
        """Look no more; tunings continue."""
        self.list.stop()
        self.new.shut_down()
        self.watch.shut_down()

    def _choose(self, path: Path | None) -> None:
        if path is not None:
            self.open(path)
            return
        self._fresh = False
        self.watch.shut_down()
        self.pages.setCurrentWidget(self.new)
        self.list.show(self.list.paths)

    def _ask(self) -> None:
        if path := QFileDialog.getExistingDirectory(self, "Open the folder of a tuning"):
            self.open(Path(path))

    def _take(self, live: dict[Path, bool]) -> None:
        """Show a tuning that runs when the dock is opened again."""
        running = next((path for path in self.list.paths if live.get(path)), None)
        if self._fresh and running is not None:
            self.open(running)
            self.found.emit()
        self._fresh = False


def _label(path: Path, live: bool | None) -> str:
    if live is None:
        return f"{path.name} (can't be read)"
    return f"{path.name} (running)" if live else path.name
