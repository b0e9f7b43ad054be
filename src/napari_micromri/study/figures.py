"""The stored figures of a pair's slices: kept as the columns of the file, seen as one entry per slice.

A study has a hundred thousand of them, and most are never looked at one by one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

if TYPE_CHECKING:
    from collections.abc import Iterable

DIGITS = 6
"""Significant ones in the file; no measurement of noise is surer."""


class SliceFigures(Sequence[Mapping[str, float]]):
    """Named measurements of each slice, made from columns of JSON, where NaN is null.

    Raises
    ------
    ValueError
        A column isn't a list of numbers, or not as long as the others.
    """

    def __init__(self, columns: Mapping[str, Any]) -> None:
        for name, column in columns.items():
            if not isinstance(column, list) or not set(map(type, column)) <= {float, int, type(None)}:
                raise ValueError(f"its measurement '{name}' isn't a list of numbers")
        lengths = set(map(len, columns.values()))
        if len(lengths) > 1:
            raise ValueError("its measurements differ in their number of slices")
        self._columns = dict(columns)
        self._count = lengths.pop() if lengths else 0

    @property
    def names(self) -> tuple[str, ...]:
        """What was measured."""
        return tuple(self._columns)

    def column(self, name: str) -> list[float]:
        """Give one measurement of every slice; NaN where there is none."""
        return [math.nan if value is None else value for value in self._columns.get(name, [None] * self._count)]

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, number: int, /) -> dict[str, float]: ...
    @overload
    def __getitem__(self, number: slice, /) -> list[dict[str, float]]: ...

    def __getitem__(self, number: int | slice, /) -> dict[str, float] | list[dict[str, float]]:
        if isinstance(number, slice):
            return [self[k] for k in range(*number.indices(self._count))]
        values = ((name, column[number]) for name, column in self._columns.items())
        return {name: math.nan if value is None else value for name, value in values}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return columns_of(self) == columns_of(other)

    def __hash__(self) -> int:
        return hash((self.names, self._count))

    def __repr__(self) -> str:
        return f"SliceFigures({self._count} slices of {', '.join(self.names)})"


def columns_of(figures: Iterable[Mapping[str, float]]) -> dict[str, list[float | None]]:
    """Turn one entry per slice into one list per measurement, as it stands in the file."""
    rows = list(figures)
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [_rounded(row.get(name, math.nan)) for row in rows] for name in names}


def _rounded(value: float) -> float | None:
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None  # JSON knows neither NaN nor infinity
