"""Units of length and time, by the names that files give them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_MILLIMETRES = {
    "angstrom": 1e-7,
    "nanometer": 1e-6,
    "nm": 1e-6,
    "micrometer": 1e-3,
    "micron": 1e-3,
    "um": 1e-3,
    "µm": 1e-3,
    "\\u00b5m": 1e-3,  # as ImageJ writes it
    "millimeter": 1.0,
    "mm": 1.0,
    "centimeter": 10.0,
    "cm": 10.0,
    "meter": 1e3,
    "m": 1e3,
    "inch": 25.4,
}
_SECONDS = {
    "s": 1.0,
    "sec": 1.0,
    "second": 1.0,
    "ms": 1e-3,
    "msec": 1e-3,
    "millisecond": 1e-3,
    "us": 1e-6,
    "µs": 1e-6,
    "usec": 1e-6,
    "microsecond": 1e-6,
    "min": 60.0,
    "minute": 60.0,
    "h": 3600.0,
    "hour": 3600.0,
}


def millimetres(unit: object) -> float | None:
    """Give the length of a unit in mm; None for what isn't a unit of length."""
    return _of(unit, _MILLIMETRES)


def seconds(unit: object) -> float | None:
    """Give the length of a unit in s; None for what isn't a unit of time."""
    return _of(unit, _SECONDS)


def millimetres_or_one(unit: object, file: object) -> tuple[float, list[str]]:
    """Take mm where a file names no unit, and where it names an unknown one, which is told."""
    found = millimetres(unit)
    told = [f"{file} gives its voxel size in '{unit}', which isn't a known unit of length; mm is taken."]
    return found or 1.0, told if found is None and _word(unit) else []


def _of(unit: object, table: Mapping[str, float]) -> float | None:
    word = _word(unit).replace("metre", "meter")
    return table.get(word.removesuffix("s") if len(word) > 3 else word)


def _word(unit: object) -> str:
    return str(unit or "").strip().lower().replace("\u03bc", "µ")
