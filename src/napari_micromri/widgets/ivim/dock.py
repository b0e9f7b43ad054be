"""The dock "IVIM maps": choose a diffusion series, fit it, look at maps and at single voxels."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from napari.layers import Image, Labels
from napari.utils.notifications import show_warning
from qtpy.QtWidgets import QTabWidget
from superqt.utils import signals_blocked

from napari_micromri.errors import MicroMRIError
from napari_micromri.ivim import METHODS, Bounds
from napari_micromri.ivim.b_values import parse_b_values
from napari_micromri.ivim.series import Series
from napari_micromri.plugin.layers import layer_to_scan
from napari_micromri.widgets.background import BackgroundJob
from napari_micromri.widgets.ivim.form import IvimForm
from napari_micromri.widgets.ivim.model import (
    Plan,
    b_values_text,
    map_layers,
    request_of_layers,
    summary,
)
from napari_micromri.widgets.ivim.regions_tab import RegionsTab
from napari_micromri.widgets.ivim.signal_tab import SignalTab
from napari_micromri.widgets.ivim.three_layers import ThreeLayers
from napari_micromri.widgets.ivim.voxel import VoxelLook
from napari_micromri.widgets.results import RESULT_KEY, is_result
from napari_micromri.widgets.shared.dock import Dock, Scroll
from napari_micromri.widgets.shared.layer_chooser import LayerChooser
from napari_micromri.widgets.shared.parts import column
from napari_micromri.widgets.shared.stored import remember_fields
from napari_micromri.widgets.shared.torch_loading import with_torch

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_micromri.ivim import Fit, Model
    from napari_micromri.progress import Progress, ShouldStop
    from napari_micromri.widgets.ivim.model import Request


class IvimWidget(Dock):
    """Fit IVIM maps of D, f and D* to a diffusion series, and see measured and fitted signals of any voxel."""

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.form = IvimForm()
        self.layers = LayerChooser(self.form.layer, napari_viewer)
        self.voxel = VoxelLook(napari_viewer, self.form)
        self._source: Image | None = None
        self._job: BackgroundJob | None = None
        self._listening, self._refused = True, False
        self.regions = RegionsTab(napari_viewer)
        self.signals, self.three = SignalTab(), ThreeLayers(napari_viewer)
        self.tabs = QTabWidget()
        self.tabs.addTab(Scroll(self.form), "Maps")
        self.tabs.addTab(Scroll(self.regions), "Regions")
        self.tabs.addTab(Scroll(column(self.three, self.signals)), "Signal quality")
        self.hold(self.tabs)
        remember_fields("ivim", {name: getattr(self.form, name) for name in ("method", "deviations", "quality")})
        self.layers.changed.connect(self._layers_changed)
        self.form.changed.connect(self._edited)
        self.form.load.clicked.connect(self._load_b_values)
        self.form.preview.clicked.connect(lambda: self.start(preview=True))
        self.form.fit.clicked.connect(lambda: self.start(preview=False))
        self.form.cancel.clicked.connect(self._stop)
        napari_viewer.layers.selection.events.changed.connect(self._update)
        self._layers_changed()

    def shut_down(self) -> None:
        """Stop the fit, and listen to the viewer no more."""
        self._stop()
        self.voxel.stop()
        self.form.stop()
        self.signals.shut_down()
        self.three.shut_down()
        if self._listening:
            self._listening = False
            self.layers.disconnect_viewer()
            self.viewer.layers.selection.events.changed.disconnect(self._update)

    def start(self, *, preview: bool) -> None:
        """Fit the slice that is shown, or all slices."""
        if self._job is not None or not self._sources():
            return
        try:
            request, plan = self._request(), self._plan()
            shown = request.placement.indices_at(
                self.viewer.dims.point, self.viewer.layers.units, request.series.grid
            ).get("z", 0)
        except MicroMRIError as error:
            self._refuse(str(error))
            show_warning(str(error))
            return
        self._step = ["Slice"]
        work = with_torch(partial(_fit, request, plan, [shown] if preview else None, self._step))
        self._job = job = BackgroundJob(work, f"Fitting {request.name}", self)
        job.progressed.connect(self._show_progress)
        job.succeeded.connect(partial(self._succeeded, request, plan))
        job.cancelled.connect(lambda: self.form.status.setText("Cancelled. Nothing was kept."))
        job.failed.connect(self._refuse)
        job.ended.connect(self._ended)
        self._refused = False
        self.form.progress.setRange(0, 0)
        self.form.status.setText("Estimating noise and prior from the scan…")
        self._update()
        job.start()

    def _sources(self) -> list[Image]:
        """List the layer that is chosen, or those that are selected."""
        if self.form.several.isChecked():
            return [one for one in self.layers.layers if one in self.viewer.layers.selection]
        return [] if self.layers.current is None else [self.layers.current]

    def _plan(self) -> Plan:
        method, network = self.form.method.currentText(), self.form.network
        bounds = Bounds.parse(self.form.bounds.text() if METHODS[method].bounded else "")
        return Plan(method, bounds, network.chosen, network.epochs.value())

    def _request(self) -> Request:
        named = {one.name: one for one in self.viewer.layers if isinstance(one, Labels)}
        chosen = self.form.where.currentText()
        mask: Any = named[chosen].data if chosen in named else chosen
        return request_of_layers(self._sources(), self.form.b_values.text(), mask)

    def _layers_changed(self) -> None:
        self.regions.list_layers()
        self.three.list_layers()
        self.form.set_masks([one.name for one in self.viewer.layers if isinstance(one, Labels)])
        self._update()

    def _refuse(self, why: str) -> None:
        self.form.status.setText(why)
        self._refused = True

    def _edited(self) -> None:
        """Say no longer why a fit was refused: that may just have been corrected."""
        if self._refused and self._job is None:
            self._refused = False
            self.form.status.clear()
        self._update()

    def _update(self, *_: object) -> None:
        """Bring b-values, buttons and hint up to date."""
        layer, running = self.layers.current, self._job is not None
        if layer is not self._source and not self.form.several.isChecked():
            self._source = layer
            self._take_b_values(layer)
        self.form.show_advice()
        self.form.show_running(running)
        hint = self._several_hint() if self.form.several.isChecked() else self._hint(layer)
        ready = "Try one slice with Preview slice, then click Fit."
        if self.voxel.request is not None:
            ready = "Click a voxel to see its curve. To fit again, click Preview slice or Fit."
        self.form.hint.setText("You can keep working in napari meanwhile." if running else hint or ready)
        for button in (self.form.preview, self.form.fit):
            button.setEnabled(not running and not hint)

    def _take_b_values(self, layer: Image | None) -> None:
        if layer is None:
            return
        try:
            text = b_values_text(layer_to_scan(layer))
        except MicroMRIError:
            text = ""
        with signals_blocked(self.form):
            self.form.b_values.setText(text)

    def _hint(self, layer: Image | None) -> str:
        if layer is None:
            return "Open a diffusion series, then choose it here."
        text = self.form.b_values.text()
        try:
            scan = layer_to_scan(layer)
            if not set(scan.info.axes) & set("tb"):
                return "This layer has one volume. IVIM needs one for each b-value."
            if not text.strip():
                return "The scan has no b-values. Type one for each volume, or read a .bval file with the … button."
            Series.of(scan, parse_b_values(text))
        except MicroMRIError as error:
            return str(error)
        return ""

    def _several_hint(self) -> str:
        names = [one.name for one in self._sources()]
        if len(names) < 2:
            return "Select two or more image layers in the layer list, of one volume each."
        if not self.form.b_values.text().strip():
            return f"Type a b-value for each, in this order: {', '.join(names)}."
        return ""

    def _load_b_values(self) -> None:
        from napari_micromri.ivim.b_values import read_b_values

        path = self.form.ask_b_values()
        if not path:
            return
        try:
            self.form.b_values.setText(", ".join(f"{value:g}" for value in read_b_values(path)))
        except MicroMRIError as error:
            show_warning(str(error))
            self._refuse(str(error))

    def _stop(self) -> None:
        if self._job is not None:
            self._job.stop()
            self.form.status.setText("Stopping…")

    def _show_progress(self, done: int, total: int) -> None:
        self.form.progress.setRange(0, total)
        self.form.progress.setValue(done)
        self.form.status.setText(f"{self._step[0]} {done} of {total}")

    def _succeeded(self, request: Request, plan: Plan, found: tuple[Fit, Model]) -> None:
        fit, model = found
        self.voxel.take(request, fit, model)
        if METHODS[plan.method].learns and plan.network is None:
            self.form.network.add(f"{plan.method} trained on {request.name}", cast("Any", model))
        extras = {"deviations": self.form.deviations.isChecked(), "quality": self.form.quality.isChecked()}
        for data, attributes in map_layers(request, fit, **extras):
            self._show_map(data, attributes)
        self.form.status.setText(summary(fit))
        self.regions.show_fits(request, self.voxel.fits)

    def _show_map(self, data: Any, attributes: dict[str, Any]) -> None:
        """Add a map, or give the one of the same name new values: contrast limits that were set by hand stay."""
        attributes["metadata"][RESULT_KEY] = "result"
        if attributes["name"] in self.viewer.layers:
            layer = self.viewer.layers[attributes["name"]]
            places = (layer.scale, layer.translate), (attributes["scale"], attributes["translate"])
            if is_result(layer) and layer.data.shape == data.shape and np.allclose(*places):
                layer.data, layer.metadata = data, attributes["metadata"]
                return
        self.viewer.add_image(data, **attributes)

    def _ended(self) -> None:
        self._job = None
        self._update()


def _fit(
    request: Request,
    plan: Plan,
    slices: list[int] | None,
    step: list[str],
    progress: Progress,
    should_stop: ShouldStop,
    /,
) -> tuple[Fit, Model]:
    from napari_micromri.ivim.volume import fit_volume

    def learning(done: int, total: int, /) -> None:
        step[0] = "Training: epoch"
        progress(done, total)

    def fitting(done: int, total: int, /) -> None:
        step[0] = "Slice"
        progress(done, total)

    model = plan.model()
    return fit_volume(request.series, model, slices, progress=fitting, learning=learning, should_stop=should_stop)
