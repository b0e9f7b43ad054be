"""The dock *Simulate fast scan*: what a good scan would have been in a minute, to try models and settings on."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from magicgui import magicgui
from napari.utils.notifications import show_warning
from qtpy.QtWidgets import QWidget

from napari_micromri.errors import MicroMRIError
from napari_micromri.plugin.layers import Placement, layer_to_scan, scan_to_layer
from napari_micromri.simulation.acquisition import simulate_fast_scan
from napari_micromri.widgets.background import BackgroundJob
from napari_micromri.widgets.results import new_name
from napari_micromri.widgets.shared.dock import Dock
from napari_micromri.widgets.shared.parts import column, text_line

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_micromri.plugin.layers import LayerData
    from napari_micromri.progress import Progress, ShouldStop
    from napari_micromri.scan import Scan

FIELDS: dict[str, dict[str, Any]] = {
    "factor": {"label": "Factor", "min": 1, "max": 8, "step": 0.5, "tooltip": "Times fewer rows and columns."},
    "snr": {"label": "SNR", "min": 1, "max": 1000, "tooltip": "Mean foreground over the noise of one average."},
    "averages": {"label": "Averages", "min": 1, "max": 64, "tooltip": "They raise the SNR by their square root."},
    "seed": {"label": "Seed", "min": 0, "max": 2**31 - 1, "tooltip": "The same seed gives the same noise."},
}


class SimulateWidget(Dock):
    """Asks for the settings, and adds the fast scan of the selected layer as a layer."""

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.job: BackgroundJob | None = None
        self.form: Any = magicgui(self.simulate, call_button="Simulate fast scan", **FIELDS)  # type: ignore[call-overload]
        hint = text_line()
        hint.setText("Select a good scan in the layer list. Its fast scan is added as a layer.")
        self.hold(column(hint, self.form.native, QWidget(), stretch=(0, 0, 1)))

    def simulate(self, factor: float = 2.0, snr: float = 15.0, averages: int = 1, seed: int = 0) -> None:
        """Begin to simulate the fast scan of the selected layer; its layer is added when it is there."""
        layer = self.viewer.layers.selection.active
        if layer is None:
            show_warning("Select one image layer in the layer list first.")
            return
        try:
            scan = layer_to_scan(layer)
            placement = Placement.of_layer(layer.as_layer_data_tuple()[1], scan)
        except MicroMRIError as error:
            show_warning(str(error))
            return
        make = partial(simulate_fast_scan, scan, factor=factor, snr=snr, averages=averages, seed=seed)
        self.job = job = BackgroundJob(partial(_layer_of, make, placement), f"Simulate {scan.info.name}")
        job.succeeded.connect(self._add)
        job.start()

    def _add(self, made: LayerData) -> None:
        data, attributes, _ = made
        self.viewer.add_image(data, **(attributes | {"name": new_name(self.viewer, attributes["name"])}))

    def shut_down(self) -> None:
        """Stop what runs."""
        if self.job is not None:
            self.job.stop()


def _layer_of(make: partial[Scan], placement: Placement, *_: Progress | ShouldStop) -> LayerData:
    """Make the layer; its slices are simulated when they are shown."""
    fast = make()
    return scan_to_layer(fast, placement=placement.with_info(fast.info, {}))
