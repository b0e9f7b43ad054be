"""What xarray writes beside an image: where its voxels lie, and how its numbers turn into values."""

from __future__ import annotations

import base64
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_micromri.errors import ReadError
from napari_micromri.io.units import millimetres, seconds
from napari_micromri.io.zarr_chunks import strange_piece
from napari_micromri.scan import AXES, SPATIAL_AXES

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

_B_UNITS = dict.fromkeys(("", "s/mm^2", "s/mm2", "s/mm²", "s mm-2", "s mm^-2"), 1.0)


class Coordinate(NamedTuple):
    """The places along a dimension: mm in space (``guessed`` where no unit is stated), s in time, s/mm^2 along b."""

    places: tuple[float, ...]
    guessed: bool = False

    @property
    def step(self) -> float:
        """From one place to the next, negative where they run backwards."""
        return (self.places[-1] - self.places[0]) / max(1, len(self.places) - 1)

    @property
    def even(self) -> bool:
        """Whether the places are evenly spaced."""
        return self.step != 0 and bool(np.abs(np.diff(self.places) - self.step).max() < 0.01 * abs(self.step))


def is_coordinate(array: zarr.Array[Any]) -> bool:
    """Tell whether an array holds the places along a dimension of the same name."""
    return array.ndim == 1 and dimension_names(array) == [array.basename]


def dimension_names(array: zarr.Array[Any]) -> list[str] | None:
    """Names of the dimensions that the array states: those of Zarr 3, or xarray's in Zarr 2."""
    names = getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS")
    return list(names) if isinstance(names, (list, tuple)) and all(isinstance(name, str) for name in names) else None


def guessed_axes(names: Sequence[str]) -> str | None:
    """Give axes of which all but one are ours; that one is z where there is none, else t."""
    letters = "".join(letter if (letter := letter_of(name)) in AXES else "?" for name in names)
    letters = letters.replace("?", "t" if "z" in letters else "z", 1)
    return letters if len(set(letters)) == len(letters) and {"y", "x"} <= set(letters) <= set(AXES) else None


def axes_of(array: zarr.Array[Any]) -> str | None:
    """Axes that the array names, as our letters, when all of them are ours."""
    stated = array.attrs.get("axes")
    for names in (dimension_names(array), list(stated) if isinstance(stated, (str, list)) else None):
        letters = [letter_of(name) for name in names or ()]
        if len(letters) == array.ndim == len(set(letters)) and {"y", "x"} <= set(letters) <= set(AXES):
            return "".join(letters)
    return None


def letter_of(name: object) -> str:
    """Give our letter of a dimension by its name, or the name of one that isn't ours."""
    return _LETTERS.get(str(name).lower(), str(name).lower())


def read_coordinate(array: zarr.Array[Any]) -> Coordinate | None:
    """Read the places along a dimension; None when they aren't finite numbers, or in a unit that nobody knows.

    Without a unit they are in mm, unless they only count voxels.
    """
    unit = array.attrs.get("units", array.attrs.get("unit"))
    kind = letter_of(array.basename)
    guessed = kind in SPATIAL_AXES and not unit
    factor = (
        seconds(unit) if kind == "t" else _B_UNITS.get(str(unit or "").lower()) if kind == "b" else millimetres(unit)
    )
    factor = 1.0 if guessed else factor
    if not 1 <= array.size <= _LONGEST or np.dtype(array.dtype).kind not in "iuf" or factor is None:
        return None
    if strange_piece(array, (slice(None),)) is not None:
        return None
    places = np.asarray(array[:], dtype=float) * factor
    if not np.isfinite(places).all() or (guessed and np.array_equal(places, np.arange(array.size))):
        return None
    return Coordinate(tuple(float(place) for place in places), guessed)


def along(data: da.Array, places: Mapping[int, Coordinate]) -> tuple[da.Array, dict[int, float], dict[int, float]]:
    """Give data, voxel size and origin by axis, with the places along them; an axis that runs backwards is turned.

    A single place has no size. What is unevenly spaced says nothing.
    """
    sizes, origin = {}, {}
    for axis, place in places.items():
        if place.even:
            sizes[axis] = abs(place.step)
        if place.even and place.step < 0:
            data = data[(slice(None),) * axis + (slice(None, None, -1),)]
        if place.even or len(place.places) == 1:
            origin[axis] = min(place.places[0], place.places[-1])
    return data, sizes, origin


def marks_of(array: zarr.Array[Any]) -> list[float]:
    """List the stored numbers that stand for no value: CF's marks, and what xarray keeps as fill value in Zarr 2.

    There a fill value of 0 is what other programs write without a thought, so that it is none.
    """
    stated = [array.attrs.get(name) for name in ("_FillValue", "missing_value")]
    if array.metadata.zarr_format == 2 and "_ARRAY_DIMENSIONS" in array.attrs:
        stated.append(np.asarray(array.metadata.fill_value or 0).item() or None)
    return [mark for one in stated if (mark := _number(one)) is not None and np.isfinite(mark)]


def _number(mark: Any) -> float | None:
    """Read a mark, which xarray writes as eight bytes in base64 where it is a float in Zarr 3."""
    if isinstance(mark, str):
        try:
            return float(struct.unpack("<d", base64.b64decode(mark, validate=True))[0])
        except (struct.error, ValueError):
            return None
    return float(mark) if isinstance(mark, (int, float)) else None


def decoded(data: da.Array, attributes: Mapping[str, Any], marks: Sequence[float], where: str) -> da.Array:
    """Turn stored numbers into values by the conventions of CF that xarray follows: packed, with marks for none.

    Raises
    ------
    ReadError
        Slope or offset aren't finite numbers.
    """
    import dask.array as da

    scale, offset = attributes.get("scale_factor", 1), attributes.get("add_offset", 0)
    if not all(isinstance(v, (int, float)) and np.isfinite(v) for v in (scale, offset)) or scale == 0:
        raise ReadError(f"{where} states the slope {scale} and the offset {offset}: its values can't be known.")
    stored = data.dtype
    if str(attributes.get("_Unsigned")).lower() == "true" and stored.kind == "i":
        # Marks are stated as they are stored, so that they lose their sign as well.
        stored = np.dtype(f"u{stored.itemsize}")
        marks = [mark % 256**stored.itemsize for mark in marks]
    plain = (scale, offset) == (1, 0) and not marks
    if plain and stored == data.dtype:
        return data
    wide = stored if plain else np.dtype("f8" if stored.itemsize == 8 else "f4")

    def values(block: Any) -> Any:
        block = block.astype(stored, copy=False)
        found = block if plain else (block * np.float64(scale) + np.float64(offset)).astype(wide)
        if marks:
            found[np.isin(block, marks)] = np.nan
        return found

    return da.map_blocks(values, data, dtype=wide)  # type: ignore[no-any-return]
