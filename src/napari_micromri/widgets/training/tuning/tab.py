"""The tab "Tune": a new tuning, or one that runs."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined,unused-ignore]
from qtpy.QtWidgets import QFileDialog, QStackedWidget, QVBoxLayout, QWidget
from superqt.utils import signals_blocked

from napari_micromri.widgets.shared.looking import Looking
from napari_micromri.widgets.shared.parts import button, row
from napari_micromri.widgets.training.fields import Choice
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
        self.tunings = Choice("A new tuning, or those that were shown here, newest first.")
        self.open_other = button("Open…", "Show a tuning by its folder, wherever it was started.")
        self.pages = QStackedWidget()
        for page in (self.new, self.watch):
            self.pages.addWidget(page)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.setSpacing(4)
        layout.addWidget(row(self.tunings, self.open_other, stretch=(1, 0)))
        layout.addWidget(self.pages, 1)
        self._paths: list[Path] = []
        self._listing: Looking | None = None
        self._fresh = True
        self.tunings.activated.connect(self._choose)
        self.open_other.clicked.connect(self._ask)
        self.new.started.connect(self._began)
        self.watch.changed.connect(self._look_up)
        self._list(remembered_tunings())

    def open(self, path: Path) -> None:
        """Show a tuning."""
        self._fresh = False
        self.pages.setCurrentWidget(self.watch)
        self.watch.open(path)
        self._list(remember_tuning(path))

    def shut_down(self) -> None:
        """Look no more; tunings continue."""
        if self._listing is not None:
            self._listing.stop()
        self.new.shut_down()
        self.watch.shut_down()

    def _began(self, path: Path) -> None:
        self.open(path)

    def _choose(self, index: int) -> None:
        if index == 0:
            self._fresh = False
            self.watch.shut_down()
            self.pages.setCurrentWidget(self.new)
            self.tunings.setCurrentIndex(0)
        else:
            self.open(self._paths[index - 1])

    def _ask(self) -> None:
        if path := QFileDialog.getExistingDirectory(self, "Open the folder of a tuning"):
            self.open(Path(path))

    def _list(self, paths: list[Path]) -> None:
        self._paths = paths
        self._fill([path.name for path in paths])
        self._look_up()

    def _look_up(self) -> None:
        """Find out, in a thread, which tunings run."""
        if self._listing is not None:
            self._listing.stop()
            self._listing.deleteLater()
        self._listing = Looking(partial(which_live, tuple(self._paths)), self)
        self._listing.seen.connect(self._show_states)
        self._listing.look()

    def _show_states(self, live: dict[Path, bool]) -> None:
        self._fill([_label(path, live.get(path)) for path in self._paths])
        going_on = next((path for path in self._paths if live.get(path)), None)
        if self._fresh and going_on is not None:
            self.open(going_on)
            self.found.emit()
        self._fresh = False

    def _fill(self, labels: list[str]) -> None:
        box = self.tunings
        shown = self.watch.path if self.pages.currentWidget() is self.watch else None
        with signals_blocked(box):
            box.clear()
            box.addItems([NEW, *labels])
            for number, path in enumerate(self._paths, 1):
                box.setItemData(number, str(path), Qt.ItemDataRole.ToolTipRole)
            box.setCurrentIndex(self._paths.index(shown) + 1 if shown in self._paths else 0)


def _label(path: Path, live: bool | None) -> str:
    if live is None:
        return f"{path.name} (can't be read)"
    return f"{path.name} (running)" if live else path.name
