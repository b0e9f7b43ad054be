"""The tab "Image quality": how close LR and DL come to a reference, and what differs, as layers."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFormLayout, QTableWidgetItem, QVBoxLayout, QWidget

from napari_micromri.plugin.layers import scan_to_layer
from napari_micromri.widgets.background import BackgroundJob
from napari_micromri.widgets.measuring.model import QUALITY_COLUMNS, labels, quality_cells, quality_summary
from napari_micromri.widgets.measuring.parts import chooser, row
from napari_micromri.widgets.measuring.plots import Plot
from napari_micromri.widgets.measuring.quality_work import Asked, Found, compare_images, residuals
from napari_micromri.widgets.results import RESULT_KEY
from napari_micromri.widgets.shared.parts import button, figures_table, text_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari.components import ViewerModel

    from napari_micromri.measure.comparison import ComparedImage
    from napari_micromri.measure.roi import Box, Roi
    from napari_micromri.measure.roles import Role
    from napari_micromri.scan import Scan
    from napari_micromri.simulation.resampling import Upsampling

THIS_SLICE, THE_VOLUME, AROUND = "this slice", "all slices", "5 slices around"
MOST_BOXES = 200
WHOLE, CROP = "whole slice", "the pair's crop"
MODES: tuple[Upsampling, ...] = ("sinc", "bicubic", "nearest")


class QualityTab(QWidget):
    """Compares when a button is pressed, in a thread; ``problem`` gives a sentence when that can't be done."""

    problem = Signal(str)

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = viewer
        self._images: Sequence[ComparedImage] = ()
        self._short: dict[str, str] = {}
        self._crop: Box | None = None
        self._regions: dict[str, Roi] = {}
        self._index, self._at = 0, dict[str, int]()
        self._job: BackgroundJob | None = None
        self.reference = chooser("The layer that the others are compared with, usually HR.")
        self.slices = chooser("Which slices of the reference to compare.", (THIS_SLICE, AROUND, THE_VOLUME))
        self.within = chooser("Compare only inside the crop of the study, or the box around a ROI.", (WHOLE,))
        self.mode = chooser("How coarser layers are resampled to the reference's grid.", MODES)
        self.compare = button("Compare", "Compute the figures of the table.")
        self.residual = button(
            "Add residuals",
            "Add layers of reference − layer, all with the same symmetric scale. Anatomy visible here was lost from "
            "the layer.",
        )
        self.table = figures_table((("", "Name of the layer."), *QUALITY_COLUMNS))
        self.summary = text_line()
        self.plot = Plot(
            "Solid: power relative to the reference (how much detail there is). Dashed: Fourier ring correlation (how "
            "much of it matches the reference). Power without correlation is noise or invented detail."
        )
        self._lay_out()
        self.compare.clicked.connect(self.start_comparing)
        self.residual.clicked.connect(self.start_residuals)

    def show_images(self, images: Sequence[ComparedImage], roles: Mapping[str, Role], reference: str | None) -> None:
        """Offer other images."""
        names = [image.name for image in images]
        if names != [image.name for image in self._images] or not self.reference.count():
            chosen = self._images[self.reference.currentIndex()].name if self.reference.currentIndex() >= 0 else None
            self.reference.clear()
            self._short = labels(names, roles)
            self.reference.addItems([self._short[name] for name in names])
            wanted = reference or chosen
            self.reference.setCurrentIndex(names.index(wanted) if wanted in names else len(names) - 1)
        self._images = images
        self._short = labels(names, roles)
        for k, name in enumerate(names):
            self.reference.setItemText(k, self._short[name])
        self._enable()

    def show_areas(self, crop: Box | None, regions: Sequence[Roi]) -> None:
        """Offer the crop of the study pair that is shown, and the boxes around regions."""
        self._crop = crop
        boxes = {f"box of {roi.name}": roi for roi in regions if roi.axes == "yx"}
        self._regions = dict(islice(boxes.items(), MOST_BOXES))
        lines = [WHOLE, *([CROP] if crop is not None else []), *self._regions]
        if [self.within.itemText(k) for k in range(self.within.count())] != lines:
            kept = self.within.currentText()
            self.within.clear()
            self.within.addItems(lines)
            self.within.setCurrentIndex(lines.index(kept) if kept in lines else 0)

    def show_position(self, position: float, at: Mapping[str, int]) -> None:
        """Take note of the slice that is shown, by its position along z in mm."""
        from napari_micromri.measure.roi import slice_at

        self._at = dict(at)
        reference = self._chosen_reference()
        if reference is not None:
            self._index = slice_at(reference.scan, "z", position) or 0

    def stop(self) -> None:
        """Stop what is computed."""
        self.plot.stop()
        if self._job is not None:
            self._job.stop()

    def start_comparing(self) -> None:
        """Compute figures and curves."""
        asked = self._asked()
        if asked is not None:
            self._start(partial(compare_images, asked), "Comparing images", self._show)

    def start_residuals(self) -> None:
        """Compute residual layers."""
        asked = self._asked()
        if asked is not None:
            self._start(partial(residuals, asked), "Computing residuals", self._add_residuals)

    def _chosen_reference(self) -> ComparedImage | None:
        k = self.reference.currentIndex()
        return self._images[k] if 0 <= k < len(self._images) else None

    def _asked(self) -> Asked | None:
        reference = self._chosen_reference()
        images = [image for image in self._images if image is not reference]
        if reference is None or not images or self._job is not None:
            return None
        info = reference.scan.info
        count = reference.scan.shape[info.axes.index("z")] if "z" in info.axes else 1
        index = min(self._index, count - 1)
        slices = {
            THIS_SLICE: range(index, index + 1),
            AROUND: range(max(index - 2, 0), min(index + 3, count)),
            THE_VOLUME: range(count),
        }[self.slices.currentText()]
        within = self.within.currentText()
        region = self._regions.get(within)
        # The short names are those of the table and of the residual layers.
        return Asked(
            images=[replace(image, name=self._short[image.name]) for image in images],
            reference=replace(reference, name=self._short[reference.name]),
            slices=slices,
            index=index,
            upsampling=MODES[self.mode.currentIndex()],
            crop=self._crop if within == CROP else region.box if region is not None else None,
            within=within,
            at=self._at,
        )

    def _start(self, work: Any, title: str, then: Any) -> None:
        self._job = job = BackgroundJob(work, title, self)
        job.succeeded.connect(then)
        job.failed.connect(self._failed)
        job.progressed.connect(lambda done, total: self.summary.setText(f"Slice {done} of {total}…"))
        job.ended.connect(self._ended)
        self.summary.setText("Comparing…")
        self._enable()
        job.start()

    def _ended(self) -> None:
        self._job = None
        self._enable()

    def _failed(self, sentence: str) -> None:
        self.summary.setText(sentence)
        self.problem.emit(sentence)

    def _enable(self) -> None:
        ready = len(self._images) > 1 and self._job is None
        self.compare.setEnabled(ready)
        self.residual.setEnabled(ready)
        if not self.summary.text() and len(self._images) < 2:
            self.summary.setText("Tick two layers or more: one of them is the reference.")

    def _show(self, found: Found) -> None:
        from napari_micromri.measure.image_comparison import mean_quality

        means = mean_quality(found.slices)
        self.table.setRowCount(len(means))
        for k, (name, quality) in enumerate(means.items()):
            for column, cell in enumerate((name, *quality_cells(quality))):
                self.table.setItem(k, column, QTableWidgetItem(cell))
        asked = found.asked
        name_slice = asked.reference.scan.info.slice_words
        said = quality_summary(found.slices, asked.reference.name, asked.upsampling, asked.within, name_slice)
        self.summary.setText(" ".join([said, *found.notes]))
        self.plot.show_curves(found.curves)

    def _add_residuals(self, result: tuple[list[Scan], float]) -> None:
        scans, limit = result
        for scan in scans:
            data, attributes, _ = scan_to_layer(scan, contrast_limits=(-limit, limit))
            attributes["metadata"][RESULT_KEY] = "residual"
            self._viewer.add_image(data, **(attributes | {"colormap": "PiYG", "visible": scan is scans[-1]}))
        self.summary.setText(f"Added {len(scans)} residual layers, all from −{limit:.4g} to {limit:.4g}.")

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 6, 4, 4)
        rows = QFormLayout()
        for label, field in (
            ("Against", self.reference),
            ("Slices", self.slices),
            ("Inside", self.within),
            ("Upsampling", self.mode),
        ):
            rows.addRow(label, field)
        layout.addLayout(rows)
        layout.addWidget(row(self.compare, self.residual))
        layout.addWidget(self.table)
        layout.addWidget(self.summary)
        layout.addWidget(self.plot, 1)
