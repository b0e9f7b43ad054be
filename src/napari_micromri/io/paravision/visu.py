"""What a ``visu_pars`` file says of the frames in the ``2dseq`` beside it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri.errors import ReadError
from napari_micromri.io.lazy import MAX_SLICES

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_micromri.io.paravision.jcampdx import Parameters

_WORD_TYPES = {"_8BIT_UNSGN_INT": "u1", "_16BIT_SGN_INT": "i2", "_32BIT_SGN_INT": "i4", "_32BIT_FLOAT": "f4"}
_DIFFUSION = ("FG_DIFFUSION", "FG_DTI")


@dataclass(frozen=True)
class Frames:
    """The frames of a reconstruction: how they are stored, ordered and placed.

    Parameters
    ----------
    size
        Voxels of one frame along x, y and, for three-dimensional frames, z.
    table
        ``(t, b, slices)``: which frame of the file stands where.
    has_time, has_diffusion
        Whether the first two axes of ``table`` stand for something.
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
        table, has_time, has_diffusion = _order(visu, count, path)
        slices = table[0, 0]
        position = _per_slice(visu, "VisuCorePosition", 3, slices, count)
        orientation = _per_slice(visu, "VisuCoreOrientation", 9, slices, count)
        return Frames(
            size=size,
            dtype=_dtype(visu),
            count=count,
            table=table,
            has_time=has_time,
            has_diffusion=has_diffusion,
            slope=_per_frame(visu, "VisuCoreDataSlope", count, 1.0),
            offset=_per_frame(visu, "VisuCoreDataOffs", count, 0.0),
            position=position,
            orientation=orientation.reshape(-1, 3, 3),
            step=_step(visu, size),
            thickness=visu.number("VisuCoreFrameThickness") or 1.0,
            transposed=_per_frame(visu, "VisuCoreTransposition", count, 0.0).astype(np.intp),
            reversed_slices=visu.text("VisuCoreDiskSliceOrder") == "disk_reverse_slice_order",
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
    types = " ".join(visu.texts("VisuCoreFrameType"))
    if "COMPLEX" in types or any("FG_COMPLEX" in group for group in visu.structs("VisuFGOrderDesc")):
        raise ReadError(f"{path} describes complex images. Reconstruct magnitude images in ParaVision and open those.")
    return size, count


def _dtype(visu: Parameters) -> np.dtype[Any]:
    word = visu.text("VisuCoreWordType") or "missing"
    if word not in _WORD_TYPES:
        raise ValueError(f"VisuCoreWordType is {word}")
    order = ">" if visu.text("VisuCoreByteOrder") == "bigEndian" else "<"
    return np.dtype(order + _WORD_TYPES[word])


def _order(visu: Parameters, count: int, path: Path) -> tuple[NDArray[np.intp], bool, bool]:
    """Sort the frame groups into time, diffusion and slices; the first group of the file varies fastest."""
    groups = [(int(g[0]), g[1].upper()) for g in visu.structs("VisuFGOrderDesc") if len(g) > 1]
    if not groups:
        moving = len(np.unique(visu.numbers("VisuCorePosition").reshape(-1, 3), axis=0)) > 1
        groups = [(count, "FG_SLICE" if moving else "FG_CYCLE")]
    lengths = [n for n, _ in groups]
    if min(lengths) < 1 or math.prod(lengths) != count:
        raise ValueError(f"the frame groups {lengths} don't make {count} frames")
    kinds = ["z" if name == "FG_SLICE" else "b" if name in _DIFFUSION else "t" for _, name in groups][::-1]
    if kinds.count("z") > 1 or kinds.count("b") > 1:
        raise ReadError(f"{path} has two frame groups of slices or of diffusion weightings, which is not supported.")
    table = np.arange(count).reshape(lengths[::-1])
    table = table.transpose([k for letter in "tbz" for k, kind in enumerate(kinds) if kind == letter])
    sizes = {letter: math.prod(n for n, k in zip(lengths[::-1], kinds, strict=True) if k == letter) for letter in "tbz"}
    return table.reshape([sizes[letter] for letter in "tbz"]), sizes["t"] > 1, "b" in kinds


def _per_frame(visu: Parameters, name: str, count: int, default: float) -> NDArray[np.float64]:
    values = visu.numbers(name)
    if values.size in (0, 1):
        return np.full(count, values[0] if values.size else default)
    if values.size != count or not np.isfinite(values).all():
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
    return tuple(float(e) / n for e, n in zip(extent, size, strict=True))
