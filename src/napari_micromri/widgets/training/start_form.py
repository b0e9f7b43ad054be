"""What the forms for a training and for a tuning share: a study on top, a folder and the button *Start* below."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QFormLayout, QLabel, QLineEdit, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from napari_micromri.widgets.shared.parts import button, row, small_button, text_line
from napari_micromri.widgets.training.fields import Choice

if TYPE_CHECKING:
    from qtpy.QtWidgets import QLayout

WARNING = "color: #bf7f1f;"
"""An amber that can be read in napari's dark theme and in its light one."""
TITLE_WIDTH = 78


class StudyChoice(Choice):
    """Tells before its list is opened, so that it can be brought up to date."""

    opening = Signal()

    def showPopup(self) -> None:
        """Open the list."""
        self.opening.emit()
        super().showPopup()


class StartForm(QWidget):
    """Holds the widgets, in a part that scrolls and one that doesn't.

    Parameters
    ----------
    what
        What the folder is of, for its dialog.
    folder_about, start_about
        Tooltips.
    """

    def __init__(self, what: str, folder_about: str, start_about: str) -> None:
        super().__init__()
        self._what = what
        self.study = StudyChoice("The pairs of scans to learn from: a folder NAME.mri.zarr.")
        self.browse_study = small_button("…", "Choose the folder of a study.")
        self.warning = text_line()
        self.warning.setStyleSheet(WARNING)
        self.folder = QLineEdit()
        self.folder.setToolTip(folder_about)
        self.browse_folder = small_button("…", f"Choose where to make the folder of the {what}.")
        self.hint = text_line()
        self.start = button("Start", start_about)

    def ask_study(self) -> Path | None:
        """Ask for a study."""
        path = QFileDialog.getExistingDirectory(self, "Choose a study (a folder with the extension .mri.zarr)")
        return Path(path) if path else None

    def ask_folder(self) -> Path | None:
        """Ask for the new folder."""
        path, _ = QFileDialog.getSaveFileName(self, f"Folder of the {self._what}", self.folder.text())
        return Path(path) if path else None

    def _lay_out(self, *inside: QWidget | QLayout, buttons: QWidget | None = None) -> None:
        """Put parts into what scrolls, and the folder and the button below."""
        content = QWidget()
        content.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        whole = QVBoxLayout(content)
        whole.setContentsMargins(4, 4, 4, 4)
        whole.setSpacing(6)
        for part in inside:
            whole.addWidget(part) if isinstance(part, QWidget) else whole.addLayout(part)
        whole.addStretch()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.setSpacing(4)
        scroll = QScrollArea()
        scroll.setWidget(content)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        layout.addWidget(scroll, 1)
        layout.addWidget(row(QLabel("Folder"), self.folder, self.browse_folder))
        layout.addWidget(self.hint)
        layout.addWidget(buttons or self.start)


def rows_of(*fields: tuple[str, QWidget]) -> QFormLayout:
    """Put fields below each other, each behind its label."""
    rows = QFormLayout()
    rows.setContentsMargins(0, 0, 0, 0)
    rows.setVerticalSpacing(4)
    rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
    for label, field in fields:
        title = QLabel(label)
        title.setFixedWidth(TITLE_WIDTH)
        title.setToolTip(field.toolTip())
        rows.addRow(title, field)
    return rows
