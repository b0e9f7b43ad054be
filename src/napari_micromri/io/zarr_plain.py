"""Zarr arrays without OME's metadata: plain ones, those of xarray, and stacks of one array per slice."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from napari_micromri.errors import ReadError
from napari_micromri.io.lazy import reordered
from napari_micromri.io.naming import plane_in, region_in
from napari_micromri.io.units import millimetres_or_one
from napari_micromri.io.zarr_array import lazy_array
from napari_micromri.io.zarr_coordinates import (
    along,
    axes_of,
    decoded,
    dimension_names,
    guessed_axes,
    letter_of,
    marks_of,
)
from napari_micromri.io.zarr_node import by_zyx, is_whole, ordered, own_info
from napari_micromri.io.zarr_slices import stacked
from napari_micromri.scan import SPATIAL_AXES, Scan, ScanInfo

if TYPE_CHECKING:
    from collections.abc import Mapping

    import zarr

    from napari_micromri.io.zarr_coordinates import Coordinate
    from napari_micromri.io.zarr_node import Place

_PLAIN_AXES = {2: "yx", 3: "zyx", 4: "tzyx", 5: "tbzyx"}
_SIZE_KEYS = ("voxel_size_mm", "voxel_size", "spacing", "pixel_size", "resolution")


def plain_scan(array: zarr.Array[Any], place: Place, coordinates: Mapping[str, Coordinate]) -> Scan:
    """Make a scan of an array; ``coordinates`` are those of its group, by the names of the dimensions."""
    attributes = dict(array.attrs)
    found = lazy_array(array, str(place), whole=is_whole(attributes))
    own = own_info(attributes, found.data.shape)
    if own is not None:
        return Scan(found.data, own.with_warnings(found.notes, place))
    data, notes = decoded(found.data, attributes, marks_of(array), str(place)), list(found.notes)
    if data.ndim not in _PLAIN_AXES:
        raise ReadError(f"{place} has {data.ndim} dimensions, and a scan has two to five.")
    named, stated = axes_of(array), dimension_names(array) or []
    letters = named or (guessed_axes(stated) if len(stated) == data.ndim else None) or _PLAIN_AXES[data.ndim]
    if named is None and stated:
        notes.append(f"{place} names its dimensions {', '.join(stated)}; they are taken for {', '.join(letters)}.")
    spatial = [k for k, a in enumerate(letters) if a in SPATIAL_AXES]
    stated_sizes, unknown = _voxel_size(attributes, len(spatial), place)
    notes += unknown
    names = {a: name for a, name in zip(letters, stated, strict=False) if letter_of(name) == a}
    there = {letter: coordinates[name] for letter, name in names.items() if name in coordinates}
    sizes, origin = dict(zip(spatial, stated_sizes or (), strict=False)), dict[int, float]()
    if stated_sizes is None:
        data, sizes, origin = along(data, {k: there[letters[k]] for k in spatial if letters[k] in there})
        if any(there[letters[k]].guessed for k in sizes):
            notes.append(f"{place} doesn't say in which unit the places of its voxels are; mm is taken.")
    if lacking := [letters[k] for k in spatial if k not in sizes]:
        along_them = "" if len(lacking) == len(spatial) else f" along {' and '.join(lacking)}"
        notes.append(
            f"{place} doesn't say how large its voxels are{along_them}; 1 mm is taken. Give voxel_size to set it."
        )
    name = place.name
    info = ScanInfo(
        name=name,
        axes=ordered(letters),
        voxel_size=by_zyx(tuple(sizes.get(k, 1.0) for k in spatial), letters),
        unsized=not sizes,
        origin=by_zyx(tuple(origin.get(k, 0.0) for k in spatial), letters),
        plane=plane_in([name]),
        region=region_in([name]),
        source=str(place),
        time_step=there["t"].step if "t" in there and there["t"].even else None,
        b_values=tuple(there["b"].places) if "b" in there and min(there["b"].places) >= 0 else None,
    ).with_warnings(notes)
    return Scan(reordered(data, [letters.index(a) for a in info.axes]), info)


def stack_scan(slices: Mapping[str, zarr.Array[Any]], place: Place) -> Scan:
    """Make a scan of arrays that hold a slice each."""
    data, notes = stacked(slices, str(place))
    name = place.name
    info = ScanInfo(
        name=name,
        axes="zyx",
        voxel_size=(1.0, 1.0, 1.0),
        unsized=True,
        plane=plane_in([name]),
        region=region_in([name]),
        source=str(place),
    )
    silent = f"{place.where} doesn't say how large its voxels are; 1 mm is taken. Give voxel_size to set it."
    return Scan(data, info.with_warnings([*notes, silent]))


def _voxel_size(attributes: Mapping[str, Any], count: int, place: Place) -> tuple[tuple[float, ...] | None, list[str]]:
    """Voxel size in mm of the last ``count`` axes, None when no attribute makes sense; and what to tell."""
    for key in _SIZE_KEYS:
        values = attributes.get(key)
        values = [values] * count if isinstance(values, (int, float)) else values
        if isinstance(values, list) and len(values) >= count and all(isinstance(v, (int, float)) for v in values):
            unit = "mm" if key.endswith("_mm") else attributes.get("unit", attributes.get("units", "mm"))
            units = unit[-count:] if isinstance(unit, list) and len(unit) >= count else [unit] * count
            lengths = [millimetres_or_one(one, place) for one in units]
            sizes = tuple(float(v) * length for v, (length, _) in zip(values[-count:], lengths, strict=True))
            if all(0 < size < math.inf for size in sizes):
                return sizes, [note for _, notes in lengths for note in notes]
    return None, []
