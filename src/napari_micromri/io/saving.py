"""Save scans."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_micromri.errors import ReadError, WriteError
from napari_micromri.io.formats import SAVED_ENDINGS, STUDY_ENDING
from napari_micromri.io.lazy import check_dtype
from napari_micromri.progress import no_progress
from napari_micromri.scan import AXES, Scan

if TYPE_CHECKING:
    import os

    from napari_micromri.progress import Progress


def save_scan(
    scan: Scan, path: str | os.PathLike[str], *, overwrite: bool = False, progress: Progress = no_progress
) -> Path:
    """Save a scan in the format of the file extension of ``path``.

    ``.ome.zarr`` and ``.zarr`` give OME-Zarr 0.5, written slice by slice; ``.nii`` and ``.nii.gz`` NIfTI, through
    memory, with ``.bval`` and ``.bvec`` for b-values and directions. Geometry, all other fields of the `ScanInfo` and
    the provenance are kept, and `open_scan` restores them. Either all is written or nothing.

    Parameters
    ----------
    scan
        Axes other than the spatial ones are moved to the front, ``t`` before ``b``.
    path
        Its folder is made when it is missing.
    overwrite
        Replace what is there.
    progress
        Called with the number of blocks written and their total.

    Raises
    ------
    OutputExistsError
        Something is there and ``overwrite`` is False.
    WriteError
        Unknown file extension, values that aren't real numbers, or the operating system refused.
    ReadError
        A part of a lazy scan can't be read.
    """
    from napari_micromri.io.nifti_writer import write_nifti
    from napari_micromri.io.zarr_writer import write_ome_zarr

    path = Path(path)
    try:
        check_dtype(scan.dtype, f"'{scan.info.name}'")
    except ReadError as error:
        raise WriteError(str(error)) from error
    check_ending(path)
    write = write_ome_zarr if path.name.lower().endswith(".zarr") else write_nifti
    return write(_in_order(scan), path, overwrite=overwrite, progress=progress)


def check_ending(path: Path) -> None:
    """Refuse a name that doesn't say in which format to save.

    Raises
    ------
    WriteError
        The file extension is unknown, or that of a study.
    """
    name = path.name.lower()
    if name.endswith(STUDY_ENDING) or not name.endswith(SAVED_ENDINGS):
        raise WriteError(f"{path} has no file extension that says how to save it. Use {', '.join(SAVED_ENDINGS)}.")


def _in_order(scan: Scan) -> Scan:
    axes = "".join(a for a in AXES if a in scan.info.axes)
    if axes == scan.info.axes:
        return scan
    order = [scan.info.axes.index(a) for a in axes]
    return Scan(scan.data.transpose(order), replace(scan.info, axes=axes))
