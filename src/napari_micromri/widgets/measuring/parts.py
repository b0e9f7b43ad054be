"""Small widgets that the tabs of the measuring dock are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QSizePolicy,
    QTableView,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_micromri.widgets.measuring.plots import Plot
from napari_micromri.widgets.shared.table import RowsView

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtCore import QAbstractItemModel


def chooser(tooltip: str, lines: Sequence[str] = ()) -> QComboBox:
    """Make a combo box that doesn't widen the dock."""
    made = QComboBox()
    made.setToolTip(tooltip)
    made.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    made.setMinimumContentsLength(6)
    made.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    made.addItems(list(lines))
    return made


def table_view(model: QAbstractItemModel, tooltip: str) -> RowsView:
    """Make a table whose rows are chosen whole."""
    view = RowsView()
    view.setModel(model)
    view.setToolTip(tooltip)
    view.setMinimumHeight(130)
    view.verticalHeader().setDefaultSectionSize(22)
    view.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    # Only the first rows are looked at for the widths, or a long table would be slow.
    view.horizontalHeader().setResizeContentsPrecision(20)
    view.horizontalHeader().setMinimumSectionSize(34)
    return view


def row(*widgets: QWidget) -> QWidget:
    """Put widgets side by side."""
    parent = QWidget()
    layout = QHBoxLayout(parent)
    layout.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        layout.addWidget(widget, 0 if isinstance(widget, QLabel | QToolButton) else 1)
    return parent


def column(*widgets: QWidget) -> QWidget:
    """Put widgets below each other."""
    parent = QWidget()
    layout = QVBoxLayout(parent)
    layout.setContentsMargins(4, 6, 4, 4)
    for widget in widgets:
        layout.addWidget(widget, 1 if isinstance(widget, QTableView | Plot) else 0)
    return parent
