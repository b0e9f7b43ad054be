"""How the pixels of a DICOM file are stored, and reading them."""

from __future__ import annotations

import math
import mmap
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri.errors import ReadError
from napari_micromri.io.lazy import check_sizes
from napari_micromri.io.telling import complaints
from napari_micromri.quiet import quiet

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

_ELEMENTS = {0x7FE00008: "FloatPixelData", 0x7FE00009: "DoubleFloatPixelData", 0x7FE00010: "PixelData"}
_FLOATS: dict[str, np.dtype[Any]] = {"FloatPixelData": np.dtype("f4"), "DoubleFloatPixelData": np.dtype("f8")}
_UNDEFINED = 0xFFFFFFFF
_LARGEST_INFLATED = 2**32


@dataclass(frozen=True)
class Stored:
    """The element that holds the pixels: which one, and its length in bytes (None: compressed)."""

    keyword: str
    length: int | None
    present: int


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
    return Stored(keyword, None if length == _UNDEFINED else length, len(stream) - start - head)


def check_pixels(header: Any, stored: Stored | None, file: Path) -> tuple[np.dtype[Any], str | None]:
    """Make sure that the pixels are there and can be decoded, without reading them.

    Returns
    -------
    The type of a value as it is stored, and what a person should know of the pixels, if anything.

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
    syntax = header.file_meta.TransferSyntaxUID
    if syntax.is_encapsulated:
        return dtype, _check_decoder(header, syntax, file)
    expected = (count * rows * columns * bits + 7) // 8
    if (lacking := expected - min(stored.present, stored.length or 0)) > 0:
        raise ReadError(f"{file} is cut off: it lacks {lacking} bytes of its image. Copy it again.")
    # The length of an element is even, so that one byte more is no surprise.
    more = (stored.length or 0) > expected + 1
    return dtype, f"{file} holds more pixels than its header says; the rest is left out." if more else None


def _check_decoder(header: Any, syntax: Any, file: Path) -> str | None:
    from pydicom.pixels.decoders.base import get_decoder

    if not get_decoder(syntax).is_available:
        raise ReadError(f"{file} is compressed as {syntax.name}: 'pip install pylibjpeg[all]' to open it.")
    lossy = str(header.get("LossyImageCompression") or "") == "01"
    return f"{file} was compressed with loss, so its values are not quite those of the scanner." if lossy else None


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
        They are no finite numbers, or the values stand in a table.
    """
    scopes = list(scopes)
    if any("ModalityLUTSequence" in scope for scope in scopes):
        raise ReadError(f"{file} turns its pixels into values by a table, which is not supported. Export it without.")
    for prefix, intercept in (("Rescale", "RescaleIntercept"), ("RealWorldValue", "RealWorldValueIntercept")):
        found = next((s for s in scopes if s.get(f"{prefix}Slope") is not None), None)
        if found is None:
            continue
        slope, offset = float(found.get(f"{prefix}Slope")), float(found.get(intercept) or 0)
        if not (math.isfinite(slope) and math.isfinite(offset)) or slope == 0:
            raise ReadError(f"{file} states the slope {slope:g} and the offset {offset:g}: its values can't be known.")
        if keyword in _FLOATS and (slope, offset) != (1, 0):
            # DICOM allows none beside floating point pixels (PS3.3, C.7.6.24): they are the values.
            return 1.0, 0.0, (f"{file} holds values as they are; a slope of {slope:g} beside them is left out.",)
        return slope, offset, ()
    return 1.0, 0.0, ()


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
