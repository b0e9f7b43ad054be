"""What a ``visu_pars`` file says of the frames in the ``2dseq`` beside it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_micromri.errors import ReadError
from napari_micromri.io.lazy import MAX_SLICES
from napari_micromri.io.quantity import quantity_in
from napari_micromri.io.units import millimetres

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_micromri.io.paravision.jcampdx import Parameters

_WORD_TYPES = {"_8BIT_UNSGN_INT": "u1", "_16BIT_SGN_INT": "i2", "_32BIT_SGN_INT": "i4", "_32BIT_FLOAT": "f4"}
_MAPS = ("FG_DTI", "FG_ISA")  # results of a fit, each with a meaning and a unit of its own
_TIME = ("FG_CYCLE", "FG_MOVIE", "FG_CARDIAC_MOVIE")
_MOVED = 1e-3


@dataclass(frozen=True)
class Frames:
    """The frames of a reconstruction: how they are stored, ordered and placed.

    Parameters
    ----------
    size
        Voxels of one frame along x, y and, for three-dimensional frames, z.
    table
        ``(maps, t, b, slices)``: which frame of the file stands where.
    maps
        Names of what are scans of their own: the results of a fit, magnitude and phase; else one that is empty.
    kinds
        ``VisuCoreFrameType``, which all frames of a map share.
    fitted
        Whether the maps are results of a fit.
    has_time, has_diffusion
        Whether these axes of ``table`` stand for something.
    slope, offset
        ``(frames,)``: value = slope * stored + offset.
    position, orientation
        ``(slices, 3)`` and ``(slices, 3, 3)``, in LPS: centre of the first voxel, and the unit vectors of x, y and the
        normal as rows.
    step
        Distance in mm of voxels along the axes of ``size``.
    thickness
        Of a slice, in mm.
    transposed
        ``(frames,)``: number of the exchange of axes in which a frame is stored, 0 for none.
    """

    size: tuple[int, ...]
    dtype: np.dtype[Any]
    count: int
    table: NDArray[np.intp]
    maps: tuple[str, ...]
    kinds: tuple[str, ...]
    fitted: bool
    has_time: bool
    has_diffusion: bool
    slope: NDArray[np.float64]
    offset: NDArray[np.float64]
    position: NDArray[np.float64]
    orientation: NDArray[np.float64]
    step: tuple[float, ...]
    thickness: float
    transposed: NDArray[np.intp]
    reversed_slices: bool
    notes: tuple[str, ...]

    def quantity(self, number: int) -> str | None:
        """Name what the voxels of a map are."""
        kinds = self.kinds if len(self.kinds) == 1 else ()
        return "map" if self.fitted else quantity_in((self.maps[number], *kinds))

    @property
    def frame_bytes(self) -> int:
        """Length of one frame in the file."""
        return math.prod(self.size) * self.dtype.itemsize


def read_frames(visu: Parameters, path: Path) -> Frames:
    """Interpret the parameters of a reconstruction.

    Raises
    ------
    ReadError
        They lack something, contradict each other, or describe no image (spectra, complex numbers).
    """
    try:
        size, count = _size(visu, path)
        order = _order(visu, count, path)
        slices = order.table[0, 0, 0]
        thickness = visu.number("VisuCoreFrameThickness")
        slope = _per_frame(visu, "VisuCoreDataSlope", count, 1.0)
        position = _per_slice(visu, "VisuCorePosition", 3, slices, count)
        orientation = _per_slice(visu, "VisuCoreOrientation", 9, slices, count)
        return Frames(
            size=size,
            dtype=_dtype(visu),
            count=count,
            table=order.table,
            maps=order.maps,
            kinds=tuple(dict.fromkeys(visu.texts("VisuCoreFrameType"))),
            fitted=order.fitted,
            has_time=order.has_time,
            has_diffusion=order.has_diffusion,
            slope=slope,
            offset=_per_frame(visu, "VisuCoreDataOffs", count, 0.0),
            position=position,
            orientation=orientation.reshape(-1, 3, 3),
            step=_step(visu, size),
            thickness=thickness or 1.0,
            transposed=_per_frame(visu, "VisuCoreTransposition", count, 0.0).astype(np.intp),
            reversed_slices=visu.text("VisuCoreDiskSliceOrder") == "disk_reverse_slice_order",
            notes=tuple(_notes(path, order, slope, thickness, one_slice=len(size) == 2 and len(slices) == 1)),
        )
    except (ValueError, OverflowError, IndexError) as error:
        raise ReadError(f"{path} is damaged: {error}. Copy the scan again, or reconstruct it again.") from error


def _size(visu: Parameters, path: Path) -> tuple[tuple[int, ...], int]:
    kinds = set(visu.texts("VisuCoreDimDesc")) - {"spatial"}
    if kinds:
        raise ReadError(f"{path} describes {' and '.join(sorted(kinds))} data, not an image.")
    numbers = visu.numbers("VisuCoreSize")
    size = tuple(int(n) for n in numbers)
    count = int(visu.number("VisuCoreFrameCount") or 1)
    if len(size) not in (2, 3) or min(size) < 1 or count < 1:
        raise ValueError(f"VisuCoreSize is {size or 'missing'}")
    if math.prod(size) > 2**40 or count > MAX_SLICES:
        raise ValueError(f"it claims {count} frames of {size} voxels")
    groups = [group for entry in visu.structs("VisuFGOrderDesc") for group in entry]
    if any("COMPLEX" in text for text in [*visu.texts("VisuCoreFrameType"), *groups]):
        raise ReadError(f"{path} describes complex images. Reconstruct magnitude images in ParaVision and open those.")
    return size, count


def _dtype(visu: Parameters) -> np.dtype[Any]:
    word = visu.text("VisuCoreWordType") or "missing"
    if word not in _WORD_TYPES:
        raise ValueError(f"VisuCoreWordType is {word}")
    order = ">" if visu.text("VisuCoreByteOrder") == "bigEndian" else "<"
    return np.dtype(order + _WORD_TYPES[word])


class _Order(NamedTuple):
    table: NDArray[np.intp]
    maps: tuple[str, ...]
    fitted: bool
    has_time: bool
    has_diffusion: bool
    time: tuple[str, ...]


def _order(visu: Parameters, count: int, path: Path) -> _Order:
    """Sort the frame groups into maps, time, diffusion and slices; the first group of the file varies fastest."""
    described = [g for g in visu.structs("VisuFGOrderDesc") if len(g) > 1]
    groups = [(int(g[0]), g[1].upper(), _elements(visu, g)) for g in described]
    if not groups:
        moving = np.ptp(visu.numbers("VisuCorePosition").reshape(-1, 3), axis=0).max(initial=0) > _MOVED
        groups = [(count, "FG_SLICE" if moving else "FG_CYCLE", [])]
    lengths = [n for n, _, _ in groups][::-1]
    if min(lengths) < 1 or math.prod(lengths) != count:
        raise ValueError(f"the frame groups {lengths} don't make {count} frames")
    kinds = [_kind(name, elements) for _, name, elements in groups][::-1]
    if any(kinds.count(kind) > 1 for kind in "zbm"):
        raise ReadError(f"{path} has two frame groups of slices, maps or diffusion weightings, which is not supported.")
    table = np.arange(count).reshape(lengths)
    table = table.transpose([k for letter in "mtbz" for k, kind in enumerate(kinds) if kind == letter])
    sizes = {letter: math.prod(n for n, k in zip(lengths, kinds, strict=True) if k == letter) for letter in "mtbz"}
    maps = next((e or [f"map {k + 1}" for k in range(n)] for n, g, e in groups if _kind(g, e) == "m"), [""])
    time = tuple(name for n, name, elements in groups if n > 1 and _kind(name, elements) == "t")
    fitted = any(name in _MAPS for _, name, _ in groups)
    return _Order(table.reshape([sizes[a] for a in "mtbz"]), tuple(maps), fitted, sizes["t"] > 1, "b" in kinds, time)


def _kind(name: str, elements: Sequence[str]) -> str:
    if name in _MAPS or elements:
        return "m"
    return {"FG_SLICE": "z", "FG_DIFFUSION": "b"}.get(name, "t")


def _elements(visu: Parameters, group: list[str]) -> list[str]:
    """Names of the maps in a frame group, which stand in parameters that the group is said to depend on."""
    if len(group) < 5 or not (group[3].isdecimal() and group[4].isdecimal()):
        return []
    length, first, count = int(group[0]), int(group[3]), int(group[4])
    depending = {d[0]: int(d[1]) for d in visu.structs("VisuGroupDepVals")[first : first + count] if len(d) > 1}
    maps = ("VisuFGElemComment", "VisuFGElemId") if group[1].upper() in _MAPS else ()
    for name in (*maps, "VisuCoreFrameType"):
        start = depending.get(name, 0)
        found = [text.strip() for text in visu.texts(name)[start : start + length]] if name in depending else []
        if len(found) == length and all(found) and len(set(found)) > 1:
            return found
    return []


def _notes(
    path: Path, order: _Order, slope: NDArray[np.float64], thickness: float | None, *, one_slice: bool
) -> Iterator[str]:
    if len(order.time) > 1 or not set(order.time) <= set(_TIME):
        yield f"{path}: {' and '.join(order.time)} are shown one after the other along t."
    if zeros := int((slope == 0).sum()):
        yield f"{path} states a slope of 0 for {zeros} frames, which makes all their values equal."
    if one_slice and thickness is None:
        yield f"{path} doesn't say how thick its slice is; 1 mm is taken."


def _per_frame(visu: Parameters, name: str, count: int, default: float) -> NDArray[np.float64]:
    values = visu.numbers(name)
    if wrong := int((~np.isfinite(values)).sum()):
        raise ValueError(f"{name} isn't a finite number for {wrong} of {values.size} frames")
    if values.size in (0, 1):
        return np.full(count, values[0] if values.size else default)
    if values.size != count:
        raise ValueError(f"{name} has {values.size} values for {count} frames")
    return values


def _per_slice(visu: Parameters, name: str, width: int, slices: NDArray[np.intp], count: int) -> NDArray[np.float64]:
    """Give a value per slice; ParaVision writes one for all, one per slice or one per frame."""
    values = visu.numbers(name)
    if values.size % width or not values.size or not np.isfinite(values).all():
        raise ValueError(f"{name} is missing or incomplete")
    rows = values.reshape(-1, width)
    if len(rows) == len(slices):
        return rows
    if len(rows) == count:
        return rows[slices]
    if len(rows) == 1:
        return np.repeat(rows, len(slices), axis=0)
    raise ValueError(f"{name} has {len(rows)} values for {len(slices)} slices")


def _step(visu: Parameters, size: tuple[int, ...]) -> tuple[float, ...]:
    extent = visu.numbers("VisuCoreExtent")
    if extent.size != len(size) or not (np.isfinite(extent).all() and (extent > 0).all()):
        raise ValueError("VisuCoreExtent is missing or not positive")
    units = visu.texts("VisuCoreUnits") or ["mm"]
    lengths = [length for unit in units[: len(size)] if (length := millimetres(unit)) is not None]
    if len(lengths) < len(units[: len(size)]):
        raise ValueError(f"VisuCoreUnits is {' '.join(units)}, which aren't lengths")
    lengths += lengths[-1:] * (len(size) - len(lengths))
    return tuple(float(e) * mm / n for e, mm, n in zip(extent, lengths, size, strict=True))
