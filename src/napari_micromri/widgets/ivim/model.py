"""What the dock "IVIM maps" decides, without Qt: the series, the mask, the layers of maps, the curves of a voxel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from napari_micromri.errors import InputError, ModelError
from napari_micromri.ivim import METHODS, PARAMETERS, FitOptions, make_model
from napari_micromri.ivim.b_values import average_repeats, b_values_of, parse_b_values
from napari_micromri.ivim.regions import label_regions, roi_regions
from napari_micromri.ivim.series import Series, stack_scans
from napari_micromri.plugin.layers import METADATA_KEY, Placement, layer_to_scan, quick_contrast_limits
from napari_micromri.plugin.roi_layers import read_rois
from napari_micromri.scan import Scan
from napari_micromri.words import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_micromri.ivim import Bounds, Fit, Model
    from napari_micromri.ivim.estimators.trained import Trained
    from napari_micromri.ivim.regions import RegionRow, Regions
    from napari_micromri.measure.roi import Roi
    from napari_micromri.plugin.layers import Attributes, LayerLike

Network: TypeAlias = "Trained | Path | None"

EVERYWHERE, BRIGHT = "everywhere", "above a threshold"
SUGGESTED = "bayes"


def b_values_text(scan: Scan) -> str:
    """Write the b-values that a scan knows as a person would type them; empty where it doesn't."""
    try:
        return ", ".join(f"{value:g}" for value in b_values_of(scan))
    except InputError:
        return ""


@dataclass(frozen=True)
class Request:
    """A series to fit, and where its maps are to lie."""

    series: Series
    placement: Placement
    name: str


@dataclass(frozen=True)
class Plan:
    """How to fit.

    Parameters
    ----------
    network
        A trained one or its file; None to train one, where the method is a network.
    """

    method: str
    bounds: Bounds
    network: Network = None
    epochs: int = 150

    def model(self) -> Model:
        """Make the model; loads PyTorch.

        Raises
        ------
        ModelError
            The network was trained by another method, or its file is damaged.
        """
        options = FitOptions(bounds=self.bounds)
        if not METHODS[self.method].learns:
            return make_model(self.method, options)
        from napari_micromri.ivim.estimators.learning import LearningSettings
        from napari_micromri.ivim.estimators.trained import Trained

        if isinstance(self.network, Path):
            return Trained.from_file(self.network, options, self.method)
        if self.network is None:
            return Trained(options, LearningSettings(method=self.method, epochs=self.epochs))  # type: ignore[arg-type]
        if self.network.name != self.method:
            raise ModelError(f"This network was trained by '{self.network.name}'. Choose that method.")
        return self.network


def request_of_layers(layers: Sequence[LayerLike], b_values: str, mask: NDArray[Any] | str) -> Request:
    """Take a layer, or several that hold one volume each, with the b-values that were typed and a mask.

    Parameters
    ----------
    mask
        `EVERYWHERE`, `BRIGHT`, or an array on the grid of a volume, not 0 where to fit.

    Raises
    ------
    InputError
        The layer is no series, or b-values or mask don't fit it.
    """
    scans, values = [layer_to_scan(layer) for layer in layers], parse_b_values(b_values)
    _, attributes, _ = layers[0].as_layer_data_tuple()
    whole = Placement.of_layer(attributes, scans[0])
    series = Series.of(scans[0] if len(scans) == 1 else stack_scans(scans, values), values)
    if not isinstance(mask, str):
        series = replace(series, mask=_on_grid(np.asarray(mask), series) != 0)
    elif mask == BRIGHT:
        series = replace(series, mask=bright(series))
    kept = [k for k, axis in enumerate(whole.axes) if axis in "zyx"]
    spatial = Placement(
        *(tuple(part[k] for k in kept) for part in (whole.axes, whole.units, whole.scale, whole.translate))  # type: ignore[arg-type]
    )
    return Request(series, replace(spatial, axes="".join(spatial.axes)), scans[0].info.name)


def bright(series: Series) -> NDArray[np.bool_]:
    """Mark where the mean signal at the smallest b-value is above Otsu's threshold."""
    from skimage.filters import threshold_otsu

    slices = []
    for number in range(series.slices):
        images = average_repeats(series.read(number), series.b_values).signals
        slices.append(np.nan_to_num(images[0]))
    volume = np.stack(slices)
    # One threshold for all slices: a slice of air alone would else be split into brighter and darker air.
    limit = threshold_otsu(volume) if np.ptp(volume) > 0 else -np.inf
    return np.asarray(volume > limit).reshape(series.grid)


def _on_grid(mask: NDArray[Any], series: Series) -> NDArray[Any]:
    found = mask.squeeze() if mask.shape != series.grid else mask
    if found.shape != series.grid and mask.shape[-len(series.grid) :] == series.grid:
        found = np.asarray(mask.reshape(-1, *series.grid).max(axis=0))  # drawn on one volume of several
    if found.shape != series.grid:
        raise InputError(
            f"The labels have the shape {mask.shape} and a volume {series.grid}. Draw them on a layer that was made "
            "for this scan."
        )
    return found


