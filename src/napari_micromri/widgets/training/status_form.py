"""What the forms of the tabs *Run* and *Tune* share: state and buttons stay in view, all else scrolls below them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, Qt
from qtpy.QtWidgets import QFrame, QLabel, QProgressBar, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from napari_micromri.widgets.shared.parts import column, text_line
from napari_micromri.widgets.shared.theme import readable
from napari_micromri.widgets.training.run_model import PER_MILLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtWidgets import QPushButton


class StatusForm(QWidget):
    """Holds the widgets that say how something in the background stands.

    Parameters
    ----------
    whole_about
        Tooltip of the bar.
    """

    steering: tuple[QPushButton, ...]
    """Buttons that do something to it."""

    def __init__(self, whole_about: str) -> None:
        super().__init__()
        self.state, self.sentence = QLabel(), text_line()
        self.whole = bar(whole_about)
        self._colour = ""

    def wait_for_answer(self) -> None:
        """Let nothing be clicked twice; the next look enables what can be done then."""
        self.forget_status()
        for one in self.steering:
            one.setEnabled(False)

    def forget_status(self) -> None:
        """Show the next status, even if it is the same as the last one."""
        raise NotImplementedError

    def changeEvent(self, event: QEvent) -> None:
        """Follow napari's theme."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.StyleChange, QEvent.Type.PaletteChange):
            self._take_colours()

    def _show_state(self, title: str, colour: str) -> None:
        self.state.setText(title)
        self._colour = colour
        self._take_colours()

    def _take_colours(self) -> None:
        if self._colour:
            style = f"color: {readable(self._colour, self).name()}; font-weight: bold; font-size: 14px;"
            if style != self.state.styleSheet():
                self.state.setStyleSheet(style)

    def _lay_out(self, *above: QWidget, present: Sequence[QWidget], inside: Sequence[QWidget], margin: int = 0) -> None:
        """Put parts below each other: some that are always there, those of the status, and what scrolls."""
        self._present = column(self.state, self.sentence, self.whole, *present)
        content = column(*inside, QWidget(), stretch=(*(0,) * len(inside), 1))
        content.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._scroll = QScrollArea()
        self._scroll.setWidget(content)
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(margin, margin, margin, margin)
        layout.setSpacing(4)
        for part in (*above, self._present):
            layout.addWidget(part)
        layout.addWidget(self._scroll, 1)
        layout.addStretch()


def bar(tooltip: str) -> QProgressBar:
    """Make a thin bar that counts thousandths."""
    made = QProgressBar()
    made.setRange(0, PER_MILLE)
    made.setTextVisible(False)
    made.setToolTip(tooltip)
    made.setFixedHeight(8)
    return made
