"""A fingerprint of pixels, the same whichever way they are stored."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class PixelDigest:
    """SHA-256 over type, shape and pixels of images, fed slice by slice: `begin` each image, then `add` its slices."""

    def __init__(self) -> None:
        self._found = hashlib.sha256()
        self._dtype = np.dtype(np.uint8)

    def begin(self, shape: tuple[int, ...], dtype: np.dtype[Any] | str) -> None:
        """Start the next image."""
        self._dtype = np.dtype(dtype).newbyteorder("<")
        self._found.update(f"{self._dtype.kind}{self._dtype.itemsize} {' '.join(map(str, shape))};".encode())

    def add(self, image: NDArray[Any]) -> None:
        """Feed the next slices of the image."""
        self._found.update(np.ascontiguousarray(image, dtype=self._dtype).data)

    def text(self) -> str:
        """Give the digest of all so far, in hexadecimal digits."""
        return self._found.hexdigest()
