"""One denoising run as the dock and the menu command order it: from a layer to the layers that show the result.

`DenoiseRequest` is a snapshot taken on the window's thread; `run_request` works in any thread and touches no layer;
`result_layers` makes layers of what came back. None of it needs napari or Qt.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri.inference import DEFAULT_MODEL
from napari_micromri.plugin.layers import LayerData, Placement, layer_to_scan, quick_contrast_limits, scan_to_layer
from napari_micromri.progress import never, no_progress
from napari_micromri.scan import Scan

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import dask.array as da
    from numpy.typing import NDArray

    from napari_micromri.inference.options import Quality
    from napari_micromri.inference.trust_report import TrustReport
    from napari_micromri.plugin.layers import LayerLike
    from napari_micromri.progress import Progress, ShouldStop
    from napari_micromri.scan import ArrayLike


@dataclass(frozen=True, kw_only=True)
class DenoiseRequest:
    """Everything that a run needs, taken from the layer and the dock when a button is pressed.

    Parameters
    ----------
    scan, placement, contrast_limits
        The layer's.
    model
        Name of a shipped model, or a file.
    select
        Axis -> indices; an axis that is missing is taken whole.
    path
        Where to stream the result as OME-Zarr; None keeps it in memory.
    residual
        Also give input - result.
    quality, strength, dark_air, steps, draws, uncertainty
        See `napari_micromri.inference.DenoiseOptions`; ``uncertainty`` also gives the width that 90 % of the errors lie
        within, or the standard deviation over several draws, streamed to a file beside ``path`` where there is one.
    keep_finished
        When stopped, keep the slices that are done.
    anyway
        Also denoise what is no magnitude image.
    """

    scan: Scan
    placement: Placement
    contrast_limits: tuple[float, float] | None = None
    model: str | Path = DEFAULT_MODEL
    model_name: str = DEFAULT_MODEL
    select: Mapping[str, range] = field(default_factory=dict)
    slice_axis: str = "z"
    device: str = "auto"
    path: Path | None = None
    residual: bool = False
    quality: Quality = "fast"
    strength: float = 1.0
    dark_air: bool = False
    steps: int | None = None
    draws: int | None = None
    eta: float | None = None
    uncertainty: bool = False
    keep_finished: bool = False
    anyway: bool = False

    @property
    def title(self) -> str:
        """What the run is called in napari's activity list."""
        return f"Denoising {self.scan.info.name}"


@dataclass(frozen=True)
class DenoiseResult:
    """What a run gives: the denoised scan, how far it can be trusted, and, where asked for, more scans to show.

    ``residual`` is what was removed, ``uncertainty`` how far off the result may be, each with its limit.
    """

    scan: Scan
    residual: Scan | None = None
    residual_limit: float = 1.0
    uncertainty: Scan | None = None
    uncertainty_limit: float = 1.0
    trust: TrustReport | None = None


def request_of_layer(layer: LayerLike) -> DenoiseRequest:
    """Take a snapshot of a layer, with everything else at its default.

    Raises
    ------
    InputError
        The layer is no scan; see `layer_to_scan`.
    """
    scan = layer_to_scan(layer)
    _, attributes, _ = layer.as_layer_data_tuple()
    limits = attributes.get("contrast_limits")
    return DenoiseRequest(
        scan=scan,
        placement=Placement.of_layer(attributes, scan),
        contrast_limits=(float(limits[0]), float(limits[1])) if limits is not None else None,
        slice_axis=slice_axes(scan)[0],
    )


def slice_axes(scan: Scan) -> tuple[str, ...]:
    """List the axes that slices may be stacked along, the usual one first; a single slice has the missing axis."""
    if len(scan.info.spatial) == 3:
        return ("z", "y", "x")
    return tuple(axis for axis in "zyx" if axis not in scan.info.spatial)[:1] or ("z",)


def run_request(
    request: DenoiseRequest, progress: Progress = no_progress, should_stop: ShouldStop = never
) -> DenoiseResult:
    """Denoise in the calling thread.

    Raises
    ------
    MicroMRIError
        Anything that goes wrong, in a sentence; `CancelledError` when stopped.
    """
    from napari_micromri.inference.trust import check_trust

    scan, uncertainty = _denoised(request, progress, should_stop)
    trust = check_trust(request.scan, scan, select=request.select, slice_axis=request.slice_axis)
    result = DenoiseResult(scan, trust=trust)
    if uncertainty is not None:
        limit = quick_contrast_limits(uncertainty.data)[1]
        result = replace(result, uncertainty=uncertainty, uncertainty_limit=limit)
    if request.residual:
        difference = residual(request.scan, scan, request.select, request.slice_axis)
        result = replace(result, residual=difference, residual_limit=symmetric_limit(difference.data))
    return result


def _denoised(request: DenoiseRequest, progress: Progress, should_stop: ShouldStop) -> tuple[Scan, Scan | None]:
    """Give the result and its uncertainty, from memory or from the files that they were streamed to."""
    from napari_micromri.inference import DenoiseOptions, denoise, denoise_to_file, denoise_with_uncertainty
    from napari_micromri.io import open_scan

    options = DenoiseOptions(
        select=request.select,
        slice_axis=request.slice_axis,
        device=request.device,
        quality=request.quality,
        strength=request.strength,
        dark_air=request.dark_air,
        anyway=request.anyway,
        steps=request.steps,
        draws=request.draws,
        eta=request.eta,
    )
    how: Any = {"progress": progress, "should_stop": should_stop, "keep_finished": request.keep_finished}
    if request.path is not None:
        beside = uncertainty_path(request.path) if request.uncertainty else None
        denoise_to_file(request.scan, request.model, request.path, options, uncertainty=beside, **how)
        return open_scan(request.path)[0], open_scan(beside)[0] if beside is not None else None
    if request.uncertainty:
        return denoise_with_uncertainty(request.scan, request.model, options, **how)
    return denoise(request.scan, request.model, options, **how), None


