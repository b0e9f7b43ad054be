"""What xarray writes beside an image: where its voxels lie, and how its numbers turn into values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_micromri.errors import ReadError
from napari_micromri.io.units import millimetres
from napari_micromri.io.zarr_chunks import strange_piece
from napari_micromri.scan import AXES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import dask.array as da
    import zarr

_LONGEST = 65536
_LETTERS = {
    "time": "t",
    "repetition": "t",
    "b_value": "b",
    "bvalue": "b",
    "bval": "b",
    "diffusion": "b",
    "slice": "z",
    "depth": "z",
    "row": "y",
    "column": "x",
    "col": "x",
}


class Coordinate(NamedTuple):
    """Where the first voxel along an axis is and how far the next one, in mm; a negative step runs backwards."""

    start: float
    step: float


def is_coordinate(array: zarr.Array[Any]) -> bool:
    """Tell whether an array holds the places along a dimension of the same name."""
    return array.ndim == 1 and dimension_names(array) == [array.basename]


def dimension_names(array: zarr.Array[Any]) -> list[str] | None:
    """Names of the dimensions that the array states: those of Zarr 3, or xarray's in Zarr 2."""
    names = getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS")
    return list(names) if isinstance(names, (list, tuple)) and all(isinstance(name, str) for name in names) else None


def axes_of(array: zarr.Array[Any]) -> str | None:
    """Axes that the array names, as our letters, when all of them are ours."""
    stated = array.attrs.get("axes")
    for names in (dimension_names(array), list(stated) if isinstance(stated, (str, list)) else None):
        letters = [_LETTERS.get(str(name).lower(), str(name).lower()) for name in names or ()]
        if len(letters) == array.ndim == len(set(letters)) and {"y", "x"} <= set(letters) <= set(AXES):
            return "".join(letters)
    return None


def read_coordinate(array: zarr.Array[Any]) -> Coordinate | None:
    """Read the places along a dimension; None when they are not evenly spaced lengths."""
    factor = millimetres(array.attrs.get("units", array.attrs.get("unit")))
    if array.size < 2 or array.size > _LONGEST or np.dtype(array.dtype).kind not in "iuf" or factor is None:
        return None
    if strange_piece(array, (slice(None),)) is not None:
        return None
    places = np.asarray(array[:], dtype=float)
    step = (places[-1] - places[0]) / (len(places) - 1)
    even = step != 0 and np.isfinite(places).all() and np.abs(np.diff(places) - step).max() < 0.01 * abs(step)
    return Coordinate(float(places[0] * factor), float(step * factor)) if even else None


def along(
    data: da.Array, axes: Sequence[int], places: Sequence[Coordinate]
) -> tuple[da.Array, tuple[float, ...], tuple[float, ...]]:
    """Give data, voxel size and origin with the places along these axes; an axis that runs backwards is turned."""
    origin = []
    for axis, place in zip(axes, places, strict=True):
        if place.step < 0:
            data = data[(slice(None),) * axis + (slice(None, None, -1),)]
        origin.append(place.start + min(place.step, 0) * (data.shape[axis] - 1))
    return data, tuple(abs(place.step) for place in places), tuple(origin)


def decoded(data: da.Array, attributes: Mapping[str, Any], where: str) -> da.Array:
    """Turn stored numbers into values by the conventions of CF that xarray follows: packed, with a mark for none.

    Raises
    ------
    ReadError
        Slope or offset are no finite numbers.
    """
    scale, offset = attributes.get("scale_factor", 1), attributes.get("add_offset", 0)
    stated = [attributes.get(name) for name in ("_FillValue", "missing_value")]
    marks = [float(mark) for mark in stated if isinstance(mark, (int, float)) and np.isfinite(mark)]
    if (scale, offset) == (1, 0) and not marks:
        return data
    if not all(isinstance(v, (int, float)) and np.isfinite(v) for v in (scale, offset)) or scale == 0:
        raise ReadError(f"{where} states the slope {scale} and the offset {offset}: its values can't be known.")
    wide = np.dtype("f8" if data.dtype.itemsize == 8 else "f4")

    def values(block: Any) -> Any:
        found = (block * np.float64(scale) + np.float64(offset)).astype(wide)
        found[np.isin(block, marks)] = np.nan
        return found

    import dask.array as da

    return da.map_blocks(values, data, dtype=wide)  # type: ignore[no-any-return, no-untyped-call]
