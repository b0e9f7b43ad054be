"""Read files that describe something: whole, but never what only looks like one, such as a link to a device."""

from __future__ import annotations

import errno
import os
import stat
from itertools import islice
from pathlib import Path

LARGEST = 2**26
"""Bytes; the description of a store with 100,000 slices takes a tenth."""

ZARR_METADATA = ("zarr.json", ".zarray", ".zgroup", ".zattrs", ".zmetadata")
_CHILDREN = 1000


def read_small(path: Path | str, largest: int = LARGEST) -> bytes:
    """Read an ordinary file of at most ``largest`` bytes.

    Raises
    ------
    OSError
        It is missing, something else, or larger.
    """
    # A pipe that nobody writes into would be waited for.
    number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with open(number, "rb") as stream:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise OSError(errno.EINVAL, "it isn't an ordinary file", str(path))
        content = stream.read(largest + 1)
    if len(content) > largest:
        raise OSError(errno.EFBIG, "it is too large for a description", str(path))
    return content


def check_zarr_metadata(store: Path) -> None:
    """Make sure that what describes a Zarr store and the nodes in it may be read, before a library reads it.

    Raises
    ------
    OSError
        It isn't an ordinary file, or too large.
    """
    with os.scandir(store) as entries:
        nodes = [store, *(Path(entry) for entry in islice(entries, _CHILDREN) if entry.is_dir())]
    for file in (node / name for node in nodes for name in ZARR_METADATA):
        if os.path.lexists(file):
            found = file.stat()
            if not stat.S_ISREG(found.st_mode):
                raise OSError(errno.EINVAL, "it isn't an ordinary file", str(file))
            if found.st_size > LARGEST:
                raise OSError(errno.EFBIG, "it is too large for a description", str(file))
