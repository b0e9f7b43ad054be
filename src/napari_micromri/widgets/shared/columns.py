"""Columns of a table, without Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

RowT = TypeVar("RowT")


@dataclass(frozen=True)
class Column(Generic[RowT]):
    """A column: what it says of a row, and what it is sorted by. Rows whose ``key`` is None come last either way."""

    title: str
    tooltip: str
    text: Callable[[RowT], str]
    key: Callable[[RowT], float | str | None]
