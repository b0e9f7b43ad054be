"""How strongly to denoise: a slider around the noise that was measured."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSlider, QWidget

STOPS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.4, 1.6, 1.8, 2.0)
"""Times the measured noise, from the left end of the slider to the right."""


class StrengthField(QWidget):
    """Shown only for models that are told the noise; ``changed`` comes when the slider rests."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._used = False
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, len(STOPS) - 1)
        self.slider.setValue(STOPS.index(1.0))
        self.slider.setPageStep(1)
        # Told while it is dragged, each stop would begin a preview.
        self.slider.setTracking(False)
        self.slider.setToolTip(
            "Multiplies the noise measured on each slice. Lower it if detail is lost. Raise it if noise is left, for "
            "example in filtered or interpolated scans. The preview follows."
        )
        self.words = QLabel()
        self.words.setMinimumWidth(self.words.fontMetrics().horizontalAdvance("1.25×"))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.slider, 1)
        layout.addWidget(self.words)
        self.slider.sliderMoved.connect(self._describe)
        self.slider.valueChanged.connect(self._rest)
        self._describe(self.slider.value())

    @property
    def strength(self) -> float:
        """The factor chosen; 1 for a model that isn't told the noise."""
        return STOPS[self.slider.value()] if self._used else 1.0

    def show_for(self, takes_noise: bool) -> None:
        """Tell whether the model is told the noise."""
        self._used = takes_noise

    def _rest(self, stop: int) -> None:
        self._describe(stop)
        self.changed.emit()

    def _describe(self, stop: int) -> None:
        self.words.setText(f"{STOPS[stop]:g}×")
