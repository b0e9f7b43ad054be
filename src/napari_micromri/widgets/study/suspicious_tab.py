"""The tab "Suspicious": the slices of the whole study that should be looked at, most suspicious first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_micromri.study.model import REASON_WORDS
from napari_micromri.widgets.shared.parts import full_text_line, text_line
from napari_micromri.widgets.study.table import RED, Cell, Table
from napari_micromri.widgets.study.tree import pair_title
from napari_micromri.words import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_micromri.study.model import Pair
    from napari_micromri.widgets.study.slices import Suspected


class SuspiciousTab(QWidget):
    """Sends ``chosen`` with the key and slice that was clicked."""

    chosen = Signal(str, int)

    def __init__(self) -> None:
        super().__init__()
        self.text = text_line()
        self.table = Table(["Score", "Slice", "What was noticed"], bar=0)
        self.table.set_widths(6, 17)
        self.table.set_lines(2)
        self.table.chosen.connect(self._choose)
        self.noticed = full_text_line()
        self._listed: list[tuple[str, int]] = []
        self._words: list[str] = []
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(self.text)
        layout.addWidget(self.table, 1)
        layout.addWidget(self.noticed)

    def show_suspected(self, suspected: Sequence[Suspected], pairs: Mapping[str, Pair]) -> None:
        """List what is suspected; excluded slices stay in their place, in red."""
        known = [found for found in suspected if found.key in pairs]
        self._listed = [(found.key, found.index) for found in known]
        self._words = [
            f"Slice {pairs[found.key].slice_words(found.index)} of {pair_title(pairs[found.key])}: "
            f"{'; '.join(found.reasons)}"
            for found in known
        ]
        self.table.rows_model.show_rows([_cells(found, pairs[found.key]) for found in known])
        done = sum(found.index in pairs[found.key].marks.excluded for found in known)
        self.text.setText(
            f"{counted(len(known), 'slice')} to look at; {done} excluded. "
            "Click one to show it. Nothing is excluded automatically."
            if known
            else "No slice stands out."
        )

    def show_current(self, key: str | None, index: int) -> None:
        """Highlight the slice that is shown, if it is listed."""
        place = (key or "", index)
        line = self._listed.index(place) if place in self._listed else -1
        self.table.show_row(line)
        self.noticed.setText(self._words[line] if line >= 0 else "")

    def _choose(self, line: int) -> None:
        self.chosen.emit(*self._listed[line])


def _cells(found: Suspected, pair: Pair) -> tuple[Cell, ...]:
    words = "; ".join(found.reasons)
    reason = pair.marks.excluded.get(found.index)
    colour = RED if reason is not None else None
    title = pair_title(pair)
    where = f"{'✖ ' if reason is not None else ''}{pair.slice_words(found.index)}"
    mark = f"{title}, excluded: {REASON_WORDS[reason]}" if reason is not None else title
    return (
        Cell(f"{found.score:.2f}", words, bar=found.score),
        Cell(f"{where}\n{title}", mark, colour),
        Cell(words, words),
    )
