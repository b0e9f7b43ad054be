"""Open whatever holds a scan."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_micromri.errors import InputError, ReadError, describe_os_error
from napari_micromri.io.atomic import recover
from napari_micromri.io.elsewhere import elsewhere, is_elsewhere
from napari_micromri.io.formats import STUDY_ENDING, format_of, is_zarr, names_of_formats, something_in
from napari_micromri.io.telling import warnings_of
from napari_micromri.scan import Scan

if TYPE_CHECKING:
    from collections.abc import Sequence

_log = logging.getLogger(__name__)

_REMOTE = ("http://", "https://", "s3://")


def open_scan(path: str | os.PathLike[str], *, voxel_size: Sequence[float] | None = None) -> list[Scan]:
    """Open the scans in a file, a folder or a remote store.

    `napari_micromri.io.formats` lists the formats. Only headers are read here; slices are read when they are looked at.
    What was left out, guessed or repaired stands in the ``warnings`` of each `ScanInfo`, and is logged once.

    Parameters
    ----------
    path
        A local path, or the address (``http://``, ``https://``, ``s3://``) of a Zarr store.
    voxel_size
        In mm, as many as there are spatial axes, in the order z, y, x. Replaces what the file says.

    Raises
    ------
    ReadError
        Missing, damaged, empty, of an unknown format, or not a scan; the message says which and what to do.
    """
    where = os.fspath(path)
    try:
        scans = _open_remote(where) if where.startswith(_REMOTE) else _open_local(Path(where))
        for text in warnings_of(scans):
            _log.warning("%s", text)
        return scans if voxel_size is None else [_resized(scan, voxel_size) for scan in scans]
    except InputError as error:
        raise ReadError(f"{where} can't be used: {error}") from error
    except OSError as error:
        raise ReadError(describe_os_error(error, where)) from error


def can_read(path: str | os.PathLike[str]) -> bool:
    """Tell whether `open_scan` knows the format of a path, by its name and a look at the beginning; never raises.

    False for studies (``*.mri.zarr``), for Zarr groups with nothing in them, and for folders of other things.
    """
    try:
        where = os.fspath(path)
        if where.startswith(_REMOTE):
            return ".zarr" in where and STUDY_ENDING not in where
        return Path(where).exists() and format_of(Path(where)) is not None
    except (OSError, ValueError, TypeError):
        return False


def _open_remote(where: str) -> list[Scan]:
    from napari_micromri.io.zarr_reader import read_zarr

    return read_zarr(where)


def _open_local(path: Path) -> list[Scan]:
    from napari_micromri.io.zarr_reader import read_zarr

    recover(path)
    if is_elsewhere(path):
        raise ReadError(elsewhere(path))
    if not path.exists():
        raise ReadError(f"{path} does not exist. Check the spelling, and that the disk is connected.")
    if path.is_dir() and path.name.endswith(STUDY_ENDING):
        raise ReadError(f"{path} is a study of many scans. Open it as a study, or open one of the scans in it.")
    if path.is_file() and path.stat().st_size == 0:
        raise ReadError(f"{path} is an empty file. Copy or export it again.")
    found = format_of(path)
    if found is not None:
        return found.read(path)
    if path.is_dir() and is_zarr(path):
        return read_zarr(path)  # says what is wrong with a store that isn't worth a try otherwise
    if path.is_dir() and not any(path.iterdir()):
        raise ReadError(f"{path} is an empty folder. Choose the folder of a scan.")
    inside = something_in(path) if path.is_dir() else None
    if inside is not None:
        raise ReadError(f"{path} is a folder of scans, not a scan. Open one of them, for example {inside}.")
    raise ReadError(f"{path} isn't a scan that can be read. Choose {names_of_formats()}.")


def _resized(scan: Scan, voxel_size: Sequence[float]) -> Scan:
    count = len(scan.info.spatial)
    if len(voxel_size) < count:
        raise InputError(f"'{scan.info.name}' needs {count} voxel sizes in mm, not {len(voxel_size)}.")
    sizes = tuple(float(size) for size in voxel_size[-count:])
    return Scan(scan.data, replace(scan.info, voxel_size=sizes, unsized=False))
