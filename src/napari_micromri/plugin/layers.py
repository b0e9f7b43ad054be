"""Between a `Scan` and a napari layer, both ways. Needs neither napari nor Qt: a layer is its data and attributes.

Spatial axes are drawn in mm, with the voxel size as ``scale`` and the centre of the first voxel as ``translate``; time
and diffusion weighting count from 0. Every layer says its units and its axis labels, since napari gives up on units for
all layers when one of them has none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

from napari_micromri.errors import InputError
from napari_micromri.orientation import Alignment
from napari_micromri.plugin.transforms import data_to_world
from napari_micromri.scan import AXES, SPATIAL_AXES, Scan, ScanInfo, computed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from napari_micromri.scan import ArrayLike

Attributes: TypeAlias = dict[str, Any]
LayerData: TypeAlias = tuple[Any, Attributes, str]

METADATA_KEY = "micromri"
DEFAULT_AXES = {2: "yx", 3: "zyx", 4: "tzyx", 5: "tbzyx"}


class LayerLike(Protocol):
    """What is needed of a napari layer."""

    def as_layer_data_tuple(self) -> LayerData:
        """Give data, attributes and type."""
        ...


@dataclass(frozen=True)
class Placement:
    """How a layer lies in the viewer, so that a result can be laid over it: one entry per axis."""

    axes: str
    units: tuple[str, ...]
    scale: tuple[float, ...]
    translate: tuple[float, ...]

    @classmethod
    def of_info(cls, info: ScanInfo) -> Placement:
        """Place a scan that comes from no layer: mm in space, plain counting elsewhere."""
        spatial = dict(zip(info.spatial, zip(info.voxel_size, info.origin, strict=True), strict=True))
        scale, translate = zip(*(spatial.get(axis, (1.0, 0.0)) for axis in info.axes), strict=True)
        units = tuple("millimeter" if axis in SPATIAL_AXES else "dimensionless" for axis in info.axes)
        return cls(info.axes, units, scale, translate)

    @classmethod
    def of_layer(cls, attributes: Mapping[str, Any], scan: Scan) -> Placement:
        """Take the placement of the scan that `attributes_to_scan` makes of a layer with these attributes."""
        return cls._of(attributes, scan.info.axes, scan.shape)

    @classmethod
    def _of(cls, attributes: Mapping[str, Any], axes: str, shape: Sequence[int]) -> Placement:
        units = tuple(str(unit) for unit in attributes.get("units") or ("pixel",) * len(axes))
        return cls(axes, units, *_alignment(attributes, len(axes)).placed(shape))

    def with_info(self, info: ScanInfo, start: Mapping[str, int]) -> Placement:
        """Move to another scan of the same axes: its geometry in space, elsewhere the indices from ``start`` on."""
        scale, translate = list(self.scale), list(self.translate)
        for k, axis in enumerate(self.axes):
            if axis in info.spatial:
                length = mm_per(self.units[k])
                scale[k] = info.size_of(axis) / length
                translate[k] = info.origin[info.spatial.index(axis)] / length
            else:
                translate[k] += start.get(axis, 0) * scale[k]
        return replace(self, scale=tuple(scale), translate=tuple(translate))

    def indices_at(
        self, point: Sequence[float], units: Sequence[object] | None, shape: Sequence[int]
    ) -> dict[str, int]:
        """Tell which element lies nearest to a point of the viewer, on each axis.

        ``point`` and ``units`` are the viewer's, of which the last axes are the layer's. ``units`` is None where the
        viewer knows none: the point is then in the layer's own.
        """
        missing = max(0, len(self.axes) - len(point))
        coordinates = (*(0.0,) * missing, *point)[-len(self.axes) :]
        found = {}
        for k, axis in enumerate(self.axes):
            factor = 1.0
            if units is not None and len(units) >= len(self.axes):
                factor = mm_per(units[k - len(self.axes)]) / mm_per(self.units[k])
            index = round((coordinates[k] * factor - self.translate[k]) / self.scale[k])
            found[axis] = min(max(index, 0), shape[k] - 1)
        return found


def scan_to_layer(
    scan: Scan, *, placement: Placement | None = None, contrast_limits: tuple[float, float] | None = None
) -> LayerData:
    """Make the napari layer that shows a scan.

    Parameters
    ----------
    scan
        Nothing but a few slices of it is read, for the contrast limits.
    placement
        Where to draw it; by default in mm at the scan's own origin.
    contrast_limits
        By default from percentile 0.5 to 99.8 of three slices.
    """
    placement = placement or Placement.of_info(scan.info)
    attributes: Attributes = {
        "name": scan.info.name,
        "scale": placement.scale,
        "translate": placement.translate,
        "units": placement.units,
        "axis_labels": tuple(placement.axes),
        "colormap": "gray",
        "contrast_limits": contrast_limits or quick_contrast_limits(scan.data),
        "metadata": {METADATA_KEY: scan.info},
    }
    return scan.data, attributes, "image"


def layer_to_scan(layer: LayerLike) -> Scan:
    """Take a scan from a layer of any plugin. Nothing is read.

    What the person changed on the layer (name, transform, axis labels) wins over the metadata. The scan's axes are the
    viewer's: an array that runs along them in another order, or backwards, is transposed and flipped.

    Raises
    ------
    InputError
        The layer is not an image of one channel with 2 to 5 axes, or its axes don't lie along the viewer's.
    """
    data, attributes, kind = layer.as_layer_data_tuple()
    if kind != "image":
        raise InputError(f"'{attributes.get('name')}' is a {kind} layer. Choose an image layer.")
    return attributes_to_scan(data, attributes)


def attributes_to_scan(data: Any, attributes: Mapping[str, Any]) -> Scan:
    """Take a scan from an image layer's data and attributes; see `layer_to_scan`."""
    name = str(attributes.get("name") or "image")
    _refuse_what_cannot_be_a_scan(name, attributes)
    array = _as_array(data[0] if attributes.get("multiscale") else data)
    known = (attributes.get("metadata") or {}).get(METADATA_KEY)
    info = known if isinstance(known, ScanInfo) and len(known.axes) == array.ndim else None
    axes = _axes(name, attributes.get("axis_labels"), info, array.ndim)
    lies = _alignment(attributes, array.ndim)
    if any(axes[k] not in SPATIAL_AXES for k in lies.moved):
        raise InputError(f"The transform of '{name}' moves time or diffusion weighting. Reset it in napari.")
    array = lies.arrange(array)
    return Scan(array, _described(name, axes, Placement._of(attributes, axes, array.shape), info, array.shape))


