"""The fields and buttons of the denoising dock; what they mean is decided in `denoise` and `denoise_model`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QSizePolicy,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)
from superqt.utils import signals_blocked

from napari_micromri.widgets.denoise_model import Slices
from napari_micromri.widgets.shared.device_chooser import DeviceChooser
from napari_micromri.widgets.shared.parts import Fold, button, small_button, text_line
from napari_micromri.widgets.shared.quality_chooser import QualityChooser, dark_air_box
from napari_micromri.widgets.shared.sampling_form import SamplingForm
from napari_micromri.widgets.shared.strength_field import StrengthField

if TYPE_CHECKING:
    from collections.abc import Sequence

ZARR_ENDING = ".ome.zarr"


class DenoiseForm(QWidget):
    """Holds the widgets; ``changed`` is sent when the person changes any field."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.hint = text_line()
        self.layer = _chooser("The scan to denoise: an image layer.")
        self.model = _chooser("The trained network that denoises.")
        self.add_model = small_button("…", "Use a model file (.safetensors), for example one that you trained.")
        self.quality = QualityChooser()
        self.strength = StrengthField()
        self.sampling = SamplingForm()
        self.slices = _chooser("Which slices to denoise.", [choice.value for choice in Slices])
        self.first = _number("First slice, counted from 0 as on napari's slider.")
        self.last = _number("Last slice (included).")
        self.slice_axis = _chooser("Slices are denoised one by one. This axis runs across them.")
        self.device = DeviceChooser()
        _fill(self.device, "Where to compute. Automatic uses a GPU if there is one.")
        self.residual = _box(
            "Also show what was removed", "Adds a layer of input − result, with a colormap that diverges from zero."
        )
        self.errors = _box(
            "Also show the expected error",
            "Adds a layer with the range that holds 90 % of the errors, in the scan's units. It was measured on scans "
            "that the model wasn't trained on.",
        )
        self.dark_air = dark_air_box()
        self.keep = _box("Keep finished slices on Cancel", "Otherwise Cancel discards everything.")
        self.anyway = _box(
            "Denoise anyway",
            "Also denoise what isn't a magnitude image, such as phase images, field maps or labels. "
            "No model was trained on them.",
        )
        self.to_file = _box(
            "Save straight to OME-Zarr", "For scans larger than memory: each slice is written as soon as it is done."
        )
        self.path = QLineEdit()
        self.path.setPlaceholderText("no file chosen")
        self.browse = small_button("…", "Choose the name of the OME-Zarr folder.")
        self.preview = button(
            "Preview slice", "Denoise only the slice that is shown. It is replaced by the next preview."
        )
        self.denoise = button("Denoise", "Denoise the chosen slices and add the result as a new layer.")
        self.cancel = button("Cancel", "Stop the run as soon as the network has finished the current batch.")
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.status = text_line()
        self._lay_out()
        self._connect()

    def chosen_slices(self) -> Slices:
        """Tell which slices were asked for."""
        return list(Slices)[max(0, self.slices.currentIndex())]

    def chosen_path(self) -> Path | None:
        """Tell the path to stream to; None when the result stays in memory."""
        text = self.path.text().strip()
        return Path(text).expanduser() if self.to_file.isChecked() and text else None

    def show_running(self, running: bool) -> None:
        """Show what belongs to a run only while there is one."""
        self.cancel.setVisible(running)
        self.progress.setVisible(running)

    @property
    def wants_map(self) -> bool:
        """A map of the uncertainty was asked for: of the errors, or with several draws of their spread."""
        return self.sampling.wants_map or (self.errors.isVisibleTo(self._folded) and self.errors.isChecked())

    def show_parts(self, *, axis: bool, most_steps: int, takes_noise: bool, has_errors: bool) -> None:
        """Show only the rows that matter now."""
        self._rows.setRowVisible(self.strength, takes_noise)
        self.strength.show_for(takes_noise)
        self._rows.setRowVisible(self.sampling, most_steps > 1)
        self.sampling.show_for(most_steps)
        in_one_step = (self.sampling.steps or 1) == 1 and (self.sampling.draws or 1) == 1
        self.errors.setVisible(has_errors and in_one_step)
        for field in (self._range, self.range_place):
            self._rows.setRowVisible(field, self.chosen_slices() is Slices.RANGE)
        self._rows.setRowVisible(self.slice_axis, axis)
        self._file.setVisible(self.to_file.isChecked())

    def set_choices(self, chooser: QComboBox, labels: Sequence[str], index: int) -> None:
        """Replace the lines of a chooser without telling anyone."""
        with signals_blocked(chooser):
            chooser.clear()
            chooser.addItems(list(labels))
            chooser.setCurrentIndex(index)

    def ask_path(self, name: str) -> None:
        """Ask where to save; the ending is added when it was left out."""
        path, _ = QFileDialog.getSaveFileName(self, "Save the result as", f"{name}{ZARR_ENDING}", "OME-Zarr (*.zarr)")
        if path:
            self.path.setText(path if path.endswith(".zarr") else path + ZARR_ENDING)

    def add_verdict(self, verdict: QWidget) -> None:
        """Put what is said of a result below the status."""
        layout = self.layout()
        if isinstance(layout, QVBoxLayout):
            layout.insertWidget(layout.indexOf(self.status) + 1, verdict)

    def ask_model(self) -> Path | None:
        """Ask for a model file."""
        path, _ = QFileDialog.getOpenFileName(self, "Choose a model", "", "Models (*.safetensors)")
        return Path(path) if path else None

    def _lay_out(self) -> None:
        self._range, self._file = QWidget(), QWidget()
        self.range_place = QLabel()
        _row(self._range, self.first, QLabel("to"), self.last)
        _row(self._file, self.path, self.browse)
        model = QWidget()
        _row(model, self.model, self.add_model)
        self._rows = QFormLayout()
        self._rows.setContentsMargins(0, 0, 0, 0)
        self._rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        for label, field in (
            ("Layer", self.layer),
            ("Model", model),
            ("Quality", self.quality),
            ("Strength", self.strength),
            ("Texture", self.sampling),
            ("Slices", self.slices),
            ("From", self._range),
            ("", self.range_place),
            ("Across", self.slice_axis),
            ("Device", self.device),
        ):
            self._rows.addRow(label, field)
        self._folded = _column(
            self.dark_air, self.residual, self.errors, self.keep, self.anyway, self.to_file, self._file
        )
        self.more = Fold("More options", self._folded)
        buttons = QWidget()
        _row(buttons, self.preview, self.denoise)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(9, 6, 9, 6)
        layout.addWidget(self.hint)
        layout.addLayout(self._rows)
        for widget in (self.more, self._folded, buttons, self.cancel, self.progress, self.status):
            layout.addWidget(widget)
        layout.addStretch()

    def _connect(self) -> None:
        for chooser in (self.layer, self.model, self.quality, self.slices, self.slice_axis, self.device):
            chooser.currentIndexChanged.connect(self._tell)
        for box in (self.dark_air, self.residual, self.errors, self.keep, self.anyway, self.to_file, self.more):
            box.toggled.connect(self._tell)
        for number in (self.first, self.last):
            number.valueChanged.connect(self._tell)
        self.path.textChanged.connect(self._tell)
        self.sampling.changed.connect(self._tell)
        self.strength.changed.connect(self._tell)

    def _tell(self) -> None:
        self.changed.emit()


