"""The tab "Crop": draw, suggest or remove the box that training and evaluation see of a pair."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QFormLayout, QVBoxLayout, QWidget

from napari_micromri.widgets.shared.parts import Chooser, button, row, text_line
from napari_micromri.widgets.study.report import crop_text

if TYPE_CHECKING:
    from napari_micromri.study.model import Crop, Pair

WHAT = (
    "A crop is only a mark: no pixel is deleted. Its edges snap to pixel edges that LR and HR share, "
    "so both show exactly the same region."
)


class CropTab(QWidget):
    """Buttons and texts; `cropping` decides what they do."""

    def __init__(self) -> None:
        super().__init__()
        self.text = text_line()
        self.present = text_line()
        self.scope = Chooser(
            "Apply the buttons below to one pair, or to all of its region and plane.", ["this pair", ""]
        )
        self.draw = button("Draw crop", "Show a rectangle whose sides and corners you can drag.")
        self.use = button("Use this crop", "Apply the rectangle as drawn.")
        self.cancel = button("Cancel", "Discard the rectangle.")
        self.suggest = button("Suggest", "Find the animal and crop around it, with a margin of 1 mm.")
        self.remove = button("Remove", "Remove the crop.")
        self.text.setText(WHAT)
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        form.addRow("For", self.scope)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(self.present)
        layout.addLayout(form)
        layout.addWidget(row(self.draw, self.suggest, self.remove))
        layout.addWidget(row(self.use, self.cancel))
        layout.addWidget(self.text)
        layout.addStretch()

    @property
    def for_all(self) -> bool:
        """Whether all pairs of the region and plane are meant."""
        return self.scope.currentIndex() == 1

    def show_crop(self, pair: Pair | None, alike: int, draft: Crop | None, busy: bool) -> None:
        """Say what the crop is, or would be while one is drawn."""
        drawing = draft is not None
        if pair is None:
            self.present.setText("Show a pair first: double-click it under Pairs.")
        elif draft is not None:
            self.present.setText(f"Rectangle: {crop_text(pair, draft)}, not applied yet.")
        else:
            self.present.setText(f"Crop: {crop_text(pair, pair.marks.crop)}")
        label = f"all {alike} of {pair.region}, {pair.plane}" if pair is not None else "all of the region and plane"
        self.scope.setItemText(1, label)
        free = pair is not None and not drawing and not busy
        for one in (self.draw, self.suggest, self.remove):
            one.setEnabled(free)
        for one in (self.use, self.cancel):
            one.setVisible(drawing)
