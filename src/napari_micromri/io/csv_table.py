"""The one writer of CSV tables: no name becomes a formula in a spreadsheet, and what isn't a number is empty."""

from __future__ import annotations

import csv
import math
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_FORMULA = "=+-@\t\r"


def write_csv(
    stream: TextIO,
    columns: Sequence[str],
    rows: Iterable[Sequence[Any] | Mapping[str, Any]],
    *,
    delimiter: str = ",",
) -> None:
    """Write a header and rows, in full precision, to a stream that was opened with ``newline=""``.

    Names that a spreadsheet would take for a formula get an apostrophe in front; `plain` takes it away.
    """
    writer = csv.writer(stream, delimiter=delimiter, lineterminator="\n")
    writer.writerow([_cell(name) for name in columns])
    for row in rows:
        values = row if not hasattr(row, "keys") else [row.get(name) for name in columns]  # type: ignore[union-attr]
        writer.writerow([_cell(value) for value in values])


def _cell(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return f"'{value}" if isinstance(value, str) and value and value[0] in _FORMULA else value


def plain(cell: str) -> str:
    """Give the text that `write_csv` wrote."""
    return cell[1:] if cell[:1] == "'" and cell[1:2] and cell[1] in _FORMULA else cell
