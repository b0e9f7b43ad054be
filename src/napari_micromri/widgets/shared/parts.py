"""Small widgets that docks are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QBoxLayout,
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QSizePolicy,
    QTableWidget,
    QTableWidgetItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)
from superqt import QElidingLabel
from superqt.utils import signals_blocked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from qtpy.QtGui import QKeyEvent

PADDING = 12
"""Pixels around a label's text in napari's style, which the width of a label doesn't tell."""


class ElidedLabel(QElidingLabel):
    """One line that loses its middle rather than widening the dock; all of it stands in the tooltip."""

    def __init__(self, placeholder: str = "") -> None:
        super().__init__()
        self._placeholder = placeholder
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setElideMode(Qt.TextElideMode.ElideMiddle)
        self.setEllipsesWidth(PADDING)
        self.setText("")

    def setText(self, text: str) -> None:
        """Show a line, or the placeholder."""
        super().setText(text or self._placeholder)
        self.setToolTip(text)


class Chooser(QComboBox):
    """A combo box that leaves letters and digits to the curation keys and the wheel to the dock."""

    def __init__(self, tooltip: str, labels: Sequence[str] = ()) -> None:
        super().__init__()
        self.setToolTip(tooltip)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(6)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.addItems(list(labels))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Take only the keys that steer."""
        pass_on_text(event, super().keyPressEvent)


def set_lines(chooser: QComboBox, labels: Sequence[str]) -> None:
    """Replace the lines of a chooser without telling anyone; the choice stays where it can."""
    if [chooser.itemText(number) for number in range(chooser.count())] == list(labels):
        return  # its list may be open
    chosen = chooser.currentText()
    with signals_blocked(chooser):
        chooser.clear()
        chooser.addItems(list(labels))
        chooser.setCurrentIndex(max(0, chooser.findText(chosen)))


def pass_on_text(event: QKeyEvent, take: Callable[[QKeyEvent], None]) -> None:
    """Leave what would be typed to whoever is around this widget; lists would search for it otherwise."""
    text = event.text()
    if text.isprintable() and text.strip() and event.modifiers() == Qt.KeyboardModifier.NoModifier:
        event.ignore()
    else:
        take(event)


def text_line() -> QLabel:
    """Make a text that wraps."""
    label = QLabel()
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    return label


def full_text_line() -> QLabel:
    """Make a text below a list that holds what its columns cut off; it keeps room for two lines, so nothing jumps."""
    label = text_line()
    label.setMinimumHeight(2 * label.fontMetrics().lineSpacing())
    label.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
    return label


def button(label: str, tooltip: str) -> QPushButton:
    """Make a button; the keys stay with the canvas when it is clicked."""
    made = QPushButton(label)
    made.setToolTip(tooltip)
    made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    made.setAutoDefault(False)
    return made


def small_button(label: str, tooltip: str) -> QToolButton:
    """Make a button as wide as its label."""
    made = QToolButton()
    made.setText(label)
    made.setToolTip(tooltip)
    made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return made


class Fold(QToolButton):
    """A title that shows or hides the options below it."""

    def __init__(self, title: str, content: QWidget) -> None:
        super().__init__()
        self._content = content
        self.setText(title)
        self.setToolTip("Show or hide less common options.")
        self.setCheckable(True)
        self.setAutoRaise(True)
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.toggled.connect(self._show)
        self._show(False)

    def _show(self, unfolded: bool) -> None:
        self._content.setVisible(unfolded)
        self.setArrowType(Qt.ArrowType.DownArrow if unfolded else Qt.ArrowType.RightArrow)


def row(*widgets: QWidget, stretch: Sequence[int] = ()) -> QWidget:
    """Put widgets side by side, all with the same room unless ``stretch`` says otherwise."""
    parent = QWidget()
    _fill(QHBoxLayout(parent), widgets, stretch or [0 if isinstance(w, QLabel | QToolButton) else 1 for w in widgets])
    return parent


def column(*widgets: QWidget, stretch: Sequence[int] = ()) -> QWidget:
    """Put widgets below each other."""
    parent = QWidget()
    _fill(QVBoxLayout(parent), widgets, stretch or [0] * len(widgets))
    return parent


def figures_table(columns: Iterable[tuple[str, str]]) -> QTableWidget:
    """Make a small table that is only read: a title and a tooltip for each column."""
    titles = list(columns)
    table = QTableWidget(0, len(titles))
    for column, (title, tooltip) in enumerate(titles):
        item = QTableWidgetItem(title)
        item.setToolTip(tooltip)
        table.setHorizontalHeaderItem(column, item)
    table.verticalHeader().setVisible(False)
    table.verticalHeader().setDefaultSectionSize(22)
    table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    table.horizontalHeader().setMinimumSectionSize(34)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setMinimumHeight(92)
    table.setMaximumHeight(120)
    return table


def _fill(layout: QBoxLayout, widgets: Sequence[QWidget], stretch: Sequence[int]) -> None:
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(4)
    for widget, share in zip(widgets, stretch, strict=True):
        layout.addWidget(widget, share)
