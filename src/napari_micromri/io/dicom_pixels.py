"""How the pixels of a DICOM file are stored, and reading them."""

from __future__ import annotations

import math
import mmap
import os
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri.errors import ReadError
from napari_micromri.io.lazy import check_sizes
from napari_micromri.io.telling import complaints, inverted
from napari_micromri.quiet import quiet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

_ELEMENTS = {0x7FE00008: "FloatPixelData", 0x7FE00009: "DoubleFloatPixelData", 0x7FE00010: "PixelData"}
_FLOATS: dict[str, np.dtype[Any]] = {"FloatPixelData": np.dtype("f4"), "DoubleFloatPixelData": np.dtype("f8")}
_UNDEFINED = 0xFFFFFFFF
_LARGEST_INFLATED = 2**32


@dataclass(frozen=True)
class Stored:
    """The element that holds the pixels: which one, and its length in bytes (None: compressed).

    ``start`` is the place of the pixels in the file, behind the bytes ``head``; 0 where they aren't stored plainly.
    """

    keyword: str
    length: int | None
    present: int
    start: int = 0
    head: bytes = b""


def read_header(file: Path) -> tuple[Any, Stored | None]:
    """Read all of a file but its pixels, and where these stand; None when it has none.

    Raises
    ------
    ReadError
        The file is deflated to a size that no scan has.
    """
    import pydicom

    # Mapped, since a file would reserve as much memory as a damaged length asks for.
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as stream:
        if _is_deflated(stream[:1024]):
            _check_inflated(stream, file)
            header: Any = pydicom.dcmread(stream)  # type: ignore[arg-type]
            return header, _held(header)
        header = pydicom.dcmread(stream, stop_before_pixels=True)  # type: ignore[arg-type]
        return header, _ahead(stream, header.file_meta.TransferSyntaxUID)


def _is_deflated(beginning: bytes) -> bool:
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    return DeflatedExplicitVRLittleEndian.encode() in beginning


def _check_inflated(stream: mmap.mmap, file: Path) -> None:
    """Unpack in pieces, as a small file may stand for more than the memory holds."""
    # The first element of the file's own information is the length of what follows it.
    start = 144 + struct.unpack("<I", stream[140:144])[0]
    unpacker, length = zlib.decompressobj(-zlib.MAX_WBITS), 0
    piece = unpacker.decompress(stream[start:], 2**20)
    while piece:
        length += len(piece)
        if length > _LARGEST_INFLATED:
            raise ReadError(f"{file} unpacks to more than any scan has: it is damaged.")
        piece = unpacker.decompress(unpacker.unconsumed_tail, 2**20)


def _held(header: Any) -> Stored | None:
    for keyword in _ELEMENTS.values():
        if keyword in header:
            length = len(header[keyword].value)
            return Stored(keyword, length, length)
    return None


def _ahead(stream: mmap.mmap, syntax: Any) -> Stored | None:
    """Look at the tag and the length of the element before which the reading stopped."""
    start = stream.tell()
    order = "little" if syntax.is_little_endian else "big"

    def number(at: int, count: int) -> int:
        return int.from_bytes(stream[start + at : start + at + count], order)  # type: ignore[arg-type]

    keyword = _ELEMENTS.get(number(0, 2) << 16 | number(2, 2))
    if keyword is None:
        return None
    head, length = (8, number(4, 4)) if syntax.is_implicit_VR else (12, number(8, 4))
    present, plain = len(stream) - start - head, length != _UNDEFINED and syntax.is_little_endian
    if not plain:
        return Stored(keyword, None if length == _UNDEFINED else length, present)
    return Stored(keyword, length, present, start + head, stream[start : start + head])


def check_pixels(header: Any, stored: Stored | None, file: Path) -> tuple[np.dtype[Any], list[str]]:
    """Make sure that the pixels are there and can be decoded, without reading them.

    Returns
    -------
    The type of a value as it is stored, and what a person should know of the pixels.

    Raises
    ------
    ReadError
        No pixels, colours, cut off, or compressed in a way that can't be decoded here.
    """
    rows, columns, count = int(header.Rows), int(header.Columns), int(header.get("NumberOfFrames") or 1)
    if int(header.get("SamplesPerPixel") or 1) != 1 or "PALETTE" in str(header.get("PhotometricInterpretation")):
        raise ReadError(f"{file} is a colour picture, not a scan.")
    if stored is None:
        raise ReadError(f"{file} is cut off or has no pixels. Copy or export it again.")
    dtype, bits = _type(header, stored.keyword, file)
    check_sizes((count, rows, columns), file, itemsize=dtype.itemsize)
    syntax, doubts = header.file_meta.TransferSyntaxUID, list(_doubts(header, dtype, file))
    if syntax.is_encapsulated:
        _check_decoder(syntax, file)
        return dtype, doubts
    expected = (count * rows * columns * bits + 7) // 8
    if (lacking := expected - min(stored.present, stored.length or 0)) > 0:
        raise ReadError(f"{file} is cut off: it lacks {lacking} bytes of its image. Copy it again.")
    # The length of an element is even, so that one byte more is no surprise.
    if (stored.length or 0) > expected + 1:
        doubts.append(f"{file} holds more pixels than its header says; the rest is left out.")
    return dtype, doubts


def _check_decoder(syntax: Any, file: Path) -> None:
    from pydicom.pixels.decoders.base import get_decoder

    if not get_decoder(syntax).is_available:
        raise ReadError(f"{file} is compressed as {syntax.name}: 'pip install pylibjpeg[all]' to open it.")


