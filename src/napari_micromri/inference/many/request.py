"""What is asked for: which scans, by which model, under which names."""

from __future__ import annotations

import glob
import os
import re
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from napari_micromri.errors import InputError, StudyError
from napari_micromri.io.formats import STUDY_ENDING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_micromri.study.discovery import Found
    from napari_micromri.study.plan import Rejected

NAME_FIELDS = ("name", "subject", "region", "plane", "protocol", "file", "model")
_FORBIDDEN = re.compile(r'[\x00-\x1f/\\:*?"<>|]+')
_LONGEST = 150


class ManyRequest(BaseModel):
    """The settings of the job.

    Parameters
    ----------
    inputs
        Files, folders, studies (their LR scans), tables (``.csv`` with a column ``scan`` or ``lr``), and patterns with
        ``*``.
    only
        Pattern that the name or the protocol of a scan must fit, ``*RARE*``; upper and lower case are the same.
    name
        Of each result without its file extension; see `NAME_FIELDS`.
    ending
        Of each result, which says its format.
    options
        Fields of `DenoiseOptions`.
    workers
        Scans at once on this machine.
    scheduler
        Address of a `dask.distributed` scheduler, whose workers see the same disk; None for threads here.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    inputs: tuple[str, ...] = Field(min_length=1)
    model: str
    only: str = "*"
    name: str = "{name}"
    ending: Literal[".ome.zarr", ".nii.gz", ".nii"] = ".ome.zarr"
    options: dict[str, Any] = Field(default_factory=dict)
    workers: int = Field(default=1, ge=1, le=256)
    scheduler: str | None = None


@dataclass(frozen=True)
class Wanted:
    """One scan to denoise: what `Source.parse` understands, how many slices it has, and the name of its result."""

    source: str
    slices: int
    file: str


def expand(request: ManyRequest, *, besides: Path) -> tuple[list[Wanted], list[Rejected]]:
    """Find the scans that are asked for, headers only, and those that can't be read; results in ``besides`` are none.

    Raises
    ------
    InputError, StudyError, ReadError
        A path or pattern fits nothing, a table or study can't be read, or the pattern for names makes no sense.
    """
    from napari_micromri.study.discovery import find_scans

    found, rejected = find_scans(_places(request.inputs))
    wanted: list[Wanted] = []
    taken: set[str] = set()
    for one in found:
        info = one.scan.info
        if Path(one.source.path).resolve().is_relative_to(besides.resolve()):
            continue
        if not any(fnmatch((text or "").lower(), request.only.lower()) for text in (info.name, info.protocol)):
            continue
        file = _free(_name(request, one), request.ending, taken)
        count = 1
        for size in one.scan.shape[:-2]:
            count *= size
        wanted.append(Wanted(str(one.source), count, file))
    return wanted, rejected


def _places(inputs: tuple[str, ...]) -> Iterator[str]:
    for text in inputs:
        matches = (
            [text] if os.path.exists(text) or not glob.has_magic(text) else sorted(glob.glob(text, recursive=True))
        )
        if not matches:
            raise InputError(f"Nothing fits {text}. Check the spelling.")
        for path in matches:
            if path.rstrip("/").endswith(STUDY_ENDING):
                yield from _in_study(path)
            elif path.lower().endswith(".csv"):
                yield from _in_table(Path(path))
            else:
                yield path


def _in_study(path: str) -> Iterator[str]:
    from napari_micromri.study.store import Study

    study = Study.open(path)
    yield from (os.fspath(study.path / key / "lr") for key in study.pairs_by_key)


def _in_table(table: Path) -> Iterator[str]:
    from napari_micromri.io.csv_table import read_csv

    (_, columns), *lines = read_csv(table) or [(1, [])]
    column = next((columns.index(name) for name in ("scan", "lr") if name in columns), None)
    if column is None:
        raise StudyError(f"{table} has no column 'scan' (or 'lr', as a table of pairs) with paths of scans in it.")
    paths = [values[column] for _, values in lines if len(values) > column and values[column]]
    if not paths:
        raise StudyError(f"{table} names no scan below its line of column names.")
    yield from (os.fspath(table.parent / path) for path in paths)


def _name(request: ManyRequest, one: Found) -> str:
    fields = {
        "name": one.scan.info.name,
        "subject": one.subject,
        "region": one.region,
        "plane": one.plane,
        "protocol": one.scan.info.protocol or "",
        "file": Path(one.source.path).name.split(".")[0],
        "model": Path(request.model).name.split(".")[0],
    }
    try:
        name = request.name.format(**fields)
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        raise InputError(
            f"'{request.name}' isn't a pattern of names. Fields are {', '.join(f'{{{name}}}' for name in NAME_FIELDS)}."
        ) from error
    return _FORBIDDEN.sub("_", name).strip(" .")[:_LONGEST] or "scan"


def _free(name: str, ending: str, taken: set[str]) -> str:
    number, free = 1, name
    while free.lower() in taken:
        number += 1
        free = f"{name}-{number}"
    taken.add(free.lower())
    return free + ending