def uncertainty_path(path: Path) -> Path:
    """Name the file of the uncertainty after that of the result: ``a.ome.zarr`` has ``a_uncertainty.ome.zarr``."""
    stem, dot, endings = path.name.partition(".")
    return path.with_name(f"{stem}_uncertainty{dot}{endings}")


def result_layers(request: DenoiseRequest, result: DenoiseResult) -> list[LayerData]:
    """Make the layers to add: residual and uncertainty, if there are any, below the result, all over the input.

    The result gets the contrast limits that the input had, so that the two compare fairly.
    """
    start = {axis: chosen.start for axis, chosen in request.select.items()}
    placement = request.placement.with_info(result.scan.info, start)
    name = result_name(request, result.scan)
    data, attributes, kind = scan_to_layer(result.scan, placement=placement, contrast_limits=request.contrast_limits)
    layers = [(data, attributes | {"name": name}, kind)]
    if result.residual is not None:
        limit = result.residual_limit
        data, attributes, kind = scan_to_layer(result.residual, placement=placement, contrast_limits=(-limit, limit))
        look = {"name": f"{name} residual", "colormap": "PiYG", "visible": False}
        layers.insert(0, (data, attributes | look, kind))
    if result.uncertainty is not None:
        limits = (0.0, result.uncertainty_limit)
        data, attributes, kind = scan_to_layer(result.uncertainty, placement=placement, contrast_limits=limits)
        of = "SD" if request.draws is not None and request.draws > 1 else "90 % of errors"
        look = {"name": f"{name} uncertainty ({of})", "colormap": "inferno", "visible": False}
        layers.insert(-1, (data, attributes | look, kind))
    return layers


def trust_layer(
    request: DenoiseRequest, result: DenoiseResult, progress: Progress = no_progress, should_stop: ShouldStop = never
) -> LayerData:
    """Make the layer that shows where a result deviates from its scan, in units of the noise's variance.

    Raises
    ------
    CancelledError
        Stopped.
    """
    from napari_micromri.inference.trust import trust_scan
    from napari_micromri.inference.trust_report import DEVIATES_LOCALLY

    how: Any = {"select": request.select, "slice_axis": request.slice_axis}
    found = trust_scan(request.scan, result.scan, **how, progress=progress, should_stop=should_stop)
    start = {axis: chosen.start for axis, chosen in request.select.items()}
    placement = request.placement.with_info(found.info, start)
    data, attributes, kind = scan_to_layer(found, placement=placement, contrast_limits=(0.0, DEVIATES_LOCALLY))
    return data, attributes | {"colormap": "inferno"}, kind


def result_name(request: DenoiseRequest, result: Scan) -> str:
    """Name the layer of a result after its input, the model, and all that was chosen: steps, draws, seed, strength."""
    from napari_micromri.nn.restorer import Sampling

    taken = [
        step["sampling"] for step in result.info.provenance if step.get("step") == "denoise" and "sampling" in step
    ]
    made = [request.model_name, *(Sampling(**dict(sampling)).label for sampling in taken[-1:])]
    if request.strength != 1:
        made.append(f"strength {request.strength:g}")
    if request.quality != "fast":
        made.append(request.quality)
    if request.dark_air:
        made.append("dark air")
    return f"{request.scan.info.name} [{', '.join(made)}]"


def residual(scan: Scan, denoised: Scan, select: Mapping[str, range], slice_axis: str) -> Scan:
    """Give input - result on the result's grid, slice by slice when it is asked for.

    The input is brought to that grid by sinc interpolation, which adds nothing to what was acquired. Where a stopped
    run kept only what was finished, the input is cut to that.
    """
    import dask.array as da

    axes = scan.info.axes
    plane = tuple(k for k, axis in enumerate(axes) if axis in scan.info.spatial and axis != slice_axis)
    start = [select[axis].start if axis in select else 0 for axis in axes]
    chosen = tuple(
        slice(None) if k in plane else slice(start[k], start[k] + denoised.shape[k]) for k in range(len(axes))
    )
    whole = {k: (-1 if k in plane else 1) for k in range(len(axes))}
    coarse = _lazy(scan.data)[chosen].rechunk(whole)
    fine = _lazy(denoised.data).rechunk(whole)
    data = da.map_blocks(_difference, coarse, fine, plane=plane, dtype=np.float32, chunks=fine.chunks)
    return Scan(data, denoised.info.with_step({"step": "residual", "of": "input - denoised"}))


def _lazy(data: ArrayLike) -> da.Array:
    import dask.array as da

    # Without a name dask would hash the whole array.
    return data if isinstance(data, da.Array) else da.from_array(data, name=False)


def _difference(coarse: NDArray[np.float32], fine: NDArray[np.float32], plane: tuple[int, int]) -> NDArray[np.float32]:
    from napari_micromri.simulation.resampling import upsample

    height, width = (fine.shape[k] for k in plane)
    upsampled = upsample(np.moveaxis(coarse, plane, (-2, -1)), (height, width), "sinc")
    return np.asarray(np.moveaxis(upsampled, (-2, -1), plane) - fine, dtype=np.float32)


def symmetric_limit(data: ArrayLike) -> float:
    """Choose the one limit for both signs of a residual from three of its slices."""
    low, high = quick_contrast_limits(data)
    return max(abs(low), abs(high)) or 1.0
