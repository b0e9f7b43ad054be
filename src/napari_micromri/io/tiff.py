"""Read TIFF stacks."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri.errors import ReadError
from napari_micromri.io.damage import damage_told
from napari_micromri.io.lazy import check_dtype, check_sizes, lazy_slices, reordered
from napari_micromri.io.naming import plane_in, region_in
from napari_micromri.io.ome_metadata import MILLIMETRES
from napari_micromri.io.telling import complaints, inverted, with_warnings
from napari_micromri.scan import AXES, SPATIAL_AXES, Scan, ScanInfo

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_UNITS = MILLIMETRES | {"\\u00b5m": 1e-3}
_RESOLUTION_UNITS = {2: 25.4, 3: 10.0}  # of the tag ResolutionUnit: inch, centimetre
_PRINTERS = (72, 75, 96, 100, 150, 300, 600)  # dots per inch that programs write without knowing


def read_tiff(path: Path) -> list[Scan]:
    """Open a TIFF file, each of its image series as a scan, its pages as slices; a page is read when looked at.

    The voxel size comes from ImageJ's or OME's metadata, or the resolution of the pages; what is missing is 1 mm, and
    a warning says so. Give ``voxel_size`` to `open_scan` where a file is silent or wrong.

    Raises
    ------
    ReadError
        Not a TIFF file, damaged, cut off, or a colour picture.
    """
    import tifffile

    with damage_told(path, "TIFF"), complaints("tifffile") as told, tifffile.TiffFile(path) as file:
        stacks = _stacks(file, path)
        sizes = _voxel_size(file)
        for stack in stacks:
            _check(stack, path)
        if any("page offset" in text or "corrupted" in text for text in told):
            raise ReadError(f"{path} is cut off or damaged. Copy or export it again.")
        page: Any = file.pages[0]
        notes = [inverted(path)] if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE else []
    return with_warnings(
        [_scan(path, stack, sizes, k if len(stacks) > 1 else None) for k, stack in enumerate(stacks)], notes
    )


@dataclass(frozen=True)
class _Stack:
    """Pages that make one array: where its values lie in a row in the file, or the numbers of its pages."""

    shape: tuple[int, ...]
    axes: str
    dtype: np.dtype[Any]
    offset: int | None
    pages: tuple[int, ...]
    end: int


def _stacks(file: Any, path: Path) -> list[_Stack]:
    series = list(file.series)
    alike = {(s.shape, s.dtype) for s in series}
    if len(series) > 1 and len(alike) == 1 and len(series[0].shape) == 2:
        # Pages that were written one by one and belong together.
        shape = (len(series), *series[0].shape)
        pages = [s.keyframe for s in series]
        return [_stack(shape, "ZYX", np.dtype(series[0].dtype), None, pages)]
    if not series:
        raise ReadError(f"{path} holds no image.")
    found = []
    for s in series:
        pages = list(s.pages)
        dtype = np.dtype(s.dtype).newbyteorder(file.byteorder)
        found.append(_stack(tuple(s.shape), s.axes, dtype, s.dataoffset, pages))
    return found


def _stack(shape: tuple[int, ...], axes: str, dtype: np.dtype[Any], offset: int | None, pages: list[Any]) -> _Stack:
    """Leave away axes of length 1 other than z, and note where the data end."""
    kept = [k for k, (n, a) in enumerate(zip(shape, axes, strict=True)) if n > 1 or a in "ZYX"]
    if offset is not None:
        end = offset + math.prod(shape) * dtype.itemsize
    else:
        end = max(o + n for page in pages for o, n in zip(page.dataoffsets, page.databytecounts, strict=True))
    numbers = tuple(int(page.index) for page in pages) if offset is None else ()
    return _Stack(tuple(shape[k] for k in kept), "".join(axes[k] for k in kept), dtype, offset, numbers, end)


def _check(stack: _Stack, path: Path) -> None:
    if "S" in stack.axes:
        raise ReadError(f"{path} is a colour picture, not a scan. Save it as a greyscale stack.")
    if not stack.axes.endswith("YX") or not 2 <= len(stack.axes) <= 4:
        raise ReadError(f"{path} has the axes {stack.axes or 'none'}, and a scan has slices of rows and columns.")
    check_dtype(stack.dtype, path)
    check_sizes(stack.shape, path, itemsize=stack.dtype.itemsize)
    if stack.end > path.stat().st_size:
        raise ReadError(f"{path} is cut off: its images end beyond the end of the file. Copy or export it again.")
    if stack.offset is None and len(stack.pages) != math.prod(stack.shape[:-2]):
        raise ReadError(f"{path} holds {len(stack.pages)} pages instead of {math.prod(stack.shape[:-2])}.")


def _letters(axes: str) -> str:
    """Our letters for the axes of a file; the last one before the rows is z unless the file says that it is time."""
    outer = ["z" if a == "Z" else "t" if a in "TC" else "?" for a in axes[:-2]]
    for k in reversed(range(len(outer))):
        if outer[k] == "?":
            outer[k] = "t" if "z" in outer else "z"
    if len(set(outer)) < len(outer):
        outer = ["t", "z"]
    return "".join(outer) + "yx"


def _voxel_size(file: Any) -> tuple[float | None, float | None, float | None]:
    """Voxel size in mm along z, y, x where the file says it."""
    if file.ome_metadata:
        return _ome_size(file.ome_metadata)
    page = file.pages[0]
    y, x = (_inverse(page.tags.valueof(name)) for name in ("YResolution", "XResolution"))
    if file.imagej_metadata:
        unit = _UNITS.get(str(file.imagej_metadata.get("unit", "")).lower(), None)
        spacing = file.imagej_metadata.get("spacing")
        if unit is None and (y, x) == (1.0, 1.0):
            return None, None, None
        unit = 1.0 if unit is None else unit  # "unit" or "pixel" beside a resolution: taken as mm
        z = float(spacing) if isinstance(spacing, (int, float)) else math.nan
        return _positive(z * unit), _positive(y * unit), _positive(x * unit)
    tag = int(page.tags.valueof("ResolutionUnit", default=1))
    scale = _RESOLUTION_UNITS.get(tag, math.nan)
    if tag == 2 and round(1 / x) in _PRINTERS:
        scale = math.nan
    return None, _positive(y * scale), _positive(x * scale)


def _ome_size(xml: str) -> tuple[float | None, float | None, float | None]:
    pixels = re.search(r"<(?:\w+:)?Pixels\b[^>]*>", xml)
    tag = pixels.group(0) if pixels else ""
    sizes = []
    for axis in "ZYX":
        value = re.search(rf'\bPhysicalSize{axis}="([^"]+)"', tag)
        unit = re.search(rf'\bPhysicalSize{axis}Unit="([^"]+)"', tag)
        scale = _UNITS.get(unit.group(1).lower(), math.nan) if unit else 1e-3
        sizes.append(_positive(float(value.group(1)) * scale) if value else None)
    return sizes[0], sizes[1], sizes[2]


def _inverse(resolution: Any) -> float:
    """Length of a pixel from a resolution tag (numerator, denominator)."""
    if not isinstance(resolution, tuple) or len(resolution) != 2 or not resolution[0]:
        return 1.0
    return float(resolution[1] / resolution[0])


def _positive(value: float) -> float | None:
    return value if 0 < value < math.inf else None


def _scan(path: Path, stack: _Stack, sizes: tuple[float | None, ...], number: int | None) -> Scan:
    letters = _letters(stack.axes)
    axes = "".join(a for a in AXES if a in letters)
    name = path.name.split(".")[0] + ("" if number is None else f" {number + 1}")
    stated = [size for size, a in zip(sizes, SPATIAL_AXES, strict=True) if a in axes]
    voxel_size = tuple(size or 1.0 for size in stated)
    used = " x ".join(f"{size:g}" for size in voxel_size)
    silent = f"{path} doesn't say how large its voxels are; {used} mm is taken. Give voxel_size to set it."
    info = ScanInfo(
        name=name,
        axes=axes,
        voxel_size=voxel_size,
        unsized=not any(stated),
        plane=plane_in([name]),
        region=region_in([name]),
        source=str(path),
    ).with_warnings([] if all(stated) else [silent])

    def read_slice(index: tuple[int, ...]) -> NDArray[Any]:
        return _read_page(path, stack, int(np.ravel_multi_index(index, stack.shape[:-2])) if index else 0)

    data = lazy_slices(read_slice, stack.shape, stack.dtype.newbyteorder("="))
    return Scan(reordered(data, [letters.index(a) for a in axes]), info)


def _read_page(path: Path, stack: _Stack, number: int) -> NDArray[Any]:
    import tifffile

    shape = stack.shape[-2:]
    with damage_told(path, "TIFF", gone=True), complaints("tifffile"):
        if stack.offset is not None:
            start = stack.offset + number * math.prod(shape) * stack.dtype.itemsize
            return np.memmap(path, stack.dtype, "r", start, shape)
        with tifffile.TiffFile(path) as file:
            found: Any = file.pages[stack.pages[number]]
            if math.prod(found.shape) != math.prod(shape) or sum(found.databytecounts) > path.stat().st_size:
                raise ReadError(f"{path} can no longer be read: it was changed or is damaged.")
            return np.asarray(found.asarray()).reshape(shape)
