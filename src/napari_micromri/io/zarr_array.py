"""One Zarr array as a dask array."""

from __future__ import annotations

import math
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_micromri.errors import ReadError
from napari_micromri.io.lazy import MAX_CHUNK_BYTES, MAX_SLICES, check_dtype
from napari_micromri.io.zarr_chunks import lost_piece, missing_pieces, strange_piece, with_its_separator

if TYPE_CHECKING:
    import dask.array as da
    import zarr
    from numpy.typing import NDArray

_MANY_CHUNKS = 200_000


class Lazy(NamedTuple):
    """An array that is read when it is looked at, and what a person should know of it."""

    data: da.Array
    notes: list[str]


def lazy_array(array: Any, where: str, *, whole: bool = False) -> Lazy:
    """Make a dask array of a Zarr array after making sure that reading it runs no foreign code and fits into memory.

    Parameters
    ----------
    array
        Of two dimensions or more.
    where
        How errors name it.
    whole
        Every piece was written, so that reading one that is missing is an error, not the fill value.

    Raises
    ------
    ReadError
        No real numbers, codecs that unpickle, too few dimensions, or a size that no scan has.
    """
    import dask.array as da
    import zarr

    if not isinstance(array, zarr.Array):
        raise TypeError("an image isn't an array")
    dtype = np.dtype(array.dtype)
    check_dtype(dtype, where)
    stored_as = {key: value for key, value in array.metadata.to_dict().items() if key != "attributes"}
    if "pickle" in repr(stored_as).lower():
        raise ReadError(f"{where} is stored with pickle, which may run foreign code. Save it with another codec.")
    if array.ndim < 2 or any(n < 1 for n in array.shape):
        raise ReadError(f"{where} isn't an image: its shape is {array.shape}, and a scan has two to five dimensions.")
    chunks = tuple(min(c, n) for c, n in zip(array.chunks, array.shape, strict=True))
    if math.prod(-(-n // c) for n, c in zip(array.shape, chunks, strict=True)) > _MANY_CHUNKS:
        chunks = (*chunks[:-2], *array.shape[-2:])
    count = math.prod(-(-n // c) for n, c in zip(array.shape, chunks, strict=True))
    if count > MAX_SLICES or math.prod(chunks) * dtype.itemsize > MAX_CHUNK_BYTES:
        raise ReadError(f"{where} claims {' x '.join(map(str, array.shape))} voxels, which no scan has.")
    array = with_its_separator(array)
    note = missing_pieces(array, where)
    source = _Chunks(array, where, array.shape, dtype.newbyteorder("="), array.ndim, whole)
    meta = np.empty((0,) * array.ndim, source.dtype)
    data = da.from_array(source, chunks, name=f"zarr-{uuid.uuid4().hex}", meta=meta)
    return Lazy(data, [note] if note else [])


@dataclass(frozen=True)
class _Chunks:
    """The array as dask reads it; a chunk that can't be read is told in a sentence."""

    array: zarr.Array[Any]
    where: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    ndim: int
    whole: bool

    def __getitem__(self, key: Any) -> NDArray[Any]:
        try:
            if self.whole and (lost := lost_piece(self.array, key)) is not None:
                raise ReadError(
                    f"The piece {'/'.join(map(str, lost))} of {self.where} is missing. Copy the scan again."
                )
            if (strange := strange_piece(self.array, key)) is not None:
                raise ReadError(
                    f"The piece {'/'.join(map(str, strange))} of {self.where} isn't an ordinary file of its size. "
                    "Copy the scan again."
                )
            return np.asarray(self.array[key]).astype(self.dtype, copy=False)
        except (OSError, ValueError, TypeError, RuntimeError, KeyError) as error:
            raise ReadError(f"A piece of {self.where} is damaged or can't be reached ({error}).") from error
