"""How a scan is denoised, whatever the model: one look at each slice or eight, and what becomes of the air."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast, get_args

from qtpy.QtWidgets import QCheckBox

from napari_micromri.inference.options import Quality
from napari_micromri.widgets.shared.parts import Chooser

if TYPE_CHECKING:
    from collections.abc import Sequence

QUALITIES: Sequence[Quality] = get_args(Quality)


class QualityChooser(Chooser):
    """Fast or best, for any model."""

    def __init__(self) -> None:
        super().__init__(
            "fast: each slice is denoised once.\n"
            "best: each slice is denoised in 8 orientations, flipped and rotated, and averaged. It takes 8 times as "
            "long and comes about 0.1 dB closer to the good scan.",
            list(QUALITIES),
        )

    @property
    def quality(self) -> Quality:
        """What was chosen."""
        return cast("Quality", self.currentText())


def dark_air_box() -> QCheckBox:
    """Make the choice to take the brightness of the air out of a result."""
    box = QCheckBox("Dark air")
    box.setToolTip(
        "Takes the brightness of the air out of the result. A fast scan doesn't tell how bright the air of a good one "
        "is: tick this if yours is dark. Faint signals become a little darker. Measure noise on the fast scan."
    )
    return box
