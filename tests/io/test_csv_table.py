"""Tables hold what was said, and nothing that a spreadsheet would compute."""

from __future__ import annotations

import csv
import io
import math
import re
from pathlib import Path

import pytest

import napari_micromri
from napari_micromri.io.csv_table import plain, write_csv

NAMES = ["=1+1", "+cmd|' /C calc'!A0", "-2", "@SUM(A1)", "\tx", "mouse 1", "", "'quoted", 'a,"b"\nc']


def written(columns: list[str], rows: list[object]) -> list[list[str]]:
    stream = io.StringIO(newline="")
    write_csv(stream, columns, rows)
    return list(csv.reader(io.StringIO(stream.getvalue(), newline="")))


@pytest.mark.parametrize("name", NAMES)
def test_names_are_no_formulas_and_come_back(name: str) -> None:
    _, [cell] = written(["name"], [[name]]) if name else ([], [""])
    assert not re.match(r"[=+\-@\t\r]", cell)
    assert plain(cell) == name


def test_figures_keep_their_sign_and_their_digits_and_what_is_none_is_empty() -> None:
    header, row = written(["=a", "b", "c", "d"], [{"=a": -0.1 - 0.2, "b": -3, "c": math.nan, "d": None}])
    assert header == ["'=a", "b", "c", "d"]
    assert (float(row[0]), row[1:]) == (-0.1 - 0.2, ["-3", "", ""])


def test_there_is_no_other_writer() -> None:
    """Whoever writes a table by other means forgets the formulas."""
    root = Path(napari_micromri.__file__).parent
    others = [path for path in root.rglob("*.py") if re.search(r"csv\.(writer|DictWriter)\(", path.read_text("utf-8"))]
    assert [path.name for path in others] == ["csv_table.py"]
