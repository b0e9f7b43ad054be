"""Write OME-Zarr 0.5."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri.io.atomic import atomic_output
from napari_micromri.io.describe import KEY, info_to_json
from napari_micromri.io.ome_metadata import write_multiscales

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import zarr
    from numpy.typing import DTypeLike

    from napari_micromri.progress import Progress
    from napari_micromri.scan import Scan, ScanInfo

MANY_SLICES = 512
"""From this number of slices on several of them share a file (a shard)."""

_SHARD_SLICES = 32
_LARGEST_PIECE = 2**26
_WIDEST_CHUNK = 2048


def create_ome_zarr(
    path: Path | str,
    *,
    shape: tuple[int, ...],
    dtype: DTypeLike,
    info: ScanInfo,
    shard_slices: int | None = None,
) -> zarr.Array[Any]:
    """Create an OME-Zarr 0.5 image with one level and give its empty array, to be filled slice by slice.

    A chunk is one slice. When there are many slices, shards of up to 32 slices along the axis before the last two keep
    the number of files low; writing part of a shard rewrites all of it, so fill such an array in blocks of
    `slices_per_write` slices, from multiples of it on.

    Parameters
    ----------
    path
        Where nothing stands yet. To write whole or not at all, give the path that `atomic_output` yields.
    shape, dtype
        Of the array; its axes are ``info.axes``.
    info
        Written twice: as OME metadata for every program, and in full as JSON under the attribute ``micromri``.
    shard_slices
        The most slices that share a file, whatever their number.
    """
    import zarr

    group = zarr.open_group(path, mode="w-", zarr_format=3)
    group.attrs.update({"ome": write_multiscales(info), KEY: info_to_json(info)})
    chunks = (1,) * (len(shape) - 2) + tuple(min(n, _WIDEST_CHUNK) for n in shape[-2:])
    depth = _shard_depth(shape, np.dtype(dtype).itemsize, shard_slices)
    shards = None if depth == 1 else (*chunks[:-3], depth, *chunks[-2:])
    return group.create_array(
        "0",
        shape=shape,
        dtype=np.dtype(dtype),
        chunks=chunks,
        shards=shards,
        dimension_names=tuple(info.axes),
        # Slices of zeros are written like others, so that a lost one is told from an empty one.
        config={"write_empty_chunks": True},
    )


def shorten_ome_zarr(path: Path | str, *, shape: tuple[int, ...], info: ScanInfo) -> None:
    """Cut the array of `create_ome_zarr` to its first ``shape`` elements, and update its description.

    Parameters
    ----------
    path
        What was given to `create_ome_zarr`.
    shape
        Along each axis no longer than it is.
    info
        Of what is left; its axes are the same.
    """
    import zarr

    group = zarr.open_group(path, mode="r+")
    array = group["0"]
    if not isinstance(array, zarr.Array):
        raise TypeError(f"{path} was not made by create_ome_zarr.")
    array.resize(shape)
    group.attrs.update({"ome": write_multiscales(info), KEY: info_to_json(info)})


def slices_per_write(array: zarr.Array[Any]) -> int:
    """Count of slices along the third axis from the end that are best written at once; 1 without shards."""
    return 1 if array.shards is None else array.shards[-3]


def _shard_depth(shape: tuple[int, ...], itemsize: int, wanted: int | None) -> int:
    if len(shape) < 3 or (wanted is None and math.prod(shape[:-2]) < MANY_SLICES):
        return 1
    fitting = _LARGEST_PIECE // max(1, math.prod(shape[-2:]) * itemsize)
    return max(1, min(_SHARD_SLICES if wanted is None else wanted, shape[-3], fitting))


def write_ome_zarr(scan: Scan, path: Path, *, overwrite: bool, progress: Progress) -> Path:
    """Write a scan as OME-Zarr, holding a few slices at a time.

    Raises
    ------
    OutputExistsError, WriteError
        See `save_scan`.
    """
    with atomic_output(path, overwrite=overwrite) as temporary:
        target = create_ome_zarr(temporary, shape=scan.shape, dtype=scan.dtype, info=scan.info)
        regions = list(_regions(scan, slices_per_write(target)))
        for done, region in enumerate(regions):
            progress(done, len(regions))
            target[region] = scan.read(region)
        progress(len(regions), len(regions))
    return path


def _regions(scan: Scan, depth: int) -> Iterator[tuple[slice, ...]]:
    """Cut an array into blocks of whole slices, thick enough that no chunk of the source is read many times."""
    if scan.data.ndim == 2:
        yield (slice(None), slice(None))
        return
    chunks = getattr(scan.data, "chunks", None)
    wanted = max(depth, max(chunks[-3]) if chunks else 1)
    slice_bytes = max(1, math.prod(scan.shape[-2:]) * scan.dtype.itemsize)
    blocks = max(1, min(wanted, 4 * _LARGEST_PIECE // slice_bytes) // depth) * depth
    for index in np.ndindex(scan.shape[:-3]):
        for start in range(0, scan.shape[-3], blocks):
            stop = min(start + blocks, scan.shape[-3])
            yield (*(slice(k, k + 1) for k in index), slice(start, stop), slice(None), slice(None))
