"""One file of regions on many scans, each by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_micromri.errors import InputError, MicroMRIError
from napari_micromri.measure.cautions import one_of_several
from napari_micromri.measure.comparison import ComparedImage, Comparison, Settings, compare
from napari_micromri.measure.roi_file import load_rois
from napari_micromri.progress import Progress, no_progress
from napari_micromri.study.discovery import find_scans

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from napari_micromri.measure.comparison_rows import Row
    from napari_micromri.measure.roi import Roi
    from napari_micromri.scan import Scan


def compare_each(
    inputs: Iterable[str | os.PathLike[str]],
    rois: str | os.PathLike[str],
    settings: Settings | None = None,
    *,
    progress: Progress = no_progress,
) -> tuple[Comparison, dict[str, str], dict[str, str]]:
    """Measure the regions of a file on every scan at or below some paths.

    Parameters
    ----------
    inputs
        Files and folders, as `find_scans` takes them.
    rois
        Coordinates in mm count on each scan; ImageJ's pixels are those of each scan.
    settings
        As in `compare`; a reference makes no sense here.

    Returns
    -------
    table
        Rows of all scans; an image has the name of its path.
    doubts, left_out
        Path -> why regions may not fit this scan, and why another one was not measured.

    Raises
    ------
    StudyError, ReadError
        A path doesn't exist, or a folder may not be looked into.
    InputError
        There is no scan, or the settings name a reference.
    """
    settings = settings or Settings()
    if settings.reference is not None:
        raise InputError("Scans that are measured one by one have no reference. Leave it out.")
    found, rejected = find_scans(inputs)
    left_out = {one.path: one.reason for one in rejected}
    doubts: dict[str, str] = {}
    rows: list[Row] = []
    images: list[ComparedImage] = []
    regions: tuple[Roi, ...] = ()
    for done, one in enumerate(found):
        progress(done, len(found))
        name = str(one.source)
        try:
            measured, doubt = _measure(name, one.source.open(), rois, settings)
        except MicroMRIError as error:
            left_out[name] = str(error)
            continue
        if doubt:
            doubts[name] = doubt
        rows += measured.rows
        images += measured.images
        regions = measured.rois
    if not found and not rejected:
        raise InputError("There is no scan at or below these paths.")
    return Comparison(tuple(rows), tuple(images), regions, settings), doubts, left_out


def _measure(name: str, scan: Scan, rois: str | os.PathLike[str], settings: Settings) -> tuple[Comparison, str | None]:
    """Measure the regions on one scan, and say why they may not fit it."""
    loaded = load_rois(rois, scan=scan)
    measured = compare([ComparedImage(name, scan)], loaded.rois, settings)
    if not measured.rows:
        raise InputError("No ROI is on one of its slices.")
    doubts = loaded.drawn_on.mismatch(scan) if loaded.drawn_on is not None else None, one_of_several(scan)
    return measured, " ".join(doubt for doubt in doubts if doubt) or None