def quick_contrast_limits(data: ArrayLike) -> tuple[float, float]:
    """Choose limits from percentile 0.5 to 99.8 of three slices, so that a scan larger than memory shows at once."""
    if 0 in data.shape:
        return 0.0, 1.0
    sample = np.concatenate([_glance(data, part).ravel() for part in (0.25, 0.5, 0.75)]).astype(float)
    finite = sample[np.isfinite(sample)]
    if not finite.size:
        return 0.0, 1.0
    low, high = (float(value) for value in np.percentile(finite, (0.5, 99.8)))
    return (low, high) if high > low else (low, low + 1.0)


def mm_per(unit: object) -> float:
    """Tell how many mm a unit is; what is no length, such as napari's default pixel, counts as 1."""
    name = str(unit)
    if name in ("mm", "millimeter", "pixel", "dimensionless", ""):
        return 1.0
    import pint

    registry = pint.get_application_registry()
    quantity = registry.Quantity(1.0, name)
    return float(quantity.to("millimeter").magnitude) if quantity.check("[length]") else 1.0


def _glance(data: ArrayLike, part: float) -> NDArray[Any]:
    """Read one slice, thinned out to at most about 512 x 512 pixels."""
    index: list[int | slice] = [int(part * (n - 1)) for n in data.shape[:-2]]
    index += [slice(None, None, max(1, n // 512)) for n in data.shape[-2:]]
    return computed(data[tuple(index)], here=True)


def _refuse_what_cannot_be_a_scan(name: str, attributes: Mapping[str, Any]) -> None:
    if attributes.get("rgb"):
        raise InputError(f"'{name}' is a colour picture. Choose an image of one channel.")


def _alignment(attributes: Mapping[str, Any], count: int) -> Alignment:
    lies = Alignment.of(data_to_world(attributes, count))
    if lies is None:
        raise InputError(
            f"'{attributes.get('name')}' is rotated or sheared in napari, so its slices don't match the viewer's. "
            "Reset its transform, or choose another layer."
        )
    return lies


def _as_array(data: Any) -> ArrayLike:
    if isinstance(data, np.ndarray):
        return data
    import dask.array as da

    if isinstance(data, da.Array):
        return data
    chunks = getattr(data, "chunks", None) or (*(1,) * (data.ndim - 2), *data.shape[-2:])
    meta = np.empty((0,) * data.ndim, data.dtype)  # else dask reads something to find out
    array: ArrayLike = da.from_array(data, chunks, meta=meta)
    return array


def _axes(name: str, labels: Sequence[str] | None, info: ScanInfo | None, count: int) -> str:
    if count not in DEFAULT_AXES:
        raise InputError(f"'{name}' has {count} dimensions; a scan has 2 to 5 (time, weighting, slice, row, column).")
    letters = [str(label).strip().lower() for label in labels or ()]
    if len(letters) == count and len(set(letters)) == count and all(len(a) == 1 and a in AXES for a in letters):
        return "".join(letters)
    return info.axes if info else DEFAULT_AXES[count]


def _described(name: str, axes: str, placement: Placement, info: ScanInfo | None, shape: Sequence[int]) -> ScanInfo:
    spatial = [k for k, axis in enumerate(axes) if axis in SPATIAL_AXES]
    lengths = [mm_per(placement.units[k]) for k in spatial]
    size = tuple(placement.scale[k] * mm for k, mm in zip(spatial, lengths, strict=True))
    origin = tuple(placement.translate[k] * mm for k, mm in zip(spatial, lengths, strict=True))
    if info is None:
        return ScanInfo(name=name, axes=axes, voxel_size=size, origin=origin)
    expected = shape[axes.index("b")] if "b" in axes else 1
    same_space = info.spatial == "".join(axes[k] for k in spatial)
    return replace(
        info,
        name=name,
        axes=axes,
        voxel_size=size,
        origin=origin,
        b_values=info.b_values if len(info.b_values or ()) == expected else None,
        b_directions=info.b_directions if len(info.b_directions or ()) == expected else None,
        direction=info.direction if same_space else None,
    )
