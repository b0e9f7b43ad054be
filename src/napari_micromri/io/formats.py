"""The one table of file formats: napari's reader, `micromri info`, the study builder and all help texts read it.

A new format is a module with a function that takes a path and gives scans, and one line here.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from fnmatch import fnmatch
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_micromri.scan import Scan

STUDY_ENDING = ".mri.zarr"
ZARR_MARKS = ("zarr.json", ".zarray", ".zgroup")

DEEPEST = 5
"""Folders below the one that was given in which DICOM files are looked for: patient, study, series, what is between."""

_BEGINNING = 352
_MOST_FILES, _MOST_FOLDERS, _FILES_OF_A_FOLDER = 256, 256, 8


@dataclass(frozen=True)
class Format:
    """A file format.

    Parameters
    ----------
    name, what
        For a person: its name, and what to give of it.
    reader
        ``module:function`` in this package, imported when it is used; the function takes a path and gives scans.
    patterns
        Of the names of its files, in lower case.
    begins
        Tells its files by the first bytes, whatever their name.
    by_name
        Tells by the first bytes whether a file with such a name is one, where other programs use the name, too.
    is_folder
        Tells its folders.
    voxels
        Endings of files that hold the voxels alone, and of the file beside them that describes them and is opened.
    saved
        Endings under which scans are saved in it, the usual one first.
    """

    name: str
    what: str
    reader: str
    patterns: tuple[str, ...]
    begins: Callable[[bytes], bool] = lambda beginning: False
    by_name: Callable[[bytes], bool] = lambda beginning: True
    is_folder: Callable[[Path], bool] = lambda folder: False
    voxels: tuple[tuple[str, str], ...] = ()
    saved: tuple[str, ...] = ()

    def read(self, path: Path) -> list[Scan]:
        """Open a file or folder of this format."""
        module, function = self.reader.split(":")
        read = getattr(import_module(f"napari_micromri.io.{module}"), function)
        return cast("list[Scan]", read(self.header_of(path)))

    def has_name(self, path: Path) -> bool:
        """Tell whether a file is named like one of this format."""
        return any(fnmatch(path.name.lower(), pattern) for pattern in self.patterns)

    def header_of(self, path: Path) -> Path:
        """Give the file that describes the voxels in ``path``, which is mostly that file itself."""
        for ending, header in self.voxels:
            if path.name.lower().endswith(ending) and (found := beside(path, ending, header)).is_file():
                return found
        return path


def beside(path: Path, ending: str, other: str) -> Path:
    """Path of the same name with another file extension, in capitals where only that file is there."""
    stem = path.name[: -len(ending)]
    spelled = path.with_name(stem + other), path.with_name(stem + other.upper())
    return next((file for file in spelled if file.is_file()), spelled[0])


def _is_dicom(beginning: bytes) -> bool:
    return beginning[128:132] == b"DICM"


def is_nifti_pair(header: bytes) -> bool:
    """Tell whether the first bytes of a file are a NIfTI header whose voxels lie in another file."""
    return header[344:348] == b"ni1\0" or header[4:8] == b"ni2\0"


def _is_analyze(header: bytes) -> bool:
    return header[:4] in (b"\x5c\1\0\0", b"\0\0\1\x5c") and header[344:348] not in (b"ni1\0", b"n+1\0")


def _is_paravision(folder: Path) -> bool:
    from napari_micromri.io.paravision import looks_like_paravision

    return looks_like_paravision(folder)


def _is_image_store(folder: Path) -> bool:
    return is_zarr(folder) and not folder.name.endswith(STUDY_ENDING) and _has_array(folder)


def is_zarr(folder: Path) -> bool:
    """Tell whether a folder is a Zarr array or group, by the files in it."""
    return any((folder / name).is_file() for name in ZARR_MARKS)


def _has_array(store: Path, depth: int = 6) -> bool:
    """Tell whether an array is near the top of a Zarr store, by the files in it."""
    if (store / ".zarray").is_file():
        return True
    if (store / "zarr.json").is_file() and b'"array"' in (store / "zarr.json").read_bytes()[:65536]:
        return True
    children = [child for child in list(os.scandir(store))[:1000] if child.is_dir()] if depth else []
    return any(is_zarr(Path(child)) and _has_array(Path(child), depth - 1) for child in children)


def _has_dicom(folder: Path) -> bool:
    """Look into the first files of a folder and of the folders in it."""
    return any(_is_dicom(beginning_of(file)) for file in _some_files(folder))


def _some_files(folder: Path) -> Iterator[Path]:
    """Yield a few files of each folder below one, not too many in all: it may be somebody's home."""
    looked = 0
    for number, (current, folders, files) in enumerate(os.walk(folder)):
        here = Path(current)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if len(here.relative_to(folder).parts) >= DEEPEST:
            folders.clear()
        for name in sorted(files)[: _MOST_FILES if here == folder else _FILES_OF_A_FOLDER]:
            if looked >= _MOST_FILES or number > _MOST_FOLDERS:
                return
            looked += 1
            if (here / name).is_file():
                yield here / name


