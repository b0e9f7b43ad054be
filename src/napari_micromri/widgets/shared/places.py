"""Where a scan is from, in as few words as tell it from the others."""

from __future__ import annotations

import os
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_micromri.study.plan import Source


def beside(path: Path, ending: str) -> Path:
    """Name what is made of a folder or file: it lies next to it, or at home where nothing can be written there."""
    whole = path.absolute()
    parent = whole.parent if os.access(whole.parent, os.W_OK) else Path.home()
    return parent / f"{whole.name.split('.')[0] or 'mice'}{ending}"


def with_tilde(path: Path) -> str:
    """Write a path with ~ for the person's home."""
    return str(Path("~") / path.relative_to(Path.home()) if path.is_relative_to(Path.home()) else path)


def result_of(source: str, ending: str) -> Path:
    """Name a new file of what is made of a scan: it lies next to the scan, its ParaVision study or its Zarr store."""
    path = Path(source)
    whole = path.parents[2] if path.parent.name == "pdata" else path
    first = beside(next((one for one in reversed(whole.parents) if one.suffix == ".zarr"), whole), ending)
    names = chain([first], (first.with_stem(f"{first.stem}-{number}") for number in count(2)))
    return next(one for one in names if not one.exists() and not one.with_name(f"{one.name}.json").exists())


def place(source: Source, *, folder: bool = False) -> str:
    """Tell which file, or which scan of a ParaVision study, and which of the scans in it.

    With ``folder``, the one that the file or the scan of the study is in comes first.
    """
    path = Path(source.path)
    if path.parent.name == "pdata":
        path, ending = path.parent.parent, f", reconstruction {path.name}" if path.name != "1" else ""
    else:
        ending = ""
    name = f"{path.parent.name}/{path.name}" if folder and path.parent.name else path.name
    return name + ending + (f", {source.scan}" if source.scan is not None else "")
