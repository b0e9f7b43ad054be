"""Voxels that lie in a row in a file, compressed or not."""

from __future__ import annotations

import gzip
import math
import threading
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri.errors import ReadError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_MAX_DEFLATE_RATIO = 1100  # deflate can't compress by more than about 1032


def is_compressed(path: Path) -> bool:
    """Tell by its name whether a file is compressed as a whole."""
    return path.name.lower().endswith((".gz", ".mgz"))


def check_length(path: Path, expected: int) -> list[str]:
    """Refuse a file that is shorter than its header says, without reading it where that can be told otherwise.

    Returns
    -------
    list
        What there is to tell: that it is longer.
    """
    size = path.stat().st_size
    complete, longer = size >= expected, size > expected
    if is_compressed(path):
        # The last four bytes of a gzip file are the length of its content modulo 2**32. Files of several gzip members
        # (bgzip) give that of the last member only, so a mismatch is settled by unpacking.
        with path.open("rb") as stream:
            stream.seek(max(size - 4, 0))
            stated = int.from_bytes(stream.read(4), "little")
        longer = expected < stated
        complete = expected <= size * _MAX_DEFLATE_RATIO and (stated == expected % 2**32 or _unpacks_to(path, expected))
    if not complete:
        raise ReadError(f"{path} is cut off: it holds less than the {expected} bytes that its header announces.")
    return [f"{path} holds more than the {expected} bytes that its header announces; the rest is left out."] * longer


def _unpacks_to(path: Path, expected: int) -> bool:
    length = 0
    try:
        with gzip.open(path) as stream:
            while length < expected and (piece := stream.read(2**20)):
                length += len(piece)
    except (OSError, EOFError, zlib.error):
        return False
    return length >= expected


@dataclass
class Volume:
    """The voxels of a file in its own order: mapped when uncompressed, read once and kept when compressed."""

    path: Path
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    offset: int
    _unpacked: NDArray[Any] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def array(self) -> NDArray[Any]:
        """Give the voxels as stored, not rescaled; the first call on a compressed file reads all of it.

        Raises
        ------
        ReadError
            The file was removed, changed or is damaged.
        """
        try:
            if not is_compressed(self.path):
                return np.memmap(self.path, self.dtype, "r", self.offset, self.shape, order="F")
            with self._lock:
                if self._unpacked is None:
                    self._unpacked = self._unpack()
                return self._unpacked
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise ReadError(f"{self.path} can no longer be read: it was removed, changed or is damaged.") from error

    def _unpack(self) -> NDArray[Any]:
        with gzip.open(self.path) as stream:
            stream.read(self.offset)
            content = np.empty(math.prod(self.shape), self.dtype)
            view = content.view(np.uint8).data
            done = 0
            while done < len(view) and (count := stream.readinto(view[done:])):
                done += count
            while stream.read(2**20):
                pass  # only at the end the checksum is compared
        if done < len(view):
            raise EOFError
        return content.reshape(self.shape, order="F")
