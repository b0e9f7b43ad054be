"""The tab "Compare": curves of several runs over each other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QHeaderView,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)
from superqt.utils import signals_blocked

from napari_micromri.training.figures import FIGURES
from napari_micromri.widgets.shared.curves import CurvePlot
from napari_micromri.widgets.shared.looking import Looking
from napari_micromri.widgets.shared.parts import button, text_line
from napari_micromri.widgets.shared.theme import readable
from napari_micromri.widgets.training.compare_model import COLUMNS, RunsLook, cells
from napari_micromri.widgets.training.curve_lines import compared
from napari_micromri.widgets.training.fields import Choice

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qtpy.QtGui import QHideEvent, QShowEvent

    from napari_micromri.training.run import Run

LOOK_AGAIN_MS = 2000
PATH = Qt.ItemDataRole.UserRole
PLOT_HEIGHT = 260


class CompareTab(QWidget):
    """Lists the runs beside those that were shown; those that are ticked are drawn. Looks only while it is seen."""

    def __init__(self) -> None:
        super().__init__()
        self.figure = Choice("Which validation figure to draw.", tuple(figure.label for figure in FIGURES))
        self.add = button("Add folder…", "List the runs in another folder, too.")
        self.table = QTreeWidget()
        self.table.setHeaderLabels(list(COLUMNS))
        self.table.setRootIsDecorated(False)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.table.setToolTip("Tick the runs to compare. Best: the best epoch, and its PSNR (dB) and SSIM.")
        header = self.table.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.plot = CurvePlot(
            FIGURES[0].label, "A curve for each run that is ticked; stars are best epochs.", height=PLOT_HEIGHT
        )
        self.note = text_line()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(self.figure)
        layout.addWidget(self.table, 1)
        layout.addWidget(self.add)
        layout.addWidget(self.note)
        layout.addWidget(self.plot)
        self._runs: dict[Path, Run] = {}
        self._folders: list[Path] = []
        self._looking: Looking | None = None
        self.figure.currentIndexChanged.connect(self._draw)
        self.table.itemChanged.connect(self._draw)
        self.add.clicked.connect(self._ask_folder)
        self._show([])

    @property
    def ticked(self) -> list[Path]:
        """The runs that are drawn, in the order of the list."""
        return [path for path, item in self._items() if item.checkState(0) == Qt.CheckState.Checked]

    def list_beside(self, runs: Iterable[Path]) -> None:
        """List the runs in the folders that these lie in."""
        self._look_in([*self._folders, *(path.parent for path in runs)])

    def shut_down(self) -> None:
        """Look no more."""
        if self._looking is not None:
            self._looking.stop()
            self._looking.deleteLater()
            self._looking = None
        self.plot.stop()

    def showEvent(self, event: QShowEvent) -> None:
        """Look again and again while the tab is seen."""
        super().showEvent(event)
        self._start()

    def hideEvent(self, event: QHideEvent) -> None:
        """Look no more."""
        super().hideEvent(event)
        self.shut_down()

    def _look_in(self, folders: list[Path]) -> None:
        wanted = list(dict.fromkeys(folders))
        if wanted != self._folders:
            self._folders = wanted
            if self.isVisible():
                self._start()

    def _start(self) -> None:
        self.shut_down()
        self._looking = Looking(RunsLook(self._folders), self, every_ms=LOOK_AGAIN_MS)
        self._looking.seen.connect(self._show)
        self._looking.look()

    def _ask_folder(self) -> None:
        if path := QFileDialog.getExistingDirectory(self, "List the runs in a folder"):
            self._look_in([*self._folders, Path(path)])

    def _show(self, runs: list[Run]) -> None:
        self._runs = {run.path: run for run in runs}
        with signals_blocked(self.table):
            known = dict(self._items())
            for path in known.keys() - self._runs.keys():
                self.table.takeTopLevelItem(self.table.indexOfTopLevelItem(known[path]))
            for place, run in enumerate(runs):
                item = known.get(run.path) or self._new_item(run, place)
                for column, text in enumerate(cells(run)):
                    if item.text(column) != text:
                        item.setText(column, text)
        self._draw()

    def _new_item(self, run: Run, place: int) -> QTreeWidgetItem:
        item = QTreeWidgetItem()
        item.setData(0, PATH, run.path)
        item.setToolTip(0, str(run.path))
        item.setCheckState(0, Qt.CheckState.Unchecked)
        self.table.insertTopLevelItem(place, item)
        return item

    def _draw(self) -> None:
        figure = FIGURES[max(0, self.figure.currentIndex())]
        lines = compared([self._runs[path] for path in self.ticked if path in self._runs], figure.name)
        with signals_blocked(self.table):
            colours = dict(zip(self.ticked, (line.colour for line in lines), strict=False))
            for path, item in self._items():
                item.setForeground(
                    0, readable(colours[path], self) if path in colours else self.palette().text().color()
                )
        self.plot.set_title(figure.label)
        self.plot.show_lines(lines, logarithmic=figure.logarithmic)
        self.note.setText(self._hint())

    def _hint(self) -> str:
        if not self._runs:
            return "No runs were found. Open or start one first, or add a folder of runs."
        return "" if self.ticked else "Tick the runs to compare."

    def _items(self) -> list[tuple[Path, QTreeWidgetItem]]:
        found = [self.table.topLevelItem(k) for k in range(self.table.topLevelItemCount())]
        return [(item.data(0, PATH), item) for item in found if item is not None]
