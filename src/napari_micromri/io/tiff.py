"""Read TIFF stacks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri.errors import ReadError
from napari_micromri.io.damage import damage_told
from napari_micromri.io.lazy import check_dtype, check_sizes, lazy_slices, reordered, scale_slice
from napari_micromri.io.naming import plane_in, region_in
from napari_micromri.io.telling import complaints
from napari_micromri.io.tiff_metadata import Said, said_of
from napari_micromri.scan import AXES, SPATIAL_AXES, Scan, ScanInfo

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


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
        said = [said_of(file, number, path) for number in range(len(stacks))]
        for stack in stacks:
            _check(stack, path)
        if any(words in text for text in told for words in LOST_PAGES):
            raise ReadError(f"{path} is cut off or damaged. Copy or export it again.")
    return [_scan(path, stack, said[k], k if len(stacks) > 1 else None) for k, stack in enumerate(stacks)]


LOST_PAGES = "page offset", "offset to page", "corrupted", "failed to reshape"
"""What tifffile logs when it gives up after the pages that it could read."""


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


def _scan(path: Path, stack: _Stack, said: Said, number: int | None) -> Scan:
    letters = _letters(stack.axes)
    axes = "".join(a for a in AXES if a in letters)
    name = path.name.split(".")[0] + ("" if number is None else f" {number + 1}")
    stated = [size for size, a in zip(said.sizes, SPATIAL_AXES, strict=True) if a in axes]
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
        time_step=said.time_step if "t" in axes else None,
    ).with_warnings([*said.notes, *([] if all(stated) else [silent])])
    plain = said.scale == (1.0, 0.0)

    def read_slice(index: tuple[int, ...]) -> NDArray[Any]:
        pixels = _read_page(path, stack, int(np.ravel_multi_index(index, stack.shape[:-2])) if index else 0)
        return pixels if plain else scale_slice(pixels, *said.scale)

    dtype = stack.dtype.newbyteorder("=") if plain else np.dtype(np.float32)
    data = lazy_slices(read_slice, stack.shape, dtype)
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
