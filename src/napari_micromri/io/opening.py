"""Open whatever holds a scan."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_micromri.errors import InputError, ReadError, describe_os_error
from napari_micromri.io.telling import warnings_of
from napari_micromri.scan import Scan

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_log = logging.getLogger(__name__)

STUDY_ENDING = ".mri.zarr"
_REMOTE = ("http://", "https://", "s3://")
_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_FILES_LOOKED_AT = 64


def open_scan(path: str | os.PathLike[str], *, voxel_size: Sequence[float] | None = None) -> list[Scan]:
    """Open the scans in a file, a folder or a remote store.

    Read are OME-Zarr 0.4 and 0.5, plain Zarr 2 and 3, ParaVision 5 to 360 (study, scan or reconstruction folder, or a
    ``2dseq`` file), NIfTI, DICOM (a file or a folder of series) and TIFF. Only headers are read here; slices are read
    when they are looked at.

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
        return Path(where).exists() and _reader_for(Path(where)) is not None
    except (OSError, ValueError, TypeError):
        return False


def _open_remote(where: str) -> list[Scan]:
    from napari_micromri.io.zarr_reader import read_zarr

    return read_zarr(where)


def _open_local(path: Path) -> list[Scan]:
    from napari_micromri.io.zarr_reader import read_zarr

    if not path.exists():
        raise ReadError(f"{path} does not exist. Check the spelling, and that the disk is connected.")
    if path.is_dir() and path.name.endswith(STUDY_ENDING):
        raise ReadError(f"{path} is a study of many scans. Open it as a study, or open one of the scans in it.")
    if path.is_file() and path.stat().st_size == 0:
        raise ReadError(f"{path} is an empty file. Copy or export it again.")
    reader = _reader_for(path)
    if reader is None and path.is_dir() and _is_node(path):
        reader = read_zarr  # says what is wrong with a store that isn't worth a try otherwise
    if reader is not None:
        return reader(path)
    if path.is_dir() and not any(path.iterdir()):
        raise ReadError(f"{path} is an empty folder. Choose the folder of a scan.")
    raise ReadError(
        f"{path} is no scan that can be read. Choose a ParaVision study or scan folder, OME-Zarr, NIfTI, DICOM or TIFF."
    )


def _reader_for(path: Path) -> Callable[[Path], list[Scan]] | None:
    """Choose by the name first and by the content where the name says nothing."""
    return _folder_reader(path) if path.is_dir() else _file_reader(path)


def _folder_reader(path: Path) -> Callable[[Path], list[Scan]] | None:
    from napari_micromri.io.dicom import read_dicom
    from napari_micromri.io.paravision import looks_like_paravision, read_paravision
    from napari_micromri.io.zarr_reader import read_zarr

    if _is_node(path):
        return read_zarr if _has_array(path) and not path.name.endswith(STUDY_ENDING) else None
    if looks_like_paravision(path):
        return read_paravision
    return read_dicom if _has_dicom(path) else None


def _has_array(store: Path, depth: int = 4) -> bool:
    """Tell whether an array is near the top of a Zarr store, by the files in it."""
    if (store / ".zarray").is_file():
        return True
    if (store / "zarr.json").is_file() and b'"array"' in (store / "zarr.json").read_bytes()[:65536]:
        return True
    children = [child for child in list(os.scandir(store))[:1000] if child.is_dir()] if depth else []
    return any(_is_node(Path(child)) and _has_array(Path(child), depth - 1) for child in children)


def _is_node(folder: Path) -> bool:
    return any((folder / name).is_file() for name in ("zarr.json", ".zarray", ".zgroup"))


def _has_dicom(folder: Path) -> bool:
    """Look into the first files of a folder and of the folders in it."""
    looked = 0
    for current, folders, files in os.walk(folder):
        folders[:] = sorted(folders)[:_FILES_LOOKED_AT] if Path(current) == folder else []
        for name in sorted(files):
            if looked >= _FILES_LOOKED_AT:
                return False
            looked += 1
            if _is_dicom(_beginning(Path(current, name))):
                return True
    return False


def _beginning(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(132)


def _is_dicom(beginning: bytes) -> bool:
    return beginning[128:132] == b"DICM"


def _file_reader(path: Path) -> Callable[[Path], list[Scan]] | None:
    from napari_micromri.io.dicom import read_dicom
    from napari_micromri.io.nifti import read_nifti
    from napari_micromri.io.paravision import read_paravision
    from napari_micromri.io.tiff import read_tiff

    name = path.name.lower()
    if name.endswith((".nii", ".nii.gz")):
        return read_nifti
    if name in ("2dseq", "visu_pars"):
        return read_paravision
    beginning = _beginning(path)
    if name.endswith((".tif", ".tiff")) or beginning[:4] in _TIFF_MAGIC:
        return read_tiff
    return read_dicom if name.endswith((".dcm", ".ima")) or _is_dicom(beginning) else None


def _resized(scan: Scan, voxel_size: Sequence[float]) -> Scan:
    count = len(scan.info.spatial)
    if len(voxel_size) < count:
        raise InputError(f"'{scan.info.name}' needs {count} voxel sizes in mm, not {len(voxel_size)}.")
    sizes = tuple(float(size) for size in voxel_size[-count:])
    return Scan(scan.data, replace(scan.info, voxel_size=sizes))
