"""Read MetaImage files, .mha and .mhd, with SimpleITK."""

from __future__ import annotations

import math
import threading
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri.errors import ReadError
from napari_micromri.io.damage import damage_told
from napari_micromri.io.geometry import LPS_TO_RAS, geometry_from_steps
from napari_micromri.io.grid import describe_grid, lazy_grid
from napari_micromri.io.lazy import scale_slice
from napari_micromri.io.nibabel_reader import needs
from napari_micromri.scan import Scan

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_micromri.io.grid import Reader

_LONGEST_HEADER = 2**20
_MOST_SHRUNK = 1100
_PLACED = {"TransformMatrix", "Rotation", "Orientation"}


def read_metaimage(path: Path) -> list[Scan]:
    """Open an ``.mha`` file, or an ``.mhd`` with its data beside it, as one scan.

    Uncompressed data are read slice by slice, others as a whole when the first slice is looked at.

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
        dtype = _dtype(image)
        _check_length(path, said, begin, math.prod(shape) * dtype.itemsize)
        spatial = range(min(count, 3))[::-1]
        turn = np.reshape(image.GetDirection(), (count, count))
        steps = np.zeros((len(spatial), 3))
        steps[:, : len(spatial)] = [turn[: len(spatial), k] * image.GetSpacing()[k] for k in spatial]
        first = np.zeros(3)
        first[: len(spatial)] = image.GetOrigin()[: len(spatial)]
        info, axes = describe_grid(
            path,
            path.name.rsplit(".", 1)[0],
            geometry_from_steps(steps * LPS_TO_RAS, first * LPS_TO_RAS),
            spatial,
            known=count > 2 and bool(_PLACED & said.keys()),
            outer={"t": 3} if count == 4 and shape[3] > 1 else {},
        )
        read, scaled = _voxels(path, said)
        data = lazy_grid(read, shape, axes, np.dtype(np.float32) if scaled else dtype, path)
    notes = [] if "ElementSpacing" in said else [f"{path} doesn't say how large its voxels are; 1 mm is taken."]
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


def _check_length(path: Path, said: dict[str, str], begin: int, expected: int) -> None:
    name = said["ElementDataFile"]
    if name.upper().startswith("LIST") or "%" in name:
        raise ReadError(f"{path} keeps its data in several files, which isn't supported. Save it as one .mha file.")
    file, begin = (path, begin) if name.upper() == "LOCAL" else (path.parent / name, 0)
    if not file.is_file():
        raise ReadError(f"{path} keeps its voxels in {file}, which is not there. Copy both files.")
    most = (file.stat().st_size - begin) * (_MOST_SHRUNK if _is_compressed(said) else 1)
    if most < expected:
        raise ReadError(f"{file} is cut off: it can't hold the {expected} bytes that its header announces.")


def _is_compressed(said: dict[str, str]) -> bool:
    return said.get("CompressedData", "False").lower() in ("true", "1")


def _voxels(path: Path, said: dict[str, str]) -> tuple[Reader, bool]:
    """Give what reads the voxels, and whether it scales them, which SimpleITK doesn't do."""
    sitk = import_module("SimpleITK")
    slope = float(said.get("ElementToIntensityFunctionSlope", 1))
    offset = float(said.get("ElementToIntensityFunctionOffset", 0))
    if not (math.isfinite(slope) and math.isfinite(offset) and slope):
        raise ReadError(f"{path} has a slope or offset that is no number, so its values can't be known.")
    scaled = (slope, offset) != (1, 0)
    kept: list[NDArray[Any]] = []
    lock = threading.Lock()

    def stored(index: tuple[Any, ...]) -> NDArray[Any]:
        image = _opened(path)
        if _is_compressed(said):
            if not kept:
                kept.append(sitk.GetArrayFromImage(image.Execute()).T)
            return np.asarray(kept[0][index])
        image.ReadImageInformation()
        full = image.GetSize()
        image.SetExtractIndex([0 if isinstance(k, slice) else int(k) for k in index])
        image.SetExtractSize([full[a] if isinstance(k, slice) else 1 for a, k in enumerate(index)])
        within = tuple(k if isinstance(k, slice) else 0 for k in index)
        return np.asarray(sitk.GetArrayFromImage(image.Execute()).T[within])

    def read(index: tuple[Any, ...]) -> NDArray[Any]:
        with lock, damage_told(path, "MetaImage"):
            found = np.asarray(stored(index))
        return scale_slice(found, slope, offset) if scaled else found

    return read, scaled