def regions_of_layer(layer: Any, request: Request) -> Regions:
    """Take the regions of a Labels layer on the grid of the maps, or of a Shapes layer by their place in mm.

    Raises
    ------
    InputError
        The layer lies elsewhere, or holds no region.
    """
    if hasattr(layer, "shape_type"):
        return regions_of_rois(read_rois(layer).usable, request)
    series = request.series
    return label_regions(_on_grid(np.asarray(layer.data), series), series.grid)


def regions_of_rois(rois: Sequence[Roi], request: Request) -> Regions:
    """Find the voxels of regions in mm; raises as `regions_of_layer`."""
    grid = np.broadcast_to(np.float32(0), request.series.grid)
    return roi_regions(rois, Scan(grid, request.series.map_info("D", {})))


def map_layers(request: Request, fit: Fit, *, deviations: bool, quality: bool) -> list[tuple[Any, Attributes]]:
    """Make the layers of a fit, the first parameter last, which napari then draws on top.

    Values are in the units that people are used to, which the name of the layer says.
    """
    wanted: dict[str, NDArray[Any]] = {name: fit.maps[name] for name in ("D", "f", "Dp")}
    if deviations:
        wanted |= {f"{name}_sd": fit.sd[name] for name in ("D", "f", "Dp") if name in fit.sd}
    if quality:
        wanted |= {"residual": fit.residual}
    layers = [_layer(request, fit, name, data) for name, data in wanted.items() if np.isfinite(data).any()]
    return layers[::-1]


def _layer(request: Request, fit: Fit, name: str, data: NDArray[Any]) -> tuple[Any, Attributes]:
    parameter = PARAMETERS.get(name.removesuffix("_sd"))
    if parameter is None:
        label, shown, limits, colormap = "misfit (% of S0)", 100 * data, (0.0, 20.0), "gray"
    else:
        label, shown, colormap = f"{parameter.label} ({parameter.unit})", parameter.factor * data, parameter.colormap
        limits = parameter.limits or quick_contrast_limits(shown)
    if name.endswith("_sd"):
        label, limits = f"SD of {label}", (0.0, limits[1] / 2)
    placement = request.placement
    unit = parameter.unit if parameter is not None else "%"
    step = {"method": fit.method, "b_values": list(fit.b_values), "sigma": fit.sigma, "unit": unit}
    info = request.series.map_info(name, step)
    return shown, {
        "name": f"{label} [{fit.method}] {request.name}",
        "scale": placement.scale,
        "translate": placement.translate,
        "units": placement.units,
        "axis_labels": tuple(placement.axes),
        "colormap": colormap,
        "contrast_limits": limits,
        "metadata": {METADATA_KEY: replace(info, name=f"{request.name} {label}")},
        "visible": name == "D",
    }


REGION_COLUMNS = (
    ("Region", "A label, or ROIs of one name."),
    ("Method", "What made the map."),
    ("Mean", "Mean over the voxels that were fitted."),
    ("SD", "Standard deviation over these voxels (population)."),
    ("Median", "Half of the voxels are above this."),
    ("n", "Voxels that were fitted; the exported table also counts those that weren't, and those on a bound."),
)


def map_label(row: RegionRow) -> str:
    """Name a row's map with its unit, as its layer is named."""
    name, _, sd = row.map.partition("_")
    parameter = PARAMETERS.get(name)
    return f"{'SD of ' if sd else ''}{parameter.label if parameter else 'misfit'}{f' ({row.unit})' if row.unit else ''}"


def region_cells(row: RegionRow) -> tuple[str, ...]:
    """Give a row's cells for the table."""
    numbers = (f"{value:.3g}" for value in (row.stats.mean, row.stats.sd, row.stats.median))
    return row.region, row.method, *numbers, str(int(row.stats.n))


def summary(fit: Fit) -> str:
    """Say what was fitted: voxels, medians, and how many are doubtful."""
    from napari_micromri.ivim import AT_BOUND, Flag

    fitted = np.isfinite(fit.maps["D"])
    lines = [f"{counted(int(np.count_nonzero(fitted)), 'voxel')} with '{fit.method}'."]
    for name in ("D", "f", "Dp"):
        values = fit.maps[name][np.isfinite(fit.maps[name])]
        if values.size:
            parameter = PARAMETERS[name]
            lines.append(f"Median {parameter.label}: {parameter.factor * np.median(values):.3g} {parameter.unit}")
    if bound := fit.count(AT_BOUND):
        lines.append(f"⚠ {counted(bound, 'voxel')} on a bound: the data don't determine them.")
    if unusable := fit.count(Flag.UNUSABLE):
        lines.append(f"⚠ {counted(unusable, 'voxel')} not fitted: no usable signal.")
    return "\n".join(lines)
