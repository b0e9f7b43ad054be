"""The parameter files of ParaVision (``visu_pars``, ``method``, ``acqp``), a dialect of JCAMP-DX 4.24."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_micromri.errors import ReadError, describe_os_error

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_LARGEST_FILE = 2**26
_MOST_NUMBERS = 5_000_000

_RECORD = re.compile(r"^##\$(\w+)=\s*", re.MULTILINE)
_SIZE = re.compile(r"\(\s*\d+(?:\s*,\s*\d+)*\s*\)[ \t]*\n")
_STRING = re.compile(r"<((?:\\.|[^<>\\])*)>|<([^<>]*)>", re.DOTALL)
_STRUCT = re.compile(r"\(((?:<(?:\\.|[^<>\\])*>|<[^<>]*>|[^()<>])*)\)", re.DOTALL)
_FIELD = re.compile(r"\s*(<(?:\\.|[^<>\\])*>|<[^<>]*>|[^,<>]+)\s*(?:,|$)", re.DOTALL)
_WORD = re.compile(r"@(\d+)\*\(([^()]*)\)|(\S+)")


@dataclass(frozen=True)
class Parameters:
    """The records of a parameter file as text, interpreted when asked for; a missing one is None or empty."""

    records: dict[str, str]

    def __contains__(self, name: str) -> bool:
        return name in self.records

    def text(self, name: str) -> str | None:
        """First string or word of a record; None when it is missing or empty."""
        found = self.texts(name)
        return found[0].strip() or None if found else None

    def texts(self, name: str) -> list[str]:
        """Strings of a record, or its words when it has no strings."""
        body = self.records.get(name, "")
        strings = [(a or b).replace("\n", "") for a, b in _STRING.findall(body)]
        return strings or body.split()

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Numbers of a record, one after the other; ParaVision 360's ``@20*(0.96)`` stands for twenty of them.

        Raises
        ------
        ValueError
            Not numbers, or more than any scan has.
        """
        values: list[float] = []
        for count, repeated, word in _WORD.findall(self.records.get(name, "")):
            if word:
                values.append(float(word))
            elif len(values) + int(count[:12]) * (repeated.count(" ") + 1) > _MOST_NUMBERS:
                raise ValueError(f"{name} has more values than any scan")
            else:
                values.extend([float(v) for v in repeated.split()] * int(count))
        return np.array(values, dtype=float)

    def number(self, name: str) -> float | None:
        """First number of a record, None when there is none."""
        try:
            values = self.numbers(name)
        except ValueError:
            return None
        return float(values[0]) if values.size and np.isfinite(values[0]) else None

    def structs(self, name: str) -> list[list[str]]:
        """Split entries in parentheses, e.g. ``(5, <FG_SLICE>, <>, 0, 2)``, into texts without quotes."""
        body = self.records.get(name, "")
        return [[_unquoted(field) for field in _FIELD.findall(fields)] for fields in _STRUCT.findall(body)]


def read_parameters(path: Path) -> Parameters:
    """Read a parameter file.

    Raises
    ------
    ReadError
        It is missing, far too large, or holds no parameters.
    """
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise ReadError(f"{path} is too large for a parameter file of ParaVision. Copy the scan again.")
        # ParaVision 360 writes UTF-8; the comments of earlier versions may be in Latin-1 and aren't needed.
        parameters = parse_parameters(path.read_text(encoding="utf-8", errors="replace"))
    except OSError as error:
        raise ReadError(describe_os_error(error, path)) from error
    if not parameters.records:
        raise ReadError(f"{path} is empty or no parameter file of ParaVision. Copy the scan again.")
    return parameters


def parse_parameters(text: str) -> Parameters:
    """Split the text of a parameter file into its records; comments and sizes of arrays are left away."""
    lines = [line for line in text.replace("\r\n", "\n").split("\n") if not line.startswith("$$")]
    body = "\n".join(lines)
    records = {}
    for start in _RECORD.finditer(body):
        stop = body.find("\n##", start.end() - 1)
        value = body[start.end() : stop if stop >= 0 else len(body)] + "\n"
        size = _SIZE.match(value)
        rest = value[size.end() :].strip() if size else ""
        records[start.group(1)] = rest if rest else value.strip()
    return Parameters(records)


def _unquoted(field: str) -> str:
    field = field.strip()
    return field[1:-1].replace("\n", "") if field.startswith("<") and field.endswith(">") else field
