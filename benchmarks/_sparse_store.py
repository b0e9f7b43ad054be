"""A Zarr of any size on a small disk: every slice is a hard link to one of a few chunk files of real noise.

Not a store of holes: empty chunks are zeros, and a slice of zeros would pass a denoiser untouched.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

ROWS = COLUMNS = 256
DIFFERENT = 8
"""So many slices differ; the others repeat them."""


def make_sparse_store(path: Path, gigabytes: float) -> int:
    """Write a Zarr 3 array (slices, 256, 256) of uint16 with ``gigabytes`` of pixels; give its number of slices."""
    import zarr

    slices = round(gigabytes * 1e9 / (2 * ROWS * COLUMNS))
    array = zarr.create_array(
        path,
        shape=(slices, ROWS, COLUMNS),
        chunks=(1, ROWS, COLUMNS),
        dtype="uint16",
        compressors=None,
        chunk_key_encoding={"name": "v2", "separator": "."},  # one flat folder, for the disk's sake
    )
    array.attrs["voxel_size_mm"] = [0.6, 0.2, 0.2]
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[-1 : 1 : ROWS * 1j, -1 : 1 : COLUMNS * 1j]
    for k in range(DIFFERENT):
        body = 1000 * (rows**2 + columns**2 < 0.4 + 0.05 * k)
        noise = rng.normal(0, 70, (2, ROWS, COLUMNS))
        array[k] = np.hypot(body + noise[0], noise[1]).astype(np.uint16)
    for k in range(DIFFERENT, slices):
        _link(_chunk(path, k % DIFFERENT), _chunk(path, k))
    return slices


def _chunk(path: Path, k: int) -> Path:
    return path / f"{k}.0.0"


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # no more links to this file: a copy does as well
        target.write_bytes(source.read_bytes())
