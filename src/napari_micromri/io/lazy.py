"""Arrays whose slices are read when they are looked at."""

from __future__ import annotations

import math
import uuid
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri.errors import ReadError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from os import PathLike

    import dask.array as da
    from numpy.typing import NDArray

MAX_SLICES = 4_000_000
"""More slices than this is a damaged header, not a scan."""

MAX_CHUNK_BYTES = 2**34
"""More memory than this for one piece of an array is a damaged header, not a scan."""


def lazy_slices(
    read_slice: Callable[[tuple[int, ...]], NDArray[Any]], shape: Sequence[int], dtype: np.dtype[Any]
) -> da.Array:
    """Make a dask array with one chunk per slice; a chunk is read when it is needed.

    Parameters
    ----------
    read_slice
        Given the index along all axes but the last two, returns the slice, of ``shape[-2:]``.
    shape
        Shape of the whole array.
    dtype
        Type that the slices are cast to.
    """
    import dask.array as da

    outer, inner = tuple(shape[:-2]), tuple(shape[-2:])

    def read_block(block_id: tuple[int, ...]) -> NDArray[Any]:
        index = block_id[: len(outer)]
        return np.asarray(read_slice(index)).astype(dtype, copy=False).reshape((1,) * len(outer) + inner)

    return da.map_blocks(  # type: ignore[no-any-return]
        read_block,
        chunks=(*((1,) * n for n in outer), *((n,) for n in inner)),
        dtype=dtype,
        meta=np.empty((0,) * len(shape), dtype),
        # Without a name dask would hash what read_block holds, which can be a whole volume.
        name=f"slices-{uuid.uuid4().hex}",
    )


def reordered(data: da.Array, order: Sequence[int]) -> da.Array:
    """Transpose a dask array, which publishes its types only in part."""
    return data.transpose(*order)  # type: ignore[no-any-return]


def check_sizes(shape: Sequence[int], path: PathLike[str] | str, *, itemsize: int = 1) -> None:
    """Refuse a shape that no scan has.

    Raises
    ------
    ReadError
        A size is not positive, one slice would not fit into memory, or there are too many slices.
    """
    if not shape or any(n < 1 for n in shape):
        raise ReadError(f"{path} holds no voxels: its size is {' x '.join(map(str, shape)) or 'not given'}.")
    if math.prod(shape[-2:]) * itemsize > MAX_CHUNK_BYTES or math.prod(shape[:-2]) > MAX_SLICES:
        size = " x ".join(map(str, shape))
        raise ReadError(f"{path} claims {size} voxels, which no scan has: its header is damaged.")


def check_dtype(dtype: np.dtype[Any], path: PathLike[str] | str) -> None:
    """Refuse values that aren't plain numbers.

    Raises
    ------
    ReadError
        Complex numbers, texts, objects or records.
    """
    if dtype.kind == "c":
        raise ReadError(f"{path} holds complex numbers. Save the magnitude of the image and open that.")
    if dtype.kind not in "biuf" or dtype.itemsize > 8:
        raise ReadError(f"{path} holds values of type {dtype}, not numbers. Save the image as integers or floats.")


def scale_slice(raw: NDArray[Any], slope: float, offset: float) -> NDArray[Any]:
    """Turn stored integers into the scanner's units, float32; computed in float64 as 32-bit integers need it."""
    return (raw * np.float64(slope) + np.float64(offset)).astype(np.float32)
