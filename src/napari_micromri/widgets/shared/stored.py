"""What is remembered between sessions, in a file of ours in the folder where the system keeps settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSettings
from qtpy.QtWidgets import QAbstractButton, QComboBox, QLineEdit, QSpinBox

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qtpy.QtWidgets import QWidget


def stored() -> QSettings:
    """Give the settings; one format on all systems, whose folder tests can change."""
    return QSettings(QSettings.Format.IniFormat, QSettings.Scope.UserScope, "napari-micromri", "napari-micromri")


def remember_fields(group: str, fields: Mapping[str, QWidget]) -> None:
    """Set each field to what the person chose last, and note what is chosen from now on.

    What no longer fits, such as a line that a chooser doesn't have, leaves the field as it is.
    """
    settings = stored()
    for name, field in fields.items():
        key = f"{group}/{name}"
        if (value := settings.value(key)) is not None:
            _set(field, str(value))
        _changed(field).connect(lambda *_, key=key, field=field: stored().setValue(key, _text(field)))


def _set(field: QWidget, text: str) -> None:
    match field:
        case QAbstractButton():
            field.setChecked(text == "true")
        case QComboBox() if (line := field.findText(text)) >= 0:
            field.setCurrentIndex(line)
        case QSpinBox() if text.isdigit():
            field.setValue(int(text))
        case QLineEdit():
            field.setText(text)


def _text(field: QWidget) -> str:
    match field:
        case QAbstractButton():
            return "true" if field.isChecked() else "false"
        case QComboBox():
            return field.currentText()
        case QSpinBox():
            return str(field.value())
        case QLineEdit():
            return field.text()
    raise TypeError(f"{type(field).__name__} can't be remembered.")


def _changed(field: QWidget) -> Any:
    match field:
        case QAbstractButton():
            return field.toggled
        case QComboBox():
            return field.currentIndexChanged
        case QSpinBox():
            return field.valueChanged
        case QLineEdit():
            return field.textChanged
    raise TypeError(f"{type(field).__name__} can't be remembered.")
