"""The tab "Pairs": the tree of subjects, regions and planes, its filter, and the report of the pair."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QPoint, Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QHeaderView,
    QLabel,
    QLineEdit,
    QMenu,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)
from superqt.utils import signals_blocked

from napari_micromri.study.model import SETS
from napari_micromri.widgets.shared.parts import Chooser, pass_on_text, row, text_line
from napari_micromri.widgets.study.report import report_lines
from napari_micromri.widgets.study.table import AMBER, RED
from napari_micromri.widgets.study.tree import Filter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtGui import QKeyEvent

    from napari_micromri.study.model import Pair
    from napari_micromri.widgets.study.tree import PairRow, SubjectRow

NAME, COUNT, WARN, SET = range(4)
KEY_ROLE = int(Qt.ItemDataRole.UserRole)
SUBJECT_ROLE = KEY_ROLE + 1
EVERY_SET = "every set"
UNFOLD_UP_TO = 60


class PairsTab(QWidget):
    """Sends ``opened`` with a pair's key, ``assigned`` with a subject and its new set, and ``filtered``."""

    opened = Signal(str)
    picked = Signal(str)
    assigned = Signal(str, str)
    filtered = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.text = QLineEdit()
        self.text.setPlaceholderText("filter: subject, region, plane")
        self.text.setClearButtonEnabled(True)
        self.text.setToolTip("List only the pairs whose subject, region or plane contain all these words.")
        self.set = Chooser("List only the subjects of this set.", [EVERY_SET, *SETS])
        self.suspicious = QCheckBox("only with suspicious slices")
        self.suspicious.setToolTip("List only pairs with suspicious slices that aren't excluded yet.")
        self.tree = PairTree()
        self.report = QLabel()
        self.report.setWordWrap(True)
        self.report.setTextFormat(Qt.TextFormat.RichText)
        self.report.setToolTip("What was measured on the selected pair when the study was built.")
        self.findings = text_line()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(row(self.text, self.set, stretch=(3, 2)))
        layout.addWidget(self.suspicious)
        layout.addWidget(self.tree, 1)
        layout.addWidget(self.report)
        layout.addWidget(self.findings)
        self._connect()

    def _connect(self) -> None:
        self.text.textChanged.connect(self._tell_filter)
        self.set.currentIndexChanged.connect(self._tell_filter)
        self.suspicious.toggled.connect(self._tell_filter)
        self.tree.opened.connect(self.opened)
        self.tree.assigned.connect(self.assigned)
        self.tree.picked.connect(self.picked)

    def _tell_filter(self) -> None:
        self.filtered.emit()

    @property
    def filter(self) -> Filter:
        """What is to be listed."""
        index = self.set.currentIndex()
        return Filter(self.text.text(), self.suspicious.isChecked(), SETS[index - 1] if index > 0 else None)

    def show_report(self, pair: Pair | None) -> None:
        """Say what was measured on a pair."""
        lines = report_lines(pair) if pair is not None else ()
        self.report.setText(
            "<table cellspacing='0' cellpadding='1'>"
            + "".join(f"<tr><td><b>{label}</b>&nbsp;&nbsp;</td><td>{value}</td></tr>" for label, value in lines)
            + "</table>"
        )
        self.report.setVisible(bool(lines))
        findings = pair.report.findings if pair is not None else ()
        self.findings.setText("\n".join(f"{'✖' if one.error else '⚠'} {one.text}" for one in findings))
        self.findings.setVisible(bool(findings))


