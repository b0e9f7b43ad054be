"""The small JSON files of a study: found, read, told apart by their stamps, and replaced whole."""

from __future__ import annotations

import json
import os
import uuid
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from napari_micromri.errors import StudyError, describe_os_error
from napari_micromri.io.small_files import read_small

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ZARR_JSON = "zarr.json"
LEVELS = 3
"""Subject, region, plane."""

Stamp: TypeAlias = tuple[int, int, int]
"""Changes whenever a file is replaced: inode, size, time."""


def stamp_of(path: Path) -> Stamp | None:
    """Look at a file without reading it; None when it isn't there."""
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def read_json(path: Path) -> dict[str, Any]:
    """Read one file.

    Raises
    ------
    ValueError
        It isn't a JSON object.
    OSError
        It can't be read.
    """
    try:
        document = json.loads(read_small(path))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(document, dict):
        raise ValueError("it holds no object")
    return document


def write_json(documents: Mapping[Path, Mapping[str, Any]]) -> None:
    """Replace files whole: all new contents are safely on the disk before the first old one goes.

    Raises
    ------
    StudyError
        The system refused, e.g. a full disk; then every file is as it was.
    """
    staged: dict[Path, Path] = {}
    target = Path()
    try:
        for target, document in documents.items():
            _remove_leftovers(target)
            staged[target] = target.with_name(f".{uuid.uuid4().hex[:8]}.partial-{target.name}")
            _write_through(staged[target], json.dumps(document, ensure_ascii=False, allow_nan=False))
        for target, temporary in staged.items():
            os.replace(temporary, target)
    except OSError as error:
        raise StudyError(describe_os_error(error, target)) from error
    finally:
        for temporary in staged.values():
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def _remove_leftovers(target: Path) -> None:
    """Remove what killed writers left: whoever changes a study has its lock, so no other is working on it."""
    for leftover in target.parent.glob(f".*.partial-{target.name}"):
        with suppress(OSError):
            leftover.unlink()


def _write_through(path: Path, text: str) -> None:
    with path.open("wb") as stream:
        # Half a surrogate, from a file's name that isn't Unicode, becomes the escape that JSON has for it.
        stream.write(text.encode("utf-8", "backslashreplace"))
        stream.flush()
        os.fsync(stream.fileno())


def pair_folders(root: Path) -> Iterator[tuple[str, Path]]:
    """Find the keys of all pairs and their ``zarr.json``; names that begin with a dot are somebody's leftovers."""
    folders = [("", os.fspath(root))]
    for _ in range(LEVELS):
        folders = [(f"{key}/{name}", path) for key, folder in folders for name, path in _folders_in(folder)]
    for key, folder in folders:
        yield key[1:], Path(folder, ZARR_JSON)


def _folders_in(folder: str) -> list[tuple[str, str]]:
    try:
        with os.scandir(folder) as entries:
            return [(entry.name, entry.path) for entry in entries if not entry.name.startswith(".") and entry.is_dir()]
    except (FileNotFoundError, NotADirectoryError):
        return []  # another program just moved it
