"""The dock "IVIM maps": choose a diffusion series, fit it, look at maps and at single voxels."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from napari.layers import Image, Labels
from napari.utils.notifications import show_warning
from qtpy.QtWidgets import QTabWidget

from napari_micromri.errors import MicroMRIError
from napari_micromri.plugin.layers import layer_to_scan
from napari_micromri.widgets.background import BackgroundJob
from napari_micromri.widgets.ivim.form import IvimForm
from napari_micromri.widgets.ivim.model import (
    b_values_text,
    map_layers,
    offered_methods,
    request_of_layer,
    summary,
    voxel_curves,
)
from napari_micromri.widgets.ivim.regions_tab import RegionsTab
from napari_micromri.widgets.ivim.signal_tab import SignalTab
from napari_micromri.widgets.results import RESULT_KEY
from napari_micromri.widgets.shared.dock import Dock, Scroll
from napari_micromri.widgets.shared.layer_chooser import LayerChooser
from napari_micromri.widgets.shared.torch_loading import with_torch

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_micromri.ivim import Fit
    from napari_micromri.progress import Progress, ShouldStop
    from napari_micromri.widgets.ivim.model import Request


class IvimWidget(Dock):
    """Fit IVIM maps of D, f and D* to a diffusion series, and see measured and fitted signals of any voxel."""

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.form = IvimForm()
        self.layers = LayerChooser(self.form.layer, napari_viewer)
        self.fits: dict[str, Fit] = {}
        self._fitted: Request | None = None
        self._source: Image | None = None
        self._job: BackgroundJob | None = None
        self.regions = RegionsTab(napari_viewer)
        self.signals = SignalTab()
        self.tabs = QTabWidget()
        self.tabs.addTab(Scroll(self.form), "Maps")
        self.tabs.addTab(Scroll(self.regions), "Regions")
        self.tabs.addTab(Scroll(self.signals), "Signal quality")
        self.hold(self.tabs)
        self.layers.changed.connect(self._layers_changed)
        self.form.changed.connect(self._update)
        self.form.load.clicked.connect(self._load_b_values)
        self.form.preview.clicked.connect(lambda: self.start(preview=True))
        self.form.fit.clicked.connect(lambda: self.start(preview=False))
        self.form.cancel.clicked.connect(self._stop)
        napari_viewer.mouse_drag_callbacks.append(self._clicked)
        self._layers_changed()

    def shut_down(self) -> None:
        """Stop the fit, and listen to the viewer no more."""
        self._stop()
        self.form.plot.stop()
        self.signals.shut_down()
        self.layers.disconnect_viewer()
        if self._clicked in self.viewer.mouse_drag_callbacks:
            self.viewer.mouse_drag_callbacks.remove(self._clicked)

    def start(self, *, preview: bool) -> None:
        """Fit the slice that is shown, or all slices."""
        if self._job is not None or self.layers.current is None:
            return
        try:
            request = self._request(self.layers.current)
            shown = request.placement.indices_at(
                self.viewer.dims.point, self.viewer.layers.units, request.series.grid
            ).get("z", 0)
        except MicroMRIError as error:
            self.form.status.setText(str(error))
            show_warning(str(error))
            return
        method, slices = self.form.method.currentText(), [shown] if preview else None
        work = with_torch(partial(_fit, request, method, slices))
        self._job = job = BackgroundJob(work, f"Fitting {request.name}")
        job.progressed.connect(self._show_progress)
        job.succeeded.connect(partial(self._succeeded, request))
        job.cancelled.connect(lambda: self.form.status.setText("Cancelled; nothing was kept."))
        job.failed.connect(self.form.status.setText)
        job.ended.connect(self._ended)
        self.form.progress.setRange(0, 0)
        self.form.status.setText("Learning noise and prior from the scan…")
        self._update()
        job.start()

    def look_at(self, position: tuple[float, ...]) -> None:
        """Show signals and curves at a position of the viewer, in its own coordinates."""
        if self._fitted is None:
            return
        request = self._fitted
        found = request.placement.indices_at(position, self.viewer.layers.units, request.series.grid)
        where = tuple(found[axis] for axis in request.placement.axes)
        try:
            curves = voxel_curves(request.series, self.fits, where)
        except MicroMRIError as error:
            self.form.voxel.setText(str(error))
            return
        if curves is None:
            self.form.voxel.setText(f"Voxel {', '.join(map(str, where))} was not fitted.")
            return
        self.form.plot.show_voxel(curves)
        self.form.voxel.setText("\n".join(f"{name}: {words}" for name, words in curves.words.items()))

    def _request(self, layer: Image) -> Request:
        named = {one.name: one for one in self.viewer.layers if isinstance(one, Labels)}
        chosen = self.form.where.currentText()
        mask: Any = named[chosen].data if chosen in named else chosen
        return request_of_layer(layer, self.form.b_values.text(), mask)

    def _clicked(self, _viewer: object, event: Any) -> Any:
        """Take a click for a voxel; a drag moves the image as ever."""
        yield
        if event.type == "mouse_release" and self._fitted is not None:
            self.look_at(tuple(event.position))

    def _layers_changed(self) -> None:
        self.regions.list_layers()
        self.form.set_masks([one.name for one in self.viewer.layers if isinstance(one, Labels)])
        self._update()

    def _update(self) -> None:
        """Bring b-values, buttons and hint up to date."""
        layer, running = self.layers.current, self._job is not None
        if layer is not self._source:
            self._source = layer
            self._take_b_values(layer)
        self.form.show_advice()
        self.form.show_running(running)
        hint = self._hint(layer)
        self.form.hint.setText(hint or "Try one slice with Preview slice; then Fit. Click a voxel to see its curve.")
        for button in (self.form.preview, self.form.fit):
            button.setEnabled(not running and not hint)

    def _take_b_values(self, layer: Image | None) -> None:
        if layer is None:
            return
        try:
            text = b_values_text(layer_to_scan(layer))
        except MicroMRIError:
            text = ""
        blocked = self.form.blockSignals(True)
        self.form.b_values.setText(text)
        self.form.blockSignals(blocked)

    def _hint(self, layer: Image | None) -> str:
        if layer is None:
            return "Open a diffusion series, then choose it here."
        if layer.ndim < 3:
            return "This layer has one image. IVIM needs one for each b-value."
        if not self.form.b_values.text().strip():
            return "The scan doesn't say its b-values. Type one for each volume, or read a .bval file with …."
        return "" if offered_methods() else "There is no method."

    def _load_b_values(self) -> None:
        from napari_micromri.ivim.b_values import read_b_values

        path = self.form.ask_b_values()
        if not path:
            return
        try:
            self.form.b_values.setText(", ".join(f"{value:g}" for value in read_b_values(path)))
        except MicroMRIError as error:
            show_warning(str(error))
            self.form.status.setText(str(error))

    def _stop(self) -> None:
        if self._job is not None:
            self._job.stop()
            self.form.status.setText("Stopping…")

    def _show_progress(self, done: int, total: int) -> None:
        self.form.progress.setRange(0, total)
        self.form.progress.setValue(done)
        self.form.status.setText(f"Slice {done} of {total}")

    def _succeeded(self, request: Request, fit: Fit) -> None:
        if self._fitted is None or self._fitted.series.scan.data is not request.series.scan.data:
            self.fits = {}  # curves of another scan would be compared with these signals
        self._fitted = request
        self.fits[fit.method] = fit
        extras = {"deviations": self.form.deviations.isChecked(), "quality": self.form.quality.isChecked()}
        for data, attributes in map_layers(request, fit, **extras):
            self._show_map(data, attributes)
        self.form.status.setText(summary(fit))
        self.regions.show_fits(request, self.fits)

    def _show_map(self, data: Any, attributes: dict[str, Any]) -> None:
        """Add a map, or give the one of the same name new values: contrast limits that were set by hand stay."""
        attributes["metadata"][RESULT_KEY] = "result"
        if attributes["name"] in self.viewer.layers and self.viewer.layers[attributes["name"]].data.shape == data.shape:
            self.viewer.layers[attributes["name"]].data = data
            return
        self.viewer.add_image(data, **attributes)

    def _ended(self) -> None:
        self._job = None
        self._update()


def _fit(
    request: Request, method: str, slices: list[int] | None, progress: Progress, should_stop: ShouldStop, /
) -> Fit:
    from napari_micromri.ivim import make_model
    from napari_micromri.ivim.volume import fit_volume

    return fit_volume(request.series, make_model(method), slices, progress=progress, should_stop=should_stop)