FORMATS = (
    Format(
        name="OME-Zarr and Zarr",
        what="a folder `*.zarr`: OME-Zarr 0.4 and 0.5 (the full resolution), or Zarr 2 and 3 (a scan for each array)",
        reader="zarr_reader:read_zarr",
        patterns=("*.zarr", "*.zarr*"),
        by_name=lambda beginning: False,
        is_folder=_is_image_store,
        saved=(".ome.zarr", ".zarr"),
    ),
    Format(
        name="ParaVision",
        what="a study folder (all its scans), a scan folder, a `pdata` folder or a `2dseq` file; versions 5 to 360",
        reader="paravision:read_paravision",
        patterns=("2dseq", "visu_pars"),
        is_folder=_is_paravision,
    ),
    Format(
        name="NIfTI",
        what="`.nii`, `.nii.gz`; b-values and directions from `.bval` and `.bvec` beside it",
        reader="nifti:read_nifti",
        patterns=("*.nii", "*.nii.gz"),
        saved=(".nii.gz", ".nii"),
    ),
    Format(
        name="NIfTI pair",
        what="`.hdr` and `.img`; otherwise as NIfTI",
        reader="nifti:read_nifti",
        patterns=("*.hdr", "*.img"),
        by_name=is_nifti_pair,
        voxels=((".img", ".hdr"),),
    ),
    # Before TIFF: a file may begin as both, and only as DICOM it says where it lies.
    Format(
        name="DICOM",
        what="a folder of one or more series, also in folders of patients and studies, or one file",
        reader="dicom:read_dicom",
        patterns=("*.dcm", "*.ima"),
        begins=_is_dicom,
        is_folder=_has_dicom,
    ),
    Format(
        name="TIFF",
        what="a stack; the voxel size from the file when it says it, else given by you",
        reader="tiff:read_tiff",
        patterns=("*.tif", "*.tiff"),
        begins=lambda beginning: beginning[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    ),
    Format(
        name="ANALYZE",
        what="`.hdr` and `.img`, with the `.mat` of SPM where there is one; without it the orientation is unknown",
        reader="nibabel_reader:read_analyze",
        patterns=("*.hdr", "*.img"),
        by_name=_is_analyze,
        voxels=((".img", ".hdr"),),
    ),
    Format(
        name="MGH",
        what="`.mgh`, `.mgz` of FreeSurfer",
        reader="nibabel_reader:read_mgh",
        patterns=("*.mgh", "*.mgz"),
    ),
    Format(
        name="MINC",
        what="`.mnc`, versions 1 and 2",
        reader="nibabel_reader:read_minc",
        patterns=("*.mnc",),
    ),
    Format(
        name="AFNI",
        what="`.HEAD` and `.BRIK` or `.BRIK.gz`; the parts of a bucket are a scan each",
        reader="nibabel_reader:read_afni",
        patterns=("*.head", "*.brik", "*.brik.gz"),
        by_name=lambda header: b"type" in header,
        voxels=((".brik", ".head"), (".brik.gz", ".head")),
    ),
    Format(
        name="PAR/REC",
        what="`.PAR` and `.REC` of Philips, versions 4 to 4.2; magnitude, phase and echoes are a scan each",
        reader="parrec:read_parrec",
        patterns=("*.par", "*.rec"),
        by_name=lambda header: b"DATA DESCRIPTION FILE" in header,
        voxels=((".rec", ".par"),),
    ),
    Format(
        name="NRRD",
        what="`.nrrd`, or `.nhdr` with its data; b-values and directions of diffusion series",
        reader="nrrd_reader:read_nrrd",
        patterns=("*.nrrd", "*.nhdr"),
        begins=lambda beginning: beginning[:6] == b"NRRD00",
    ),
    Format(
        name="MetaImage",
        what="`.mha`, or `.mhd` with its data; needs the extra `formats`",
        reader="metaimage:read_metaimage",
        patterns=("*.mha", "*.mhd"),
    ),
)

SAVED_ENDINGS = tuple(ending for one in FORMATS for ending in one.saved)


def names_of_formats() -> str:
    """List the names of all formats."""
    names = [one.name for one in FORMATS]
    return f"{', '.join(names[:-1])} or {names[-1]}"


def format_of(path: Path) -> Format | None:
    """Choose by what a folder holds; of a file by its first bytes, and by its name where they say nothing."""
    if path.is_dir():
        return next((one for one in FORMATS if one.is_folder(path)), None)
    beginning = beginning_of(path)
    told = next((one for one in FORMATS if one.begins(beginning)), None)
    named = (one for one in FORMATS if one.has_name(path) and one.by_name(beginning_of(one.header_of(path))))
    return told or next(named, None)


def is_voxels_alone(path: Path) -> bool:
    """Tell whether a file is opened by way of another one beside it."""
    return any(one.has_name(path) and one.header_of(path) != path for one in FORMATS)


def something_in(folder: Path) -> Path | None:
    """Find the first scan below a folder that is none itself, to name it to a person."""
    for number, (current, folders, files) in enumerate(os.walk(folder)):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        here = Path(current)
        if number > _MOST_FOLDERS or len(here.relative_to(folder).parts) > DEEPEST:
            return None
        for name in [*folders, *sorted(files)[:_FILES_OF_A_FOLDER]]:
            if (here / name).exists() and format_of(here / name) is not None:
                return here / name
    return None


def beginning_of(path: Path) -> bytes:
    """Read the first bytes of a file."""
    with path.open("rb") as stream:
        return stream.read(_BEGINNING)