def _fill(chooser: QComboBox, tooltip: str, labels: Sequence[str] = ()) -> None:
    chooser.setToolTip(tooltip)
    # Long layer names are cut with dots rather than widening the dock.
    chooser.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    chooser.setMinimumContentsLength(8)
    chooser.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    chooser.addItems(list(labels))


def _chooser(tooltip: str, labels: Sequence[str] = ()) -> QComboBox:
    chooser = QComboBox()
    _fill(chooser, tooltip, labels)
    return chooser


def _number(tooltip: str) -> QSpinBox:
    number = QSpinBox()
    number.setToolTip(tooltip)
    number.setKeyboardTracking(False)
    return number


def _box(label: str, tooltip: str) -> QCheckBox:
    box = QCheckBox(label)
    box.setToolTip(tooltip)
    return box


def _row(parent: QWidget, *widgets: QWidget) -> None:
    layout = QHBoxLayout(parent)
    layout.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        layout.addWidget(widget, 0 if isinstance(widget, QLabel | QToolButton) else 1)


def _column(*widgets: QWidget) -> QWidget:
    parent = QWidget()
    layout = QVBoxLayout(parent)
    layout.setContentsMargins(12, 0, 0, 0)
    for widget in widgets:
        layout.addWidget(widget)
    return parent
