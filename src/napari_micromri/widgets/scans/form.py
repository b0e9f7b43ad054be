"""The widgets of the dock Scans and where they stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_micromri.widgets.scans.table import ScansTable
from napari_micromri.widgets.shared.parts import Chooser, ElidedLabel, button, row, set_lines, small_button, text_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from napari_micromri.study.choosing import Kind
    from napari_micromri.study.plan import Rejected


KIND_WORDS: Mapping[str, Kind | None] = {
    "All kinds": None,
    "Anatomical only": "anatomy",
    "Diffusion (b-values)": "diffusion",
    "Over time": "over time",
    "Maps": "map",
    "Localizers": "localizer",
}
ANY_PROTOCOL = "All protocols"


class ScansForm(QWidget):
    """Folder, search, table, what was left out, and what to do with the scans."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = ElidedLabel("Drop a folder here, or open one.")
        self.open_folder = button(
            "Open folder", "List the scans in a folder: a ParaVision study, DICOM, NIfTI, Zarr, also mixed."
        )
        self.open_recent = button("Recent", "List the scans of a folder that was open before.")
        self.recent = QMenu(self.open_recent)
        self.open_recent.setMenu(self.recent)
        self.always = button(
            "Don't ask again",
            "Let napari-micromri open every folder from now on. Undo this in File > Preferences > Plugins.",
        )
        question = text_line()
        question.setText("napari asked which plugin opens folders.")
        self.asking = row(question, self.always, stretch=(1, 0))
        self.asking.hide()
        self.stop = small_button("Stop", "Stop searching. Listed scans stay.")
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search: rare coronal mouse07")
        self.search.setToolTip("Shows the scans whose row or path contains all these words.")
        self.search.setClearButtonEnabled(True)
        self.kind = Chooser("Show scans of one kind only.", list(KIND_WORDS))
        self.protocol = Chooser("Show scans of one protocol only.", [ANY_PROTOCOL])
        self.tick_all = QCheckBox("All")
        self.tick_all.setToolTip("Tick all scans that are shown, or none.")
        self.table = ScansTable()
        self.table.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.more = small_button("Left out", "Show or hide which files were left out, and why.")
        self.more.setCheckable(True)
        self.more.setAutoRaise(True)
        self.more.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.left_out = QListWidget()
        self.left_out.setWordWrap(True)
        self.left_out.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.left_out.setMaximumHeight(140)
        self.status = text_line()
        self.open_layers = button("Open", "Add the ticked scans, or else the selected ones, as layers.")
        self.denoise = button("Denoise", "Open the scan that is selected or ticked, and denoise it.")
        self.measure = button(
            "Measure",
            "Open the ticked scans, or else the selected ones, and draw ROIs on them. "
            "Or hold Shift and drag over an image that is open.",
        )
        self.many = button("Denoise all", "Denoise the ticked scans, or else all that are listed, one after the other.")
        self.study = button(
            "New study", "Make a study of the ticked scans, or else of all: pairs of fast and good ones."
        )
        self.ivim = button("IVIM maps", "Open the ticked diffusion series and fit IVIM maps.")
        self._lay_out()
        self.more.toggled.connect(self._unfold)
        self.show_left_out(())

    def show_protocols(self, protocols: Iterable[str]) -> None:
        """Offer the protocols that were found."""
        set_lines(self.protocol, [ANY_PROTOCOL, *sorted(set(protocols), key=str.lower)])

    @property
    def chosen(self) -> tuple[Kind | None, str]:
        """The kind and the protocol that are to be shown; None and empty for all."""
        protocol = self.protocol.currentText() if self.protocol.currentIndex() > 0 else ""
        return KIND_WORDS[self.kind.currentText()], protocol

    def show_left_out(self, entries: Sequence[Rejected]) -> None:
        """List what was left out, with the reason."""
        for entry in entries[self.left_out.count() :] if len(entries) >= self.left_out.count() else ():
            item = QListWidgetItem(entry.reason if entry.path in entry.reason else f"{entry.path}: {entry.reason}")
            item.setToolTip(item.text())
            self.left_out.addItem(item)
        if len(entries) < self.left_out.count():
            self.left_out.clear()
        self.more.setText(f"{len(entries)} left out")
        self.more.setVisible(bool(entries))
        self._unfold(self.more.isChecked())

    def _unfold(self, wanted: bool) -> None:
        self.left_out.setVisible(wanted and self.left_out.count() > 0)
        self.more.setArrowType(Qt.ArrowType.DownArrow if wanted else Qt.ArrowType.RightArrow)

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.setSpacing(4)
        layout.addWidget(row(self.open_folder, self.open_recent, self.stop, stretch=(2, 1, 0)))
        layout.addWidget(self.folder)
        layout.addWidget(self.asking)
        layout.addWidget(row(self.search, self.tick_all, stretch=(1, 0)))
        layout.addWidget(row(self.kind, self.protocol, stretch=(1, 1)))
        layout.addWidget(self.table, 1)
        layout.addWidget(row(self.status, self.more, stretch=(1, 0)))
        layout.addWidget(self.left_out)
        layout.addWidget(row(self.open_layers, self.denoise, self.measure))
        layout.addWidget(row(self.many, self.study, self.ivim))
