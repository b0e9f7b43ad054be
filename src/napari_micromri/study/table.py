"""Plans as CSV tables, for people who know best which scans belong together."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

from napari_micromri.errors import MicroMRIError, StudyError
from napari_micromri.io.atomic import atomic_output
from napari_micromri.io.csv_table import read_csv, write_csv
from napari_micromri.study.plan import Plan, PlannedPair, Source

if TYPE_CHECKING:
    from collections.abc import Iterator

NEEDED = ("subject", "region", "plane", "lr", "hr")
COLUMNS = (*NEEDED, "session")
_NAMED = 20


def plan_from_csv(path: Path | str) -> Plan:
    """Read a table with the columns subject, region, plane, lr, hr and perhaps session.

    Values are separated by commas, semicolons or tabs. ``lr`` and ``hr`` are paths, relative ones from the table's
    folder on; behind the path of several scans stands ``#`` and the name or the number (from 1) of one. The headers of
    all scans are opened. Empty lines and lines that begin with ``#`` are passed by.

    Raises
    ------
    StudyError
        Columns are missing, or lines are wrong; the message names each of those with its number.
    ReadError
        The table can't be read as text.
    """
    table = Path(path)
    pairs: list[PlannedPair] = []
    problems: list[str] = []
    lines: dict[tuple[str, ...], int] = {}
    for number, row in _rows(table):
        try:
            pair = _planned(row, table.parent)
            if pair.identity in lines:
                raise StudyError(
                    f"it repeats the pair '{pair}' of line {lines[pair.identity]}; give it another region or session."
                )
        except MicroMRIError as error:
            problems.append(f"line {number}: {error}")
        else:
            lines[pair.identity] = number
            pairs.append(pair)
    if problems:
        shown = "\n".join(f"  {problem}" for problem in problems[:_NAMED])
        more = f"\n  and {len(problems) - _NAMED} more" if len(problems) > _NAMED else ""
        raise StudyError(f"{table} has {_count(len(problems), 'wrong line')}; nothing was built:\n{shown}{more}")
    if not pairs:
        raise StudyError(f"{table} has no pairs below its line of column names.")
    return Plan(tuple(pairs))


def write_table(plan: Plan, path: Path | str, *, overwrite: bool = False) -> None:
    """Write the pairs of a plan in the form that `plan_from_csv` reads; what was left out follows as comments.

    Raises
    ------
    StudyError
        A pair is simulated, which a table can't say.
    OutputExistsError, WriteError
        See `atomic_output`.
    """
    text = io.StringIO()
    rows = []
    for pair in plan.pairs:
        if not isinstance(pair.lr, Source):
            raise StudyError("A table names two scans for each pair, so it can't hold simulated ones.")
        sources = (os.path.abspath(source.path) + str(source)[len(source.path) :] for source in (pair.lr, pair.hr))
        rows.append((pair.subject, pair.region, pair.plane, *sources, pair.session or ""))
    write_csv(text, COLUMNS, rows)
    for entry in plan.rejected:
        what = entry.path if entry.scan is None else f"{entry.path} '{entry.scan}'"
        text.write(" ".join(f"# left out: {what}: {entry.reason}".split()) + "\n")
    with atomic_output(path, overwrite=overwrite) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")


def _rows(table: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Give the number and the values by column of every line with a pair."""
    lines = read_csv(table)
    if not lines:
        raise StudyError(f"{table} is empty. It needs a line with the column names {', '.join(NEEDED)}.")
    (first, columns), *rest = lines
    if missing := [name for name in NEEDED if name not in columns]:
        raise StudyError(f"{table} has no column {', '.join(missing)} in line {first}. It needs {', '.join(NEEDED)}.")
    for number, values in rest:
        yield number, dict(zip(columns, values, strict=False)) | {"": str(len(values) - len(columns))}


def _planned(row: dict[str, str], folder: Path) -> PlannedPair:
    if (surplus := int(row.pop(""))) > 0:
        raise StudyError(f"it has {_count(surplus, 'value')} more than there are columns; put quotes around commas.")
    if empty := [name for name in NEEDED if not row.get(name)]:
        hint = " (pairs without LR are built with --simulate from the HR scans)" if empty == ["lr"] else ""
        raise StudyError(f"{' and '.join(empty)} {'are' if len(empty) > 1 else 'is'} empty{hint}.")
    lr, hr = Source.parse(row["lr"], folder), Source.parse(row["hr"], folder)
    if lr == hr:
        raise StudyError("lr and hr are the same scan.")
    shapes = [_shape(source) for source in (lr, hr)]
    if shapes[0][0] != shapes[1][0]:
        raise StudyError(f"lr has {_count(shapes[0][0], 'slice')} and hr {shapes[1][0]}.")
    if any(low > high for low, high in zip(shapes[0][1:], shapes[1][1:], strict=True)):
        raise StudyError(f"lr is finer than hr ({_size(shapes[0])} and {_size(shapes[1])}); are they exchanged?")
    return PlannedPair(
        subject=row["subject"],
        region=row["region"],
        plane=row["plane"],
        session=row.get("session") or None,
        lr=lr,
        hr=hr,
        slice_count=shapes[1][0],
    )


def _shape(source: Source) -> tuple[int, ...]:
    scan = source.open()
    if scan.info.axes != "zyx":
        raise StudyError(f"{source} has the axes {scan.info.axes}; a pair is made of plain stacks of slices, zyx.")
    return scan.shape


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]} × {shape[2]}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
