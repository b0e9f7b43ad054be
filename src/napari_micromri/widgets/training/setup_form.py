"""The fields and buttons of the tab "Set up"; what they mean is decided in `setup_tab` and `setup_model`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QFileDialog, QVBoxLayout

from napari_micromri.widgets.shared.parts import button, row, small_button, text_line
from napari_micromri.widgets.training.fields import Choice
from napari_micromri.widgets.training.start_form import StartForm, rows_of

if TYPE_CHECKING:
    from napari_micromri.widgets.training.settings_form import SettingsForm


class SetupForm(StartForm):
    """Adds the kind of model, its settings, and what a training starts from."""

    def __init__(self) -> None:
        super().__init__(
            "run",
            "A new folder for the run's files: model, curves and log.",
            "Train in the background. napari can be closed meanwhile.",
        )
        self.summary = text_line()
        self.family = Choice("The kind of model.")
        self.preset = Choice("Settings to begin with.")
        self.preset_about = text_line()
        self.start_from = Choice(
            "Scratch: a new network, for many animals. A model: it continues to learn from your scans, "
            "which is better for few animals."
        )
        self.browse_model = small_button(
            "…", "Start from a model file (.safetensors), such as the best of another run."
        )
        self.estimate = button("Estimate", "Run a few steps in a separate process to estimate how long training takes.")
        self._settings = QVBoxLayout()
        fields = rows_of(
            ("Study", row(self.study, self.browse_study)),
            ("", self.summary),
            ("Model", self.family),
            ("Preset", self.preset),
            ("", self.preset_about),
            ("Start from", row(self.start_from, self.browse_model)),
        )
        self._lay_out(fields, self.warning, self._settings, buttons=row(self.estimate, self.start))

    def show_settings(self, settings: SettingsForm) -> None:
        """Show the settings of a kind of model in the place of those before."""
        while (item := self._settings.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.hide()
                old.deleteLater()
        self._settings.addWidget(settings)

    def ask_model(self) -> Path | None:
        """Ask for a model file."""
        path, _ = QFileDialog.getOpenFileName(self, "Choose a model to start from", "", "Models (*.safetensors)")
        return Path(path) if path else None