class PairTree(QTreeWidget):
    """Subjects, their regions and planes; a right click on a subject moves it into another set."""

    opened = Signal(str)
    picked = Signal(str)
    assigned = Signal(str, str)

    def __init__(self) -> None:
        super().__init__()
        self.setHeaderLabels(["Pair", "Kept", "", "Set"])
        self.headerItem().setToolTip(COUNT, "Slices that are kept, of all.")
        self.headerItem().setToolTip(WARN, "A symbol means that something was noticed when the pair was built.")
        self.headerItem().setToolTip(SET, "The set of the subject. Right-click to move it to another.")
        self.setUniformRowHeights(True)
        self.setIndentation(14)
        self.setExpandsOnDoubleClick(False)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setToolTip("Double-click (or Enter) shows a pair. Right-click a subject to change its set.")
        header = self.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        for column in (COUNT, WARN, SET):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        self.customContextMenuRequested.connect(self._ask_set)
        self.itemActivated.connect(self._activated)
        self.currentItemChanged.connect(self._current_changed)
        self._listed: list[str] = []
        self._subjects: dict[str, QTreeWidgetItem] = {}
        self._regions: dict[tuple[str, str], QTreeWidgetItem] = {}
        self.leaves: dict[str, QTreeWidgetItem] = {}

    def show_rows(self, subjects: Sequence[SubjectRow]) -> None:
        """List subjects; what was unfolded and selected stays so."""
        listed = [pair.key for subject in subjects for region in subject.regions for pair in region.pairs]
        selected = self.current_key
        with signals_blocked(self):
            if listed != self._listed:
                self._list(subjects, unfold=len(listed) <= UNFOLD_UP_TO)
                self._listed = listed
            for subject in subjects:
                self._fill(subject)
        if selected is not None and self.current_key != selected:
            self.select(selected)
        self.viewport().update()

    @property
    def current_key(self) -> str | None:
        """The selected pair."""
        item = self.currentItem()
        return item.data(NAME, KEY_ROLE) if item is not None else None

    def select(self, key: str) -> None:
        """Select a pair and unfold what is around it."""
        if (item := self.leaves.get(key)) is not None:
            with signals_blocked(self):
                self.setCurrentItem(item)
                self.scrollToItem(item)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Leave letters and digits to the curation keys."""
        pass_on_text(event, super().keyPressEvent)

    def _list(self, subjects: Sequence[SubjectRow], *, unfold: bool) -> None:
        unfolded = {name: item.isExpanded() for name, item in self._subjects.items()}
        self.clear()
        self._subjects, self._regions, self.leaves = {}, {}, {}
        for subject in subjects:
            top = self._subjects[subject.name] = self._item(subject.name, subject.name)
            self.addTopLevelItem(top)
            for region in subject.regions:
                middle = self._regions[subject.name, region.name] = self._item(region.name, subject.name)
                top.addChild(middle)
                for pair in region.pairs:
                    leaf = self.leaves[pair.key] = self._item(pair.label, subject.name)
                    leaf.setData(NAME, KEY_ROLE, pair.key)
                    middle.addChild(leaf)
                middle.setExpanded(True)
            top.setExpanded(unfolded.get(subject.name, unfold))

    def _item(self, text: str, subject: str) -> QTreeWidgetItem:
        item = QTreeWidgetItem([text])
        item.setData(NAME, SUBJECT_ROLE, subject)
        return item

    def _fill(self, subject: SubjectRow) -> None:
        top = self._subjects[subject.name]
        _write(top, COUNT, "{}/{}".format(*subject.counts))
        _write(top, SET, subject.set)
        for region in subject.regions:
            _write(self._regions[subject.name, region.name], COUNT, "{}/{}".format(*region.counts))
            for pair in region.pairs:
                self._fill_leaf(self.leaves[pair.key], pair)

    def _fill_leaf(self, leaf: QTreeWidgetItem, pair: PairRow) -> None:
        _write(leaf, COUNT, f"{pair.kept}/{pair.total}")
        _write(leaf, WARN, "✖" if pair.broken else "⚠" if pair.warnings else "")
        leaf.setForeground(WARN, RED if pair.broken else AMBER)
        leaf.setToolTip(WARN, "\n".join(pair.warnings))
        leaf.setToolTip(NAME, "\n".join((leaf.text(NAME), *pair.warnings)))

    def _activated(self, item: QTreeWidgetItem) -> None:
        key = item.data(NAME, KEY_ROLE)
        if key is not None:
            self.opened.emit(key)
        else:
            item.setExpanded(not item.isExpanded())

    def _current_changed(self) -> None:
        if (key := self.current_key) is not None:
            self.picked.emit(key)

    def _ask_set(self, place: QPoint) -> None:
        item = self.itemAt(place)
        if item is None:
            return
        subject: str = item.data(NAME, SUBJECT_ROLE)
        menu = QMenu(self)
        actions = {menu.addAction(f"{subject}: {name}"): name for name in SETS}
        chosen = menu.exec(self.viewport().mapToGlobal(place))
        menu.deleteLater()
        if chosen in actions:
            self.assigned.emit(subject, actions[chosen])


def _write(item: QTreeWidgetItem, column: int, text: str) -> None:
    if item.text(column) != text:
        item.setText(column, text)
