"""Read MetaImage files, .mha and .mhd, with SimpleITK."""

from __future__ import annotations

import math
import threading
import zlib
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri.errors import ReadError
from napari_micromri.io.damage import damage_told
from napari_micromri.io.geometry import LPS_TO_RAS, geometry_from_steps
from napari_micromri.io.grid import describe_grid, lazy_grid
from napari_micromri.io.lazy import check_sizes, scale_slice
from napari_micromri.io.nibabel_reader import needs
from napari_micromri.io.units import millimetres_or_one
from napari_micromri.io.volume import Volume, check_length
from napari_micromri.scan import Scan

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_micromri.io.grid import Reader

_LONGEST_HEADER = 2**20
_MOST_SHRUNK = 1100
_TRUE = ("true", "t", "1")
_PLACED = {"TransformMatrix", "Rotation", "Orientation"}


def read_metaimage(path: Path) -> list[Scan]:
    """Open an ``.mha`` file, or an ``.mhd`` with its data beside it, as one scan.

    SimpleITK reads the header. Uncompressed data are read slice by slice, others as a whole when the first slice is
    looked at.

    Raises
    ------
    ReadError
        SimpleITK is missing, the files are damaged or cut off, or hold several values per voxel.
    """
    needs(path, "SimpleITK")
    with damage_told(path, "MetaImage"):
        said, begin = _header(path)
        image = _opened(path)
        image.ReadImageInformation()
        count, shape = image.GetDimension(), tuple(int(n) for n in image.GetSize())
        if image.GetNumberOfComponents() != 1 or not 2 <= count <= 4:
            raise ReadError(f"{path} holds {image.GetNumberOfComponents()} values per voxel in {count} dimensions.")
        read, dtype, notes = _voxels(path, said, begin, shape, _dtype(image))
        spatial = range(min(count, 3))[::-1]
        turn = np.reshape(image.GetDirection(), (count, count))
        scale, unknown = millimetres_or_one(said.get("DistanceUnits", "").strip("?"), path)
        notes += unknown
        steps = np.zeros((len(spatial), 3))
        steps[:, : len(spatial)] = [turn[: len(spatial), k] * image.GetSpacing()[k] * scale for k in spatial]
        first = np.zeros(3)
        first[: len(spatial)] = np.array(image.GetOrigin()[: len(spatial)]) * scale
        info, axes = describe_grid(
            path,
            path.name.rsplit(".", 1)[0],
            geometry_from_steps(steps * LPS_TO_RAS, first * LPS_TO_RAS),
            spatial,
            known=count > 2 and bool(_PLACED & said.keys()),
            outer={"t": 3} if count == 4 and shape[3] > 1 else {},
        )
        data = lazy_grid(read, shape, axes, dtype, path)
    if not {"ElementSpacing", "ElementSize"} & said.keys():
        notes.append(f"{path} doesn't say how large its voxels are; 1 mm is taken.")
    elif any(word.startswith("-") for word in said.get("ElementSpacing", "").split()):
        notes.append(f"{path} states a negative voxel size; its axis is taken to run the other way, as ITK does.")
    if count == 4 and image.GetSpacing()[3] != 1:
        notes.append(f"{path} gives a time per volume without a unit, which was left out.")
    return [Scan(data, info.with_warnings(notes))]


def _header(path: Path) -> tuple[dict[str, str], int]:
    """Read what SimpleITK doesn't tell: which fields there are, where the voxels lie, and their scale."""
    said: dict[str, str] = {}
    with path.open("rb") as stream:
        while stream.tell() < _LONGEST_HEADER and (line := stream.readline(_LONGEST_HEADER)):
            name, _, value = line.decode("latin-1").partition("=")
            said[name.strip()] = value.strip()
            if name.strip() == "ElementDataFile":
                return said, stream.tell()
    raise ReadError(f"{path} is damaged or no MetaImage file. Copy or export it again.")


def _opened(path: Path) -> Any:
    sitk = import_module("SimpleITK")  # it publishes no types
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.SetImageIO("MetaImageIO")
    return reader


def _dtype(image: Any) -> np.dtype[Any]:
    sitk = import_module("SimpleITK")
    one: Any = sitk.Image([1] * image.GetDimension(), image.GetPixelID())
    dtype: np.dtype[Any] = sitk.GetArrayViewFromImage(one).dtype
    return dtype


def _voxels(
    path: Path, said: dict[str, str], begin: int, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> tuple[Reader, np.dtype[Any], list[str]]:
    """Give what reads the voxels, the type of the values, and what is to be told.

    SimpleITK would neither scale them nor notice when compressed ones are damaged.
    """
    slope, offset = (
        float(said.get(f"ElementToIntensityFunction{name}", k)) for name, k in (("Slope", 1), ("Offset", 0))
    )
    if not (math.isfinite(slope) and math.isfinite(offset) and slope):
        raise ReadError(f"{path} has a slope or offset that isn't a number, so its values can't be known.")
    check_sizes(shape, path, itemsize=dtype.itemsize)
    big = said.get("BinaryDataByteOrderMSB", said.get("ElementByteOrderMSB", "false")).lower() in _TRUE
    stored, compressed = dtype.newbyteorder(">" if big else "<"), said.get("CompressedData", "false").lower() in _TRUE
    expected = math.prod(shape) * dtype.itemsize
    file, begin = _place(path, said, begin, expected)
    if compressed and (file.stat().st_size - begin) * _MOST_SHRUNK < expected:
        raise ReadError(f"{file} is cut off: it can't hold the {expected} bytes that its header announces.")
    notes = [] if compressed else check_length(file, begin + expected)
    volume, lock = Volume(file, shape, stored, begin), threading.Lock()
    kept: list[NDArray[Any]] = []

    def unpacked() -> NDArray[Any]:
        with lock, damage_told(file, "MetaImage", gone=True):
            if not kept:
                unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32)
                content = unpacker.decompress(file.read_bytes()[begin:], expected + 1)
                if len(content) != expected or not unpacker.eof:
                    raise EOFError
                kept.append(np.frombuffer(content, stored).reshape(shape, order="F"))
            return kept[0]

    def read(index: tuple[Any, ...]) -> NDArray[Any]:
        found = (unpacked() if compressed else volume.array())[index]
        return found if (slope, offset) == (1, 0) else scale_slice(found, slope, offset)

    return read, dtype if (slope, offset) == (1, 0) else np.dtype(np.float32), notes


def _place(path: Path, said: dict[str, str], begin: int, expected: int) -> tuple[Path, int]:
    """Give the file of the voxels and where they begin."""
    name, skip = said["ElementDataFile"], int(said.get("HeaderSize", 0))
    if name.upper().startswith("LIST") or "%" in name or said.get("BinaryData", "true").lower() not in _TRUE:
        raise ReadError(f"{path} keeps its data in several files or as text. Save it as one binary .mha file.")
    if name.upper() == "LOCAL":
        return path, begin
    file = path.parent / name
    if not file.is_file():
        raise ReadError(f"{path} keeps its voxels in {file}, which is not there. Copy both files.")
    return file, file.stat().st_size - expected if skip == -1 else skip
