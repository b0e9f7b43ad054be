"""The search space as a list: a tick for each setting, and its range to edit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTreeWidget, QTreeWidgetItem
from superqt.utils import signals_blocked

from napari_micromri.errors import InputError
from napari_micromri.widgets.shared.parts import pass_on_text
from napari_micromri.widgets.training.tuning.space_rows import HOW, change_row, parameter_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtGui import QKeyEvent

    from napari_micromri.widgets.training.tuning.space_rows import SpaceRow

LABEL, VALUES = 0, 1
KEY = Qt.ItemDataRole.UserRole
WRONG = QColor("#ff6b6b")
EDIT_KEYS = (Qt.Key.Key_F2, Qt.Key.Key_Return, Qt.Key.Key_Enter)
HEIGHT = 216
STYLE = """
QTreeView::item { height: 19px; }
QTreeView::indicator:unchecked { width: 11px; height: 11px; border: 1px solid #868e93; border-radius: 2px; }
"""


class SpaceTable(QTreeWidget):
    """Holds the rows of a search space; ``changed`` is sent when the person changes one."""

    changed = Signal()
    described = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[SpaceRow] = []
        self.setHeaderLabels(["Search", "Values or range"])
        self.setRootIsDecorated(False)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setToolTip(f"Tick the settings to search; click the values to edit them (or press Enter).\n{HOW}")
        self.setFixedHeight(HEIGHT)
        self.setStyleSheet(STYLE)
        self.header().setSectionResizeMode(LABEL, QHeaderView.ResizeMode.ResizeToContents)
        self.header().setStretchLastSection(True)
        self.itemChanged.connect(self._take)
        self.itemClicked.connect(self._clicked)
        self.currentItemChanged.connect(self._describe)

    def show_rows(self, rows: Sequence[SpaceRow], brought: Sequence[str] = ()) -> None:
        """Show a search space; settings that come from a model that training starts from can't be ticked."""
        at = self.currentItem()
        current = at.data(LABEL, KEY) if at is not None else None
        self.rows = list(rows)
        with signals_blocked(self):
            self.clear()
            for row in self.rows:
                item = self._item(row, brought=row.key in brought)
                self.addTopLevelItem(item)
                if row.key == current:
                    self.setCurrentItem(item)

    def _item(self, row: SpaceRow, *, brought: bool) -> QTreeWidgetItem:
        item = QTreeWidgetItem([row.label, row.text])
        item.setData(LABEL, KEY, row.key)
        item.setFlags(item.flags() | Qt.ItemFlag.ItemIsEditable | Qt.ItemFlag.ItemIsUserCheckable)
        item.setCheckState(LABEL, Qt.CheckState.Checked if row.ticked else Qt.CheckState.Unchecked)
        if brought:
            item.setCheckState(LABEL, Qt.CheckState.Unchecked)
            item.setDisabled(True)
            item.setToolTip(LABEL, "It comes from the model that training starts from.")
        self._mark(item, row)
        return item

    def _mark(self, item: QTreeWidgetItem, row: SpaceRow) -> None:
        said, colour = about(row), None
        try:
            parameter_of(row)
        except InputError as error:
            said, colour = str(error), WRONG
        if item.isDisabled():
            return
        item.setData(VALUES, Qt.ItemDataRole.ForegroundRole, colour)
        for column in (LABEL, VALUES):
            item.setToolTip(column, said)

    def _take(self, item: QTreeWidgetItem) -> None:
        key = item.data(LABEL, KEY)
        ticked = item.checkState(LABEL) == Qt.CheckState.Checked
        self.rows = change_row(self.rows, key, ticked=ticked, text=item.text(VALUES).strip())
        with signals_blocked(self):
            self._mark(item, self._row(item))
        self.setCurrentItem(item)
        self._describe(item)
        self.changed.emit()

    def _clicked(self, item: QTreeWidgetItem, column: int) -> None:
        if column == VALUES and not item.isDisabled():
            self.editItem(item, VALUES)

    def _describe(self, item: QTreeWidgetItem | None) -> None:
        self.described.emit(about(self._row(item)) if item is not None else "")

    def _row(self, item: QTreeWidgetItem) -> SpaceRow:
        return next(row for row in self.rows if row.key == item.data(LABEL, KEY))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Edit the values with Enter, tick with the space bar; take no other letters."""
        item = self.currentItem()
        if event.key() in EDIT_KEYS and item is not None and not item.isDisabled():
            self.editItem(item, VALUES)
        else:
            pass_on_text(event, super().keyPressEvent)


def about(row: SpaceRow) -> str:
    """Say what a setting means and where it is searched."""
    from napari_micromri.tuning.space_file import description_of

    said = description_of(row.key)
    said = f"{said[:1].upper()}{said[1:]}" if said else ""
    return ". ".join(part for part in (said, row.condition) if part) + "."
