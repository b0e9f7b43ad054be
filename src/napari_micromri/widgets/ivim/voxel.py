"""Signals, curves and posterior of the voxel below the cursor, or of the region that is clicked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer

from napari_micromri.errors import MicroMRIError
from napari_micromri.widgets.ivim.region_model import clicked_roi, region_curves
from napari_micromri.widgets.ivim.voxel_model import posterior_charts, voxel_curves
from napari_micromri.widgets.shared.looking import Looking

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from numpy.typing import NDArray

    from napari_micromri.curves import Chart
    from napari_micromri.ivim import Fit, Model
    from napari_micromri.measure.roi import Roi
    from napari_micromri.widgets.ivim.form import IvimForm
    from napari_micromri.widgets.ivim.model import Request
    from napari_micromri.widgets.ivim.voxel_model import VoxelCurves

PAUSE_MS = 40
"""Between two voxels while the cursor moves."""


class VoxelLook(QObject):
    """Follows the cursor, and looks closer where the person clicks: the posterior takes longer than the curves."""

    def __init__(self, viewer: ViewerModel, form: IvimForm) -> None:
        super().__init__(form)
        self._viewer, self._form = viewer, form
        self.request: Request | None = None
        self.fits: dict[str, Fit] = {}
        self.models: dict[str, Model] = {}
        self._slice: tuple[int, NDArray[Any]] | None = None
        self._position: tuple[float, ...] = ()
        self._signals: NDArray[Any] | None = None
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(PAUSE_MS)
        self._soon.timeout.connect(lambda: self.look_at(self._position))
        self._posterior = Looking(self._work, self)
        self._posterior.seen.connect(self._show_posterior)
        self._posterior.failed.connect(form.voxel.setText)
        self._roi: Roi | None = None
        self._region = Looking(self._mean, self)
        self._region.seen.connect(self._show_region)
        self._region.failed.connect(form.voxel.setText)
        viewer.mouse_drag_callbacks.append(self._clicked)
        viewer.mouse_move_callbacks.append(self._moved)

    def stop(self) -> None:
        """Listen to the viewer no more."""
        self._soon.stop()
        self._posterior.stop()
        self._region.stop()
        for callbacks, mine in (
            (self._viewer.mouse_drag_callbacks, self._clicked),
            (self._viewer.mouse_move_callbacks, self._moved),
        ):
            if mine in callbacks:
                callbacks.remove(mine)

    def take(self, request: Request, fit: Fit, model: Model) -> None:
        """Add a fit; forget those of another scan or other b-values, whose curves don't belong to its signals."""
        old, new = None if self.request is None else self.request.series, request.series
        if old is None or old.scan.data is not new.scan.data or old.b_values != new.b_values:
            self.fits, self.models, self._slice = {}, {}, None
        self.request = request
        self.fits[fit.method], self.models[fit.method] = fit, model

    def look_at(self, position: tuple[float, ...], *, closer: bool = False) -> None:
        """Show signals and curves at a position of the viewer, in its own coordinates, and perhaps the posterior."""
        request = self.request
        if request is None:
            return
        found = request.placement.indices_at(position, self._viewer.layers.units, request.series.grid)
        where = tuple(found[axis] for axis in request.placement.axes)
        try:
            signals = self._read(where[0] if len(where) == 3 else 0)[:, where[-2], where[-1]]
            curves = voxel_curves(signals, request.series.b_values, self.fits, where)
        except MicroMRIError as error:
            self._form.voxel.setText(str(error))
            return
        if curves is None:
            self._form.voxel.setText(f"Voxel {', '.join(map(str, where))} was not fitted.")
            return
        self._form.show_voxel(curves)
        if closer:
            self._signals = signals
            self._posterior.look()

    def _read(self, number: int) -> NDArray[Any]:
        """Read a slice once."""
        assert self.request is not None  # noqa: S101
        if self._slice is None or self._slice[0] != number:
            self._slice = number, self.request.series.read(number)
        return self._slice[1]

    def _clicked(self, _viewer: object, event: Any) -> Any:
        """Take a click for a voxel, or for a region of the selected Shapes layer; a drag moves the image as ever."""
        yield
        if event.type != "mouse_release":
            return
        position = tuple(event.position)
        self._roi = self._roi_at(position)
        if self._roi is None:
            self.look_at(position, closer=True)
        else:
            self._soon.stop()
            self._region.look()

    def _moved(self, _viewer: object, event: Any) -> None:
        if self._form.follow.isChecked() and self.request is not None:
            self._position = tuple(event.position)
            if self._roi is not None and self._roi == self._roi_at(self._position):
                return  # the region stays until the cursor leaves it
            if not self._soon.isActive():
                self._soon.start()

    def _roi_at(self, position: tuple[float, ...]) -> Roi | None:
        return None if self.request is None else clicked_roi(self._viewer.layers.selection.active, position)

    def _mean(self) -> tuple[Roi, VoxelCurves]:
        """Compute means over the region, in a thread."""
        roi, request = self._roi, self.request
        assert roi is not None  # noqa: S101
        assert request is not None  # noqa: S101
        return roi, region_curves(request, dict(self.fits), roi)

    def _show_region(self, found: tuple[Roi, VoxelCurves]) -> None:
        roi, curves = found
        if self._roi is roi:
            self._form.show_voxel(curves)
            self._form.show_posterior(())
        elif self._roi is not None:  # another one was clicked meanwhile
            self._region.look()

    def _work(self) -> tuple[NDArray[Any], list[Chart]]:
        """Compute the posterior, in a thread."""
        signals, request = self._signals, self.request
        assert signals is not None  # noqa: S101
        assert request is not None  # noqa: S101
        return signals, posterior_charts(dict(self.models), signals, request.series.b_values)

    def _show_posterior(self, found: tuple[NDArray[Any], list[Chart]]) -> None:
        signals, charts = found
        self._form.show_posterior(charts)
        if signals is not self._signals:  # another voxel was clicked meanwhile
            self._posterior.look()
