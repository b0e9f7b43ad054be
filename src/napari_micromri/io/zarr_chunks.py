"""Which pieces of a Zarr array are in its store: what is missing must not pass for zeros in silence."""

from __future__ import annotations

import itertools
import math
import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    import zarr

_MOST_LOOKED_FOR, _MOST_REMOTE = 10_000, 4


def with_its_separator(array: zarr.Array[Any]) -> zarr.Array[Any]:
    """Give the array with the way its pieces are named in the store, where that is not the one that it declares.

    Zarr 2 declares the separator of folders (``0/0/0``) in a field that some programs forget; without it every piece is
    looked for under a name that doesn't exist, and the array would read as empty.
    """
    first = list(itertools.islice(_coordinates(array), 3))
    if any(_holds(array, at) for at in first):
        return array
    others = [_separated(array, separator) for separator in "./"]
    return next((other for other in others if any(_holds(other, at) for at in first)), array)


def _separated(array: zarr.Array[Any], separator: str) -> zarr.Array[Any]:
    import zarr

    document = array.metadata.to_dict()
    if array.metadata.zarr_format == 2:
        changed: dict[str, Any] = {"dimension_separator": separator}
    else:
        encoding: Any = document["chunk_key_encoding"]
        changed = {"chunk_key_encoding": {"name": encoding["name"], "configuration": {"separator": separator}}}
    metadata = type(array.metadata).from_dict(document | changed)
    return zarr.Array(zarr.AsyncArray(metadata=metadata, store_path=array.store_path))


def missing_pieces(array: zarr.Array[Any], where: str) -> str | None:
    """Say how many pieces are not in the store, if any; of a huge or remote array a sample is looked for."""
    grid = _grid(array)
    total, most = math.prod(grid), _MOST_LOOKED_FOR if _folder(array) else _MOST_REMOTE
    step = max(1, -(-total // most))
    looked = list(itertools.islice(_coordinates(array), 0, None, step))
    missing = [at for at in looked if not _holds(array, at)]
    if not missing:
        return None
    count = f"{len(missing)} of {len(looked)}" + ("" if step == 1 else " looked for, of")
    value = array.metadata.fill_value
    return (
        f"{where}: {count + (f' {total}' if step > 1 else '')} pieces are not in the store, the first at "
        f"{'/'.join(map(str, missing[0]))}. They are read as {0 if value is None else value!s}, "
        "which may be meant, or they were lost."
    )


def lost_piece(array: zarr.Array[Any], key: Any) -> tuple[int, ...] | None:
    """Give the first piece of a selection that is not in the store."""
    return next((at for at in _pieces(array, key) if not _holds(array, at)), None)


def strange_piece(array: zarr.Array[Any], key: Any) -> tuple[int, ...] | None:
    """Give the first piece of a selection that no writer made: a link to a device, or larger than pixels can be.

    Zarr reads a piece whole, so it would read a device until memory ends. A link to an ordinary file is one.
    """
    folder = _folder(array)
    largest = 2 * math.prod(array.shards or array.chunks) * array.dtype.itemsize + 2**20
    for at in _pieces(array, key) if folder is not None else ():
        with suppress(FileNotFoundError, NotADirectoryError):
            found = os.stat(os.path.join(folder or "", array.metadata.encode_chunk_key(at)))
            if not stat.S_ISREG(found.st_mode) or found.st_size > largest:
                return at
    return None


def _pieces(array: zarr.Array[Any], key: Any) -> Iterator[tuple[int, ...]]:
    ranges = []
    for part, piece, count in zip(key, array.shards or array.chunks, array.shape, strict=False):
        start, stop, _ = part.indices(count) if isinstance(part, slice) else (int(part), int(part) + 1, 1)
        ranges.append(range(start // piece, max(start // piece, -(-stop // piece))))
    ranges += [range(n) for n in _grid(array)[len(ranges) :]]
    return itertools.product(*ranges)


def _grid(array: zarr.Array[Any]) -> tuple[int, ...]:
    return tuple(-(-n // piece) for n, piece in zip(array.shape, array.shards or array.chunks, strict=True))


def _coordinates(array: zarr.Array[Any]) -> Iterator[tuple[int, ...]]:
    return itertools.product(*map(range, _grid(array)))


def _folder(array: zarr.Array[Any]) -> str | None:
    from zarr.storage import LocalStore

    return os.path.join(array.store.root, array.path) if isinstance(array.store, LocalStore) else None


def _holds(array: zarr.Array[Any], at: tuple[int, ...]) -> bool:
    key = array.metadata.encode_chunk_key(at)
    if (folder := _folder(array)) is not None:
        return os.path.isfile(os.path.join(folder, key))
    from zarr.core.sync import sync

    return bool(sync(array.store.exists(f"{array.path}/{key}".lstrip("/"))))
