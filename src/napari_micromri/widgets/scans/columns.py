"""What the table of scans says, without Qt: a text and something to sort by for each column."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_micromri.widgets.shared.places import place as place_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from napari_micromri.study.discovery import Found

MOST_B_VALUES = 4


@dataclass(frozen=True)
class Column:
    """A column. ``key`` sorts; all its values are of one type."""

    title: str
    tooltip: str
    text: Callable[[Found], str]
    key: Callable[[Found], str | float]


def _text(column: str, tooltip: str, text: Callable[[Found], str]) -> Column:
    return Column(column, tooltip, text, lambda found: text(found).lower())


def protocol(found: Found) -> str:
    """Give the protocol, or the name where the file has none."""
    return found.scan.info.protocol or found.scan.info.name


def matrix(found: Found) -> str:
    """Write the matrix as a lab does: columns × rows × slices, then weightings and repetitions."""
    sizes = dict(zip(found.scan.info.axes, found.scan.shape, strict=True))
    grid = " × ".join(str(sizes[axis]) for axis in "xyz" if axis in sizes and (found.whole or axis != "z"))
    return grid + "".join(f", {sizes[axis]} {axis}" for axis in "bt" if axis in sizes)


def voxel_size(found: Found) -> str:
    """Write the voxel size in mm, in the order of the matrix."""
    return " × ".join(f"{size:.3g}" for size in reversed(found.scan.info.voxel_size))


def b_values(found: Found) -> str:
    """List the different b-values, or the first and the last of many."""
    values = sorted({round(b) for b in found.scan.info.b_values or ()})
    if len(values) <= MOST_B_VALUES:
        return ", ".join(map(str, values))
    return f"{values[0]} … {values[-1]} ({len(values)})"


def place(found: Found) -> str:
    """Tell where a scan is from."""
    return place_of(found.source)


def _place_key(found: Found) -> str:
    """Sort 10 after 9."""
    return "".join(word.zfill(9) if word.isdigit() else word for word in place(found).replace(",", " ,").split(" "))


COLUMNS = (
    Column("Scan", "Protocol, or the name where the file has none.", protocol, lambda f: protocol(f).lower()),
    _text("Plane", "From the protocol, else from the directions in the header.", lambda f: _known(f.plane)),
    Column("Matrix", "Columns × rows × slices.", matrix, lambda f: math.prod(f.scan.shape[-2:])),
    Column("Voxel (mm)", "In the plane, and from slice to slice.", voxel_size, lambda f: _pixel(f)),
    Column("Averages", "As the header says.", lambda f: str(f.scan.info.averages or ""), lambda f: _averages(f)),
    _text("Subject", "From the header, else from the names of file and folder.", lambda f: f.subject),
    _text("Date", "Of the acquisition, by the scanner's clock.", lambda f: _date(f)),
    Column("b (s/mm²)", "b-values of a diffusion series.", b_values, lambda f: max(f.scan.info.b_values or (-1.0,))),
    Column("Where", "Number of the scan in its study, or file.", place, _place_key),
)
"""In the order in which one looks for a scan: the dock is narrow."""


def matches(words: str, found: Found) -> bool:
    """Tell whether each word is somewhere in the row, or in the path."""
    said = " ".join([*(column.text(found) for column in COLUMNS), found.region, found.source.path]).lower()
    return all(word in said for word in words.lower().split())


def describe(found: Found) -> str:
    """Say all that the table says of a scan, for a tooltip."""
    lines = [f"{column.title}: {text}" for column in COLUMNS if (text := column.text(found))]
    return "\n".join([*lines, str(found.source), *found.notes, *found.scan.info.warnings])


def layer_name(found: Found, others: Iterable[Found]) -> str:
    """Name the layer of a scan so that its end tells it from the others: napari cuts long names in the middle."""
    name = found.scan.info.name
    study = Path(found.source.path).parent.name == "pdata"
    alike = sum(other.scan.info.name == name for other in others) > 1
    return f"{name} ({place(found)})" if study or alike else name


def summary(found: Sequence[Found], left_out: int, shown: int, *, busy: bool) -> str:
    """Count what was found."""
    count = f"{len(found)} scan{'s' * (len(found) != 1)}"
    parts = [count if shown == len(found) else f"{shown} of {count} shown"]
    if left_out:
        parts.append(f"{left_out} left out")
    return ", ".join(parts) + (", looking for more…" if busy else ".")


def _known(text: str) -> str:
    from napari_micromri.study.plan import UNKNOWN

    return "" if text == UNKNOWN else text


def _pixel(found: Found) -> float:
    return math.prod(found.scan.info.voxel_size[-2:])


def _averages(found: Found) -> float:
    return float(found.scan.info.averages or 0)


def _date(found: Found) -> str:
    return (found.scan.info.date or "").replace("T", " ")[:16]
