"""The settings of a training: the few that matter in front, all others folded, by what they are for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QFormLayout, QLabel, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from napari_micromri.widgets.training.fields import as_field, make_field
from napari_micromri.widgets.training.settings import is_among
from napari_micromri.widgets.training.settings_words import BROUGHT, FRONT, GROUPS, ONLY_WITH, OTHERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from napari_micromri.widgets.training.settings import Setting

LABEL_WIDTH = 130


class SettingsForm(QWidget):
    """A field for every setting; ``changed`` is sent when the person changes one."""

    changed = Signal()

    def __init__(self, settings: Mapping[str, Setting]) -> None:
        super().__init__()
        self.settings = settings
        self.fields: dict[str, QWidget] = {}
        self._rows: dict[str, QFormLayout] = {}
        self._brought: tuple[str, ...] = ()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self._rows_of(key for key in FRONT if key in settings))
        self.more = _fold("All settings")
        self.more.toggled.connect(self._show_parts)
        self.brought = QLabel("The network comes from the model that training starts from.")
        self.brought.setWordWrap(True)
        self.groups = QWidget()
        inner = QVBoxLayout(self.groups)
        inner.setContentsMargins(0, 0, 0, 0)
        for title, keys in grouped(settings).items():
            heading = QLabel(title)
            heading.setStyleSheet("font-weight: bold;")
            inner.addWidget(heading)
            if title == "Network":
                inner.addWidget(self.brought)
            inner.addWidget(self._rows_of(keys))
        layout.addWidget(self.more)
        layout.addWidget(self.groups)
        self._show_parts()

    def texts(self) -> dict[str, str]:
        """Give all values as texts."""
        return {key: as_field(field).text() for key, field in self.fields.items()}

    def set_texts(self, texts: Mapping[str, str]) -> None:
        """Show values; tells nobody."""
        for key, text in texts.items():
            as_field(self.fields[key]).set_text(text)
        self._show_parts()

    def set_from_model(self, kind: str | None) -> None:
        """Hide what a model of this kind brings along when training starts from it; None: it begins from scratch."""
        self._brought = BROUGHT[kind] if kind is not None else ()
        self._show_parts()

    def _rows_of(self, keys: Iterable[str]) -> QWidget:
        parent = QWidget()
        rows = QFormLayout(parent)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setVerticalSpacing(3)
        rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        for key in keys:
            setting = self.settings[key]
            field = make_field(setting, self._changed)
            field.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            label = QLabel(setting.label)
            label.setFixedWidth(LABEL_WIDTH)
            label.setToolTip(setting.about)
            rows.addRow(label, field)
            self.fields[key], self._rows[key] = field, rows
        return parent

    def _changed(self) -> None:
        self._show_parts()
        self.changed.emit()

    def _show_parts(self) -> None:
        """Show only what counts now."""
        self.more.setArrowType(Qt.ArrowType.DownArrow if self.more.isChecked() else Qt.ArrowType.RightArrow)
        self.groups.setVisible(self.more.isChecked())
        self.brought.setVisible(bool(self._brought))
        for key, field in self.fields.items():
            self._rows[key].setRowVisible(field, self._counts(key))

    def _counts(self, key: str) -> bool:
        if is_among(key, self._brought):
            return False
        other, values = ONLY_WITH.get(key, ("", ()))
        return other not in self.fields or as_field(self.fields[other]).text() in values


def grouped(settings: Mapping[str, Setting]) -> dict[str, list[str]]:
    """Sort the settings that aren't in front into their groups; none is lost."""
    groups: dict[str, list[str]] = {title: [] for title in (*GROUPS, OTHERS)}
    for key in settings:
        if key not in FRONT:
            groups[_group_of(key)].append(key)
    return {title: keys for title, keys in groups.items() if keys}


def _group_of(key: str) -> str:
    for title, names in GROUPS.items():
        if is_among(key, names):
            return title
    return OTHERS


def _fold(label: str) -> QToolButton:
    made = QToolButton()
    made.setText(label)
    made.setToolTip("Show or hide settings that are rarely changed.")
    made.setCheckable(True)
    made.setAutoRaise(True)
    made.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
    return made
