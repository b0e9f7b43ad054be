"""What a TIFF file says of its voxels, in the manner of ImageJ, of OME, or by the resolution of its pages."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from napari_micromri.errors import ReadError
from napari_micromri.io.telling import inverted
from napari_micromri.io.units import millimetres, millimetres_or_one, seconds

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    Sizes = tuple[float | None, float | None, float | None]

_RESOLUTION_UNITS = {2: 25.4, 3: 10.0}  # of the tag ResolutionUnit: inch, centimetre
_PRINTERS = (72, 75, 96, 100, 150, 300, 600)  # dots per inch that programs write without knowing
_STRAIGHT_LINE, _NO_CURVE = 0, 20  # ImageJ's numbers of what turns pixels into values


class Said(NamedTuple):
    """What is known of a series of pages.

    ``sizes``: of a voxel along z, y, x in mm, None where unknown. ``time_step``: in s. ``scale``: slope and offset that
    turn pixels into values.
    """

    sizes: Sizes
    time_step: float | None = None
    scale: tuple[float, float] = (1.0, 0.0)
    notes: tuple[str, ...] = ()


def said_of(file: Any, number: int, path: Path) -> Said:
    """Read what a file says of one of its series, given by its number.

    Raises
    ------
    ReadError
        It turns pixels into values by a curve.
    """
    page = file.series[number].keyframe
    if file.ome_metadata:
        said = _ome(file.ome_metadata, number)
    elif file.imagej_metadata:
        said = _imagej(file.imagej_metadata, _resolution(page), path)
    else:
        said = Said(_sizes_of_page(page))
    return said._replace(notes=(*said.notes, *_notes(page, file.series[number].axes, path)))


def _notes(page: Any, axes: str, path: Path) -> list[str]:
    notes = [inverted(path)] if page.photometric.name == "MINISWHITE" else []
    if page.photometric.name == "PALETTE":
        notes.append(f"{path} has a table of colours, which is left out: its numbers are taken for the values.")
    if (orientation := int(page.tags.valueof("Orientation", default=1))) != 1:
        notes.append(f"{path} is stored turned or mirrored (orientation {orientation}), which is not shown.")
    if "C" in axes:
        notes.append(f"{path}: its channels are shown one after the other along t.")
    return notes


def _imagej(metadata: Mapping[str, Any], resolution: tuple[float, float], path: Path) -> Said:
    unit, spacing, (y, x) = metadata.get("unit"), metadata.get("spacing"), resolution
    curve = metadata.get("cf", _NO_CURVE)
    if curve not in (_STRAIGHT_LINE, _NO_CURVE):
        raise ReadError(f"{path} turns its pixels into values by a curve. Convert it to 32 bits in ImageJ and save it.")
    slope, offset = (float(metadata.get(key, k)) if curve == _STRAIGHT_LINE else k for key, k in (("c1", 1), ("c0", 0)))
    if not (math.isfinite(slope) and math.isfinite(offset) and slope):
        raise ReadError(f"{path} states the slope {slope:g} and the offset {offset:g}: its values can't be known.")
    second, interval = seconds(metadata.get("tunit", "s")), metadata.get("finterval")
    step = _positive(float(interval) * second) if second and isinstance(interval, (int, float)) else None
    if millimetres(unit) is None and resolution == (1.0, 1.0):
        return Said((None, None, None), step, (slope, offset))
    scale, notes = millimetres_or_one(unit or "pixel", path)
    z = float(spacing) if isinstance(spacing, (int, float)) else math.nan
    sizes = _positive(z * scale), _positive(y * scale), _positive(x * scale)
    return Said(sizes, step, (slope, offset), tuple(notes))


def _sizes_of_page(page: Any) -> Sizes:
    y, x = _resolution(page)
    tag = int(page.tags.valueof("ResolutionUnit", default=1))
    scale = _RESOLUTION_UNITS.get(tag, math.nan)
    if tag == 2 and round(1 / x) in _PRINTERS:
        scale = math.nan
    return None, _positive(y * scale), _positive(x * scale)


def _ome(xml: str, number: int) -> Said:
    """Read the attributes of one image; their units are µm and s where none is given."""
    pixels = re.findall(r"<(?:\w+:)?Pixels\b[^>]*>", xml)
    tag = pixels[number] if number < len(pixels) else ""

    def stated(name: str, usual: str, length: Any) -> float | None:
        value, unit = (re.search(rf'\b{key}="([^"]+)"', tag) for key in (name, f"{name}Unit"))
        return _positive(float(value[1]) * (length(unit[1] if unit else usual) or math.nan)) if value else None

    z, y, x = (stated(f"PhysicalSize{axis}", "µm", millimetres) for axis in "ZYX")
    return Said((z, y, x), stated("TimeIncrement", "s", seconds))


def _resolution(page: Any) -> tuple[float, float]:
    """Give the length of a pixel along y and x, from the tags (numerator, denominator)."""
    y, x = (page.tags.valueof(name) for name in ("YResolution", "XResolution"))
    return _inverse(y), _inverse(x)


def _inverse(resolution: Any) -> float:
    if not isinstance(resolution, tuple) or len(resolution) != 2 or not resolution[0]:
        return 1.0
    return float(resolution[1] / resolution[0])


def _positive(value: float) -> float | None:
    return value if 0 < value < math.inf else None
