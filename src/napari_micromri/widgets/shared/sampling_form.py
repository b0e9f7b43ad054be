"""The fields for diffusion models: a slider from faithful to textured, the number of draws, the uncertainty map."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QSlider, QSpinBox, QVBoxLayout, QWidget
from superqt.utils import signals_blocked

from napari_micromri.inference.sampling import ETA_FOR_TEXTURE
from napari_micromri.widgets.shared.models import describe_texture, step_choices, steps_taken

MOST_DRAWS = 64
DRAWS_FOR_A_MAP = 8


class SamplingForm(QWidget):
    """Shown only for models that take more than one step."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._choices: tuple[int, ...] = (1,)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setPageStep(1)
        self.slider.setTickPosition(QSlider.TickPosition.TicksBelow)
        self.slider.setToolTip("Sampling steps. One is the safest; more give the image a natural texture.")
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.number = QSpinBox()
        self.number.setRange(1, MOST_DRAWS)
        self.number.setKeyboardTracking(False)
        self.number.setToolTip("Random draws per slice. Their mean is the result. Each takes as long as the first.")
        self.uncertainty = QCheckBox("Uncertainty map")
        self.uncertainty.setToolTip(
            "Adds a layer with the standard deviation over the draws, in the scan's units. It is large where the fast "
            "scan leaves the result uncertain."
        )
        self._lay_out()
        self.slider.valueChanged.connect(self._update)
        self.number.valueChanged.connect(self._update)
        self.uncertainty.toggled.connect(self._toggle_map)

    @property
    def steps(self) -> int | None:
        """Steps to take; None for a model that has no choice."""
        return steps_taken(self._choices[self.slider.value()], self.number.value()) if self._has_choice else None

    @property
    def draws(self) -> int | None:
        """Draws to make; None for a model that makes none."""
        return self.number.value() if self._has_choice else None

    @property
    def eta(self) -> float | None:
        """Share of noise per step; None for the usual. The textured end has some: it brings the most texture back."""
        return ETA_FOR_TEXTURE if self._has_choice and self._at_end and self.number.value() == 1 else None

    @property
    def wants_map(self) -> bool:
        """The uncertainty was asked for."""
        return self._has_choice and self.uncertainty.isChecked()

    def show_for(self, most_steps: int) -> None:
        """Offer what a model can do."""
        choices = step_choices(most_steps)
        if choices != self._choices:
            self._choices = choices
            with signals_blocked(self.slider):
                self.slider.setRange(0, len(choices) - 1)
        self._describe()

    @property
    def _has_choice(self) -> bool:
        return len(self._choices) > 1

    @property
    def _at_end(self) -> bool:
        return self.slider.value() == self.slider.maximum()

    def _toggle_map(self, wanted: bool) -> None:
        """Take several draws for a map; without it one is the usual."""
        with signals_blocked(self.number):
            self.number.setMinimum(2 if wanted else 1)
            self.number.setValue(max(DRAWS_FOR_A_MAP, self.number.value()) if wanted else 1)
        self._update()

    def _update(self) -> None:
        self._describe()
        self.changed.emit()

    def _describe(self) -> None:
        steps = self._choices[self.slider.value()]
        self.words.setText(describe_texture(steps, self.number.value(), some_noise=self.eta is not None))

    def _lay_out(self) -> None:
        slider, draws = QHBoxLayout(), QHBoxLayout()
        slider.addWidget(QLabel("faithful"))
        slider.addWidget(self.slider, 1)
        slider.addWidget(QLabel("textured"))
        draws.addWidget(QLabel("Draws"))
        draws.addWidget(self.number)
        draws.addWidget(self.uncertainty, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(slider)
        layout.addWidget(self.words)
        layout.addLayout(draws)
