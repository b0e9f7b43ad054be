"""The dock "Denoise with UNet/APDDM"."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from napari.utils.notifications import show_warning
from qtpy.QtWidgets import QTabWidget
from superqt.utils import signals_blocked

from napari_micromri.errors import MicroMRIError
from napari_micromri.plugin.denoising import request_of_layer, run_request, slice_axes
from napari_micromri.plugin.layers import layer_to_scan
from napari_micromri.widgets.background import BackgroundJob
from napari_micromri.widgets.denoise_form import DenoiseForm
from napari_micromri.widgets.denoise_model import (
    AXIS_LABELS,
    DockState,
    Slices,
    selection,
    slice_count,
)
from napari_micromri.widgets.many.tab import ManyTab
from napari_micromri.widgets.results import add_result, has_preview, remove_previews, show_preview
from napari_micromri.widgets.shared.dock import Dock, Scroll
from napari_micromri.widgets.shared.layer_chooser import LayerChooser
from napari_micromri.widgets.shared.model_chooser import ModelChooser
from napari_micromri.widgets.shared.pace import Pace
from napari_micromri.widgets.shared.stored import remember_fields
from napari_micromri.widgets.shared.torch_loading import with_torch
from napari_micromri.widgets.verdict import VerdictView

if TYPE_CHECKING:
    from pathlib import Path

    from napari.components import ViewerModel
    from napari.layers import Image

    from napari_micromri.plugin.denoising import DenoiseRequest, DenoiseResult
    from napari_micromri.scan import Scan
    from napari_micromri.widgets.shared.models import ModelChoice

GROUP = "denoise"


class DenoiseWidget(Dock):
    """Denoise a layer: choose, try one slice, run, and get the result as a layer over the input."""

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.form = DenoiseForm()
        self._job: BackgroundJob | None = None
        self._running: tuple[DenoiseRequest, Image, bool] | None = None
        self._stopping = self._has_result = False
        self.many = ManyTab(napari_viewer)
        self.tabs, self.many_page = QTabWidget(), Scroll(self.many)
        self.tabs.addTab(Scroll(self.form), "This scan")
        self.tabs.addTab(self.many_page, "Many scans")
        self.hold(self.tabs)
        self.verdict = VerdictView(napari_viewer)
        self.form.add_verdict(self.verdict)
        self.models = ModelChooser(self.form.model, GROUP)
        self.layers = LayerChooser(self.form.layer, napari_viewer)
        boxes = {name: getattr(self.form, name) for name in ("dark_air", "residual", "keep", "more")}
        remember_fields(GROUP, boxes | {"device": self.form.device, "quality": self.form.quality})
        self._connect()
        self._update()

    def _connect(self) -> None:
        form = self.form
        self.layers.changed.connect(self._layers_changed)
        form.changed.connect(self._update)
        form.strength.changed.connect(self._preview_again)
        form.dark_air.toggled.connect(self._preview_again)
        form.add_model.clicked.connect(self._ask_model)
        form.browse.clicked.connect(self._ask_path)
        form.preview.clicked.connect(self.start_preview)
        form.denoise.clicked.connect(self.start_denoising)
        form.cancel.clicked.connect(self.cancel)
        self.viewer.layers.selection.events.active.connect(self._show_verdict)

    def shut_down(self) -> None:
        """Stop the run, drop what it gives, and listen to the viewer no more."""
        if self._job is not None:
            self._job.stop()
        self.verdict.stop()
        self.many.shut_down()
        self.viewer.layers.selection.events.active.disconnect(self._show_verdict)
        self.layers.disconnect_viewer()

    def _layers_changed(self) -> None:
        if self._running is not None and self._running[1] not in self.viewer.layers:
            self._stop(keep=False)
        self._update()

    def _ask_model(self) -> None:
        path = self.form.ask_model()
        if path is not None:
            self.use_model(path)

    def use_model(self, path: Path) -> bool:
        """Choose a model file; False when it is none, which is shown."""
        added = self.models.add_file(path)
        self._update()
        return added

    def _ask_path(self) -> None:
        layer = self.layers.current
        self.form.ask_path(layer.name if layer is not None else "denoised")

    def _update(self) -> None:
        """Bring fields, buttons and hint up to date."""
        scan, problem = self._scan_or_problem()
        axes = slice_axes(scan) if scan is not None else ("z",)
        self._show_axes(axes)
        if scan is not None:
            axis = self._slice_axis(scan)
            self._limit_range(slice_count(scan, axis))
            ends = (self.form.first.value(), self.form.last.value())
            self.form.range_place.setText(" to ".join(scan.info.slice_words(k, axis).partition("· ")[2] for k in ends))
        model = self.models.current
        self.form.show_parts(
            axis=len(axes) > 1,
            most_steps=model.most_steps if model is not None else 1,
            takes_noise=model is not None and model.takes_noise,
            has_errors=model is not None and model.has_errors,
        )
        state = DockState(
            has_layers=bool(self.layers.layers),
            has_model=model is not None,
            problem=problem,
            running=self._job is not None,
            stopping=self._stopping,
            needs_path=self.form.to_file.isChecked() and self.form.chosen_path() is None,
            has_result=self._has_result,
        )
        self.form.preview.setEnabled(state.can_preview)
        self.form.denoise.setEnabled(state.can_denoise)
        self.form.cancel.setEnabled(state.can_cancel)
        self.form.show_running(state.running)
        self.form.hint.setText(state.hint)
        self._show_verdict()

    def _show_verdict(self, _event: object = None) -> None:
        """Show what is known of the layer that is selected, else of the one that is chosen."""
        self.verdict.show_for(self.viewer.layers.selection.active, self.layers.current)

    def _scan_or_problem(self) -> tuple[Scan | None, str | None]:
        layer = self.layers.current
        if layer is None:
            return None, None
        try:
            return layer_to_scan(layer), None
        except MicroMRIError as error:
            return None, str(error)

    def _show_axes(self, axes: tuple[str, ...]) -> None:
        chooser = self.form.slice_axis
        labels = [AXIS_LABELS[axis] for axis in axes]
        if [chooser.itemText(k) for k in range(chooser.count())] != labels:
            self.form.set_choices(chooser, labels, 0)

    def _slice_axis(self, scan: Scan) -> str:
        return slice_axes(scan)[max(0, self.form.slice_axis.currentIndex())]

    def _limit_range(self, count: int) -> None:
        for number in (self.form.first, self.form.last):
            with signals_blocked(number):
                untouched = number is self.form.last and number.value() in (0, number.maximum())
                number.setMaximum(count - 1)
                if untouched:
                    number.setValue(count - 1)

    # Runs

    def start_preview(self) -> None:
        """Denoise the slice that is shown."""
        self._start(preview=True)

    def _preview_again(self) -> None:
        """Let the preview that is shown follow what changes its look at once."""
        if has_preview(self.viewer) and self.form.preview.isEnabled():
            self.start_preview()

    def start_denoising(self) -> None:
        """Denoise the chosen slices."""
        self._start(preview=False)

    def cancel(self) -> None:
        """Stop the run within one call of the network."""
        self._stop(keep=self.form.keep.isChecked())

    def _request(self, layer: Image, model: ModelChoice, preview: bool) -> DenoiseRequest:
        request = request_of_layer(layer)
        slice_axis = self._slice_axis(request.scan)
        units = self.viewer.layers.units
        select = selection(
            request.scan,
            Slices.CURRENT if preview else self.form.chosen_slices(),
            slice_axis=slice_axis,
            position=request.placement.indices_at(self.viewer.dims.point, units, request.scan.shape),
            first=self.form.first.value(),
            last=self.form.last.value(),
        )
        return replace(
            request,
            model=model.model,
            model_name=model.name,
            select=select,
            slice_axis=slice_axis,
            device=self.form.device.current,
            path=None if preview else self.form.chosen_path(),
            residual=not preview and self.form.residual.isChecked(),
            quality=self.form.quality.quality,
            strength=self.form.strength.strength,
            dark_air=self.form.dark_air.isChecked(),
            steps=self.form.sampling.steps,
            draws=self.form.sampling.draws,
            eta=self.form.sampling.eta,
            uncertainty=self.form.wants_map,
            keep_finished=not preview and self.form.keep.isChecked(),
            anyway=self.form.anyway.isChecked(),
        )

    def _start(self, *, preview: bool) -> None:
        layer, model = self.layers.current, self.models.current
        if layer is None or model is None or self._job is not None:
            return
        try:
            request = self._request(layer, model, preview)
        except MicroMRIError as error:
            self.form.status.setText(str(error))
            show_warning(str(error))
            return
        self._job = job = BackgroundJob(with_torch(partial(run_request, request)), request.title, self)
        self._running, self._stopping = (request, layer, preview), False
        self._pace, self._began = Pace(), time.monotonic()
        job.progressed.connect(self._show_progress)
        job.succeeded.connect(self._succeeded)
        job.cancelled.connect(self._cancelled)
        job.failed.connect(self._failed)
        job.ended.connect(self._ended)
        self.form.progress.setRange(0, 0)
        self.form.status.setText("Loading the model…")
        self._update()
        job.start()

    def _stop(self, *, keep: bool) -> None:
        if self._job is not None and not self._stopping:
            self._stopping = True
            self._job.stop(keep=keep)
            self.form.status.setText("Stopping…")
            self._update()

    def _show_progress(self, done: int, total: int) -> None:
        self.form.progress.setRange(0, total)
        self.form.progress.setValue(done)
        if not self._stopping:
            self.form.status.setText(self._pace.describe(done, total, time.monotonic()))

    def _succeeded(self, result: DenoiseResult) -> None:
        if self._running is None:
            return
        request, given, preview = self._running
        if preview:
            layer = show_preview(self.viewer, request, result)
        else:
            remove_previews(self.viewer)
            layer = add_result(self.viewer, request, result)
        self._has_result = True
        self.verdict.note((layer, given), request, result)
        self.form.status.setText(f"Done in {time.monotonic() - self._began:.1f} s: {layer.name}")

    def _cancelled(self) -> None:
        self.form.status.setText("Cancelled. Nothing was kept.")

    def _failed(self, sentence: str) -> None:
        self.form.status.setText(sentence)

    def _ended(self) -> None:
        self._job = self._running = None
        self._stopping = False
        self.form.progress.setRange(0, 1)
        self.form.progress.setValue(0)
        self._update()