def _doubts(header: Any, dtype: np.dtype[Any], file: Path) -> Iterator[str]:
    """Say where pixels may not be what they look like."""
    if header.get("PhotometricInterpretation") == "MONOCHROME1":
        yield inverted(file)
    if str(header.get("LossyImageCompression") or "") == "01":
        yield f"{file} was compressed with loss, so its values are not quite those of the scanner."
    if padding := header.get("PixelPaddingValue"):
        yield f"{file} marks pixels outside of the image with the value {padding}, which is kept. Don't measure there."
    names = ("SmallestImagePixelValue", "LargestImagePixelValue")
    said = [value for name in names if isinstance(value := header.get(name), int)]
    if dtype.kind in "iu" and not all(np.iinfo(dtype).min <= value <= np.iinfo(dtype).max for value in said):
        yield (
            f"{file} says that its pixels hold values of {' to '.join(map(str, said))}, and that they are stored as "
            f"{dtype}, which can't hold them; the latter is taken."
        )


def _type(header: Any, keyword: str, file: Path) -> tuple[np.dtype[Any], int]:
    if keyword in _FLOATS:
        return _FLOATS[keyword], 8 * _FLOATS[keyword].itemsize
    bits = int(header.BitsAllocated)
    if bits not in (1, 8, 16, 32, 64):
        raise ValueError(f"{bits} bits per voxel")
    if int(header.get("HighBit", -1)) not in (-1, int(header.get("BitsStored") or bits) - 1):
        raise ReadError(f"{file} keeps its values in the upper bits of its pixels, which isn't supported.")
    sign = "i" if int(header.get("PixelRepresentation") or 0) else "u"
    return np.dtype(f"{sign}{max(1, bits // 8)}"), bits


def scaling(scopes: Iterable[Any], keyword: str, file: Path) -> tuple[float, float, tuple[str, ...]]:
    """Slope and offset that turn the pixels in the element ``keyword`` into values, and what to tell of them.

    Raises
    ------
    ReadError
        They aren't finite numbers, or the values stand in a table.
    """
    scopes = list(scopes)
    if any("ModalityLUTSequence" in scope for scope in scopes):
        raise ReadError(
            f"{file} needs a table to turn its pixels into values, which isn't supported. Export it without."
        )
    stated = [line for name in ("Rescale", "RealWorldValue") if (line := _line(scopes, name)) is not None]
    if not stated:
        if any("RealWorldValueLUTData" in scope for scope in scopes):
            raise ReadError(f"{file} needs a table to turn its pixels into values, which isn't supported.")
        return 1.0, 0.0, ()
    (slope, offset), *others = stated
    if not (math.isfinite(slope) and math.isfinite(offset)) or slope == 0:
        raise ReadError(f"{file} states the slope {slope:g} and the offset {offset:g}: its values can't be known.")
    if keyword in _FLOATS and (slope, offset) != (1, 0):
        # DICOM allows none beside floating point pixels (PS3.3, C.7.6.24): they are the values.
        return 1.0, 0.0, (f"{file} holds values as they are; a slope of {slope:g} beside them is left out.",)
    real = [line for line in others if line != (slope, offset)]
    text = (
        f"{file} states values in two ways: rescaled with a slope of {slope:g}, which is taken, and real-world values"
    )
    return slope, offset, tuple(f"{text} with a slope of {line[0]:g} and an offset of {line[1]:g}." for line in real)


def _line(scopes: Iterable[Any], name: str) -> tuple[float, float] | None:
    """Give slope and intercept of the first scope that states them."""
    found = next((scope for scope in scopes if scope.get(f"{name}Slope") is not None), None)
    return None if found is None else (float(found.get(f"{name}Slope")), float(found.get(f"{name}Intercept") or 0))


def plainly(header: Any, stored: Stored | None, dtype: np.dtype[Any]) -> Stored | None:
    """Give the element again if `read_plain` can read it: not packed, and all bits of a value in use."""
    if stored is None or not stored.start:
        return None
    used = header.get("BitsStored"), header.get("BitsAllocated")
    return stored if stored.keyword in _FLOATS or used == (8 * dtype.itemsize, 8 * dtype.itemsize) else None


def read_plain(
    file: Path, stored: Stored, frame: int, shape: tuple[int, int], dtype: np.dtype[Any]
) -> NDArray[Any] | None:
    """Read one frame of little-endian whole numbers or floats from its place; None where it isn't there any more."""
    count = shape[0] * shape[1]
    try:
        with file.open("rb") as stream:
            stream.seek(stored.start - len(stored.head))
            if stream.read(len(stored.head)) != stored.head:
                return None
            stream.seek(count * dtype.itemsize * frame, os.SEEK_CUR)
            pixels = np.fromfile(stream, dtype.newbyteorder("<"), count)
    except OSError:  # told by `read_pixels`
        return None
    return pixels.reshape(shape) if pixels.size == count else None


def read_pixels(file: Path, frame: int) -> NDArray[Any]:
    """Read one frame as it is stored, not rescaled.

    Raises
    ------
    ReadError
        The file was changed, removed or is damaged.
    """
    import pydicom
    from pydicom.pixels.utils import pixel_array

    try:
        with file.open("rb") as stream:
            deflated = _is_deflated(stream.read(1024))
        with quiet(), complaints("pydicom"):
            # Only of a file that is not packed as a whole can one frame be read alone.
            return np.asarray(pixel_array(pydicom.dcmread(file) if deflated else file, index=frame))
    except (
        OSError,
        ValueError,
        RuntimeError,
        AttributeError,
        KeyError,
        TypeError,
        EOFError,
        zlib.error,
        pydicom.errors.InvalidDicomError,
        pydicom.errors.BytesLengthException,
    ) as error:
        raise ReadError(f"The image in {file} can't be read ({error}). Copy or export it again.") from error
