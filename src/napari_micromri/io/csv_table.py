"""The one writer and the one reader of CSV tables.

No name becomes a formula in a spreadsheet, and what isn't a number is empty.
"""

from __future__ import annotations

import csv
import math
from typing import TYPE_CHECKING, Any, TextIO

from napari_micromri.errors import ReadError, describe_os_error

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

_DELIMITERS = ",;\t"
_ASIDE = ("#", "sep=")
"""Comments, and the line by which Excel knows the separator."""

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


def read_csv(table: Path) -> list[tuple[int, list[str]]]:
    """Read the lines of a table that a person or a spreadsheet wrote, with their numbers from 1.

    Values are separated by commas, semicolons or tabs. The first line is that of the column names, in lower case.
    Empty lines and lines that begin with ``#`` are passed by.

    Raises
    ------
    ReadError
        The table can't be read as text.
    """
    try:
        lines = table.read_bytes().decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ReadError(f"{table} isn't UTF-8 text. Save the table as 'CSV UTF-8'.") from error
    except OSError as error:
        raise ReadError(describe_os_error(error, table)) from error
    kept = [(number, line) for number, line in enumerate(lines, 1) if line.strip() and not line.startswith(_ASIDE)]
    if not kept:
        return []
    delimiter = max(_DELIMITERS, key=kept[0][1].count)
    cells = [[plain(value.strip()) for value in next(csv.reader([line], delimiter=delimiter))] for _, line in kept]
    cells[0] = [name.lower() for name in cells[0]]
    return [(number, values) for (number, _), values in zip(kept, cells, strict=True)]
