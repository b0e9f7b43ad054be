"""The fields and buttons of the tab "Set up"; what they mean is decided in `setup_tab` and `setup_model`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal  # type: ignore[attr-defined,unused-ignore]
from qtpy.QtWidgets import QFileDialog, QFormLayout, QLabel, QLineEdit, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from napari_micromri.widgets.shared.parts import button, row, small_button, text_line
from napari_micromri.widgets.training.fields import Choice

if TYPE_CHECKING:
    from napari_micromri.widgets.training.settings_form import SettingsForm

WARNING = "color: #e0a33a;"
TITLE_WIDTH = 78


class StudyChoice(Choice):
    """Tells before its list is opened, so that it can be brought up to date."""

    opening = Signal()

    def showPopup(self) -> None:
        """Open the list."""
        self.opening.emit()
        super().showPopup()


class SetupForm(QWidget):
    """Holds the widgets, in a part that scrolls and one that doesn't."""

    def __init__(self) -> None:
        super().__init__()
        self.study = StudyChoice("The pairs of scans to learn from: a folder NAME.mri.zarr.")
        self.browse_study = small_button("…", "Choose the folder of a study.")
        self.summary = text_line()
        self.warning = text_line()
        self.warning.setStyleSheet(WARNING)
        self.family = Choice("The kind of model.")
        self.preset = Choice("Settings to begin with.")
        self.preset_about = text_line()
        self.start_from = Choice(
            "Scratch: a new network, for many animals. A model: it goes on learning from your scans, "
            "which is better for few animals."
        )
        self.browse_model = small_button(
            "…", "Go on from a model file (.safetensors), such as the best of another run."
        )
        self.folder = QLineEdit()
        self.folder.setToolTip("A new folder for all that the run leaves: the model, its curves, its log.")
        self.browse_folder = small_button("…", "Choose where to make the run's folder.")
        self.hint = text_line()
        self.estimate = button("Estimate", "Try a few steps, in a process of its own, and say how long it would take.")
        self.start = button("Start", "Train in the background. napari can be closed meanwhile.")
        self._lay_out()

    def show_settings(self, settings: SettingsForm) -> None:
        """Show the settings of a kind of model in the place of those before."""
        while (item := self._place.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.hide()
                old.deleteLater()
        self._place.addWidget(settings)

    def ask_study(self) -> Path | None:
        """Ask for a study."""
        path = QFileDialog.getExistingDirectory(self, "Choose a study (a folder that ends in .mri.zarr)")
        return Path(path) if path else None

    def ask_model(self) -> Path | None:
        """Ask for a model file."""
        path, _ = QFileDialog.getOpenFileName(self, "Choose a model to go on from", "", "Models (*.safetensors)")
        return Path(path) if path else None

    def ask_folder(self) -> Path | None:
        """Ask for the run's folder."""
        path, _ = QFileDialog.getSaveFileName(self, "Folder of the run", self.folder.text())
        return Path(path) if path else None

    def _lay_out(self) -> None:
        inside = QWidget()
        rows = QFormLayout()
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setVerticalSpacing(4)
        rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        for label, field in (
            ("Study", row(self.study, self.browse_study)),
            ("", self.summary),
            ("Model", self.family),
            ("Preset", self.preset),
            ("", self.preset_about),
            ("Start from", row(self.start_from, self.browse_model)),
        ):
            title = QLabel(label)
            title.setFixedWidth(TITLE_WIDTH)
            rows.addRow(title, field)
        column = QVBoxLayout(inside)
        column.setContentsMargins(4, 4, 4, 4)
        column.setSpacing(6)
        column.addLayout(rows)
        column.addWidget(self.warning)
        self._place = QVBoxLayout()
        column.addLayout(self._place)
        column.addStretch()
        scroll = QScrollArea()
        scroll.setWidget(inside)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        inside.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.setSpacing(4)
        layout.addWidget(scroll, 1)
        layout.addWidget(row(QLabel("Run folder"), self.folder, self.browse_folder))
        layout.addWidget(self.hint)
        layout.addWidget(row(self.estimate, self.start))
