"""One region without Qt: the mean signal of its voxels, and the mean of their fitted curves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri.errors import InputError, MicroMRIError
from napari_micromri.ivim import PARAMETERS
from napari_micromri.plugin.roi_layers import read_rois
from napari_micromri.widgets.ivim.model import regions_of_rois
from napari_micromri.widgets.ivim.voxel_model import VoxelCurves, compare_curves
from napari_micromri.words import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_micromri.ivim import Fit
    from napari_micromri.measure.roi import Roi
    from napari_micromri.widgets.ivim.model import Request


def clicked_roi(layer: Any, position: tuple[float, ...]) -> Roi | None:
    """Give the region of a Shapes layer at a position of the viewer; None where there is none."""
    if not hasattr(layer, "shape_type") or not len(layer.data):
        return None
    number, _ = layer.get_value(position, world=True) or (None, None)
    try:
        return None if number is None else read_rois(layer).rois[number]
    except MicroMRIError:  # drawn over something else than a scan
        return None


def region_curves(request: Request, fits: Mapping[str, Fit], roi: Roi) -> VoxelCurves:
    """Give the means over the voxels of a region that every method has fitted.

    Raises
    ------
    InputError
        It holds no such voxel.
    ReadError
        The scan can't be read.
    """
    [places] = regions_of_rois([roi], request).values()
    fitted = np.all([np.isfinite(fit.maps["D"].ravel()[places]) for fit in fits.values()], axis=0)
    where = np.unravel_index(places[fitted], request.series.grid)
    if not fitted.any():
        raise InputError(f"No voxel of '{roi.name}' was fitted.")
    signals = _mean_signals(request, where)
    curves = {name: lambda b, fit=fit: np.nanmean(fit.curve(b, where), axis=1) for name, fit in fits.items()}
    words = {name: _describe(fit, where) for name, fit in fits.items()}
    title = f"{roi.name}: mean of {counted(int(np.count_nonzero(fitted)), 'voxel')}"
    return compare_curves(title, signals, request.series.b_values, curves, words)


def _mean_signals(request: Request, where: tuple[NDArray[np.intp], ...]) -> NDArray[np.float64]:
    series, slices = request.series, where[0] if len(where) == 3 else np.zeros_like(where[0])
    total = np.zeros(len(series.b_values))
    for number in np.unique(slices):
        inside = slices == number
        total += series.read(int(number))[:, where[-2][inside], where[-1][inside]].sum(axis=1, dtype=np.float64)
    return total / len(slices)


def _describe(fit: Fit, where: tuple[NDArray[np.intp], ...]) -> str:
    """Put means and standard deviations over the voxels into words."""
    parts = []
    for name in ("D", "f", "Dp"):
        parameter, values = PARAMETERS[name], fit.maps[name][where].astype(np.float64)
        if np.isfinite(values).any():
            mean, sd = parameter.factor * np.nanmean(values), parameter.factor * np.nanstd(values)
            parts.append(f"{parameter.label} {mean:.3g} (SD over voxels {sd:.2g}) {parameter.unit}")
    return ", ".join(parts)
