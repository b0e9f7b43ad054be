"""A field for each kind of setting; all of them give and take the text of the value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast

from qtpy.QtWidgets import QCheckBox, QLineEdit, QWidget
from superqt.utils import signals_blocked

from napari_micromri.widgets.shared.parts import Chooser

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtpy.QtGui import QWheelEvent

    from napari_micromri.widgets.training.settings import Setting


class Field(Protocol):
    """What the form needs of a field."""

    def text(self) -> str:
        """Give the value as it would be typed."""
        ...

    def set_text(self, text: str) -> None:
        """Show a value without telling anyone."""
        ...


class Choice(Chooser):
    """A list of values. The wheel belongs to the form, which is longer than the dock is high."""

    def __init__(self, tooltip: str, values: tuple[str, ...] = (), *, free: bool = False) -> None:
        super().__init__(tooltip, values)
        self.setEditable(free)

    def text(self) -> str:
        """Give the value."""
        return self.currentText()

    def set_text(self, text: str) -> None:
        """Show a value; tells nobody."""
        with signals_blocked(self):
            if self.isEditable():
                self.setEditText(text)
            else:
                self.setCurrentText(text)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Leave it to the form."""
        event.ignore()


class Switch(QCheckBox):
    """A setting that is on or off."""

    def text(self) -> str:
        """Give the value."""
        return "true" if self.isChecked() else "false"

    def set_text(self, text: str) -> None:
        """Show a value; tells nobody."""
        with signals_blocked(self):
            self.setChecked(text == "true")


class Text(QLineEdit):
    """Anything that is typed."""

    def set_text(self, text: str) -> None:
        """Show a value; tells nobody."""
        with signals_blocked(self):
            self.setText(text)
            self.setCursorPosition(0)


def make_field(setting: Setting, changed: Callable[[], None]) -> QWidget:
    """Make the field of a setting; ``changed`` is called when the person changes it."""
    if setting.kind == "choice":
        choice = Choice(setting.about, setting.choices, free=setting.free)
        choice.currentTextChanged.connect(lambda _: changed())
        return choice
    if setting.kind == "switch":
        switch = Switch()
        switch.setToolTip(setting.about)
        switch.toggled.connect(lambda _: changed())
        return switch
    line = Text()
    line.setToolTip(setting.about)
    line.textChanged.connect(lambda _: changed())
    return line


def as_field(widget: QWidget) -> Field:
    """Take a widget that `make_field` made for the field that it is."""
    return cast("Field", widget)
