"""The tab "Slices": all slices of the pair that is shown, their marks and scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_micromri.study.model import REASON_WORDS, REASONS
from napari_micromri.widgets.shared.parts import Chooser, ElidedLabel, button, full_text_line, row
from napari_micromri.widgets.study.table import RED, Cell, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_micromri.study.model import Reason
    from napari_micromri.widgets.study.slices import SliceRow


class SlicesTab(QWidget):
    """Sends ``chosen`` with the slice that was clicked and ``reason_chosen`` with the reason."""

    chosen = Signal(int)
    reason_chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.title = ElidedLabel("No pair is shown")
        labels = [f"{REASON_WORDS[reason]} ({k})" for k, reason in enumerate(REASONS, 1)]
        self.reason = Chooser("Why the slice is excluded. Keys 1 to 6 choose it, too.", labels)
        self.exclude = button(
            "Exclude (X)", "Exclude the slice that is shown and move to the next, or keep it again. Key: X"
        )
        self.previous = button("Previous (P)", "Show the previous slice. Key: P")
        self.next = button("Next (N)", "Show the next slice. Key: N")
        self.suspicious = button(
            "Suspicious (S)", "Show the next suspicious slice, in this pair or a later one. Key: S"
        )
        self.table = Table(["Slice", "Score", "What was noticed"], bar=1)
        self.table.set_widths(15, 6)
        self.table.chosen.connect(self.chosen)
        self.noticed = full_text_line()
        self.reason.activated.connect(self._tell_reason)
        self._rows: tuple[SliceRow, ...] = ()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(self.title)
        layout.addWidget(row(self.reason, self.exclude))
        layout.addWidget(row(self.previous, self.next, self.suspicious, stretch=(1, 1, 1)))
        layout.addWidget(self.table, 1)
        layout.addWidget(self.noticed)

    def _tell_reason(self) -> None:
        self.reason_chosen.emit(self.current_reason)

    @property
    def current_reason(self) -> Reason:
        """The reason for which slices are excluded."""
        return REASONS[max(0, self.reason.currentIndex())]

    def choose_reason(self, reason: Reason) -> None:
        """Choose the reason."""
        self.reason.setCurrentIndex(REASONS.index(reason))

    def show_slices(self, title: str, rows: Sequence[SliceRow], current: int) -> None:
        """List the slices of a pair."""
        self.title.setText(title)
        self._rows = tuple(rows)
        self.table.rows_model.show_rows([_cells(one) for one in rows])
        self.table.set_lines(*(2 if one.words or one.reason else 1 for one in rows))
        for one in (self.exclude, self.previous, self.next):
            one.setEnabled(bool(rows))
        self.show_current(current)

    def show_current(self, index: int) -> None:
        """Highlight the slice that is shown and say what X would do."""
        self.table.show_row(index)
        shown = self._rows[index] if 0 <= index < len(self._rows) else None
        self.exclude.setText("Keep (X)" if shown is not None and shown.reason is not None else "Exclude (X)")
        self.noticed.setText(f"Slice {shown.where}: {shown.words}" if shown is not None and shown.words else "")


def _cells(one: SliceRow) -> tuple[Cell, ...]:
    colour = RED if one.reason is not None else None
    score = f"{one.score:.2f}"
    noticed = "; ".join(filter(None, (one.mark if one.reason else "", one.words)))
    return (
        Cell(f"{'✖ ' if one.reason else ''}{one.where}", "Counted from 0, as on napari's slider; place in mm.", colour),
        Cell(score, f"{score} of 1: {one.words}" if one.words else f"{score} of 1", bar=one.score),
        Cell(noticed, noticed or one.mark, colour),
    )
