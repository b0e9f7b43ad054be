"""Write a comparison as a tidy table, and beside it everything needed to repeat it."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from napari_micromri import __version__
from napari_micromri.io.atomic import atomic_output
from napari_micromri.io.csv_table import write_csv
from napari_micromri.measure.roi_file import roi_to_json

if TYPE_CHECKING:
    from collections.abc import Iterable
    from os import PathLike

    from napari_micromri.measure.comparison import Comparison
    from napari_micromri.measure.comparison_rows import Row
    from napari_micromri.scan import Scan

COLUMNS = (
    "image",
    "roi",
    "background",
    "slice",
    "position_mm",
    "n_pixels",
    "area_mm2",
    "mean",
    "sd",
    "minimum",
    "maximum",
    "median",
    "background_n_pixels",
    "background_area_mm2",
    "background_mean",
    "background_sd",
    "contrast",
    "cnr",
    "normalised_sd",
    "contrast_to_reference",
    "background_sd_to_reference",
    "cautions",
)


def row_values(row: Row) -> dict[str, str | int | float | None]:
    """Give a row of the table; figures that can't be given are None, intensities are in the scan's units."""
    stats, behind = row.stats, row.background_stats
    values: dict[str, str | int | float | None] = {
        "image": row.image,
        "roi": row.roi.name,
        "background": row.background,
        "slice": row.slice_index,
        "position_mm": row.position,
        "n_pixels": stats.n,
        "area_mm2": stats.area,
        "mean": stats.mean,
        "sd": stats.sd,
        "minimum": stats.minimum,
        "maximum": stats.maximum,
        "median": stats.median,
        "background_n_pixels": behind.n,
        "background_area_mm2": behind.area,
        "background_mean": behind.mean,
        "background_sd": behind.sd,
        "contrast": row.contrast,
        "cnr": row.cnr,
        "normalised_sd": row.normalised_sd,
        "contrast_to_reference": row.contrast_to_reference,
        "background_sd_to_reference": row.background_sd_to_reference,
        "cautions": "; ".join(one.text for one in row.cautions),
    }
    return {key: _plain(value) for key, value in values.items()}


def _plain(value: str | int | float | None) -> str | int | float | None:
    if not isinstance(value, float):
        return value
    if not math.isfinite(value):
        return None
    # Ten digits are more than any scan has, and hide how the last ones came about.
    rounded = float(f"{value:.10g}")
    return int(rounded) if rounded.is_integer() and abs(rounded) < 1e9 else rounded


def write_rows(rows: Iterable[Row], stream: TextIO, *, delimiter: str = ",") -> None:
    """Write the table to an open stream, with a header; what is unknown is empty."""
    write_csv(stream, COLUMNS, map(row_values, rows), delimiter=delimiter)


def rows_as_text(rows: Iterable[Row], *, delimiter: str = "\t") -> str:
    """Give the table as text; with tabs, for pasting into a spreadsheet."""
    stream = io.StringIO()
    write_rows(rows, stream, delimiter=delimiter)
    return stream.getvalue()


def save_table(comparison: Comparison, path: str | PathLike[str], *, overwrite: bool = False) -> tuple[Path, Path]:
    """Save the table as CSV, and images, regions and settings as a JSON beside it.

    Returns
    -------
    table, settings
        The two files; the second is named like the first with ``.json`` at its end.

    Raises
    ------
    OutputExistsError, WriteError
        One of the files is there already, or can't be written.
    """
    path = Path(path)
    beside = path.with_name(f"{path.name}.json")
    with (
        atomic_output(path, overwrite=overwrite) as table,
        atomic_output(beside, overwrite=overwrite) as settings,
    ):
        with table.open("w", encoding="utf-8", newline="") as stream:
            write_rows(comparison.rows, stream)
        settings.write_text(json.dumps(describe(comparison), indent=2, ensure_ascii=False), encoding="utf-8")
    return path, beside


def describe(comparison: Comparison) -> dict[str, Any]:
    """Describe how a table came about, with JSON-like values."""
    settings = comparison.settings
    return {
        "program": f"napari-micromri {__version__}",
        "definitions": {
            "sd": "population standard deviation (ddof = 0)",
            "cnr": "(mean_roi - mean_background) / sd_background, signed",
            "normalised_sd": "sd_background / mean_background",
            "grid": "each image is measured on its own pixels",
        },
        "settings": {
            "rule": settings.rule,
            "backgrounds": settings.backgrounds,
            "reference": settings.reference,
            "at": dict(settings.at),
            "crop_mm": settings.crop,
        },
        "images": [{"name": image.name} | describe_scan(image.scan) for image in comparison.images],
        "rois": [roi_to_json(roi) for roi in comparison.rois],
    }


def describe_scan(scan: Scan) -> dict[str, Any]:
    """Say which scan it was, with JSON-like values."""
    info = scan.info
    return {
        "scan": info.name,
        "source": info.source,
        "subject": info.subject,
        "region": info.region,
        "plane": info.plane,
        "axes": info.axes,
        "shape": list(scan.shape),
        "voxel_size_mm": list(info.voxel_size),
        "origin_mm": list(info.origin),
        "provenance": [dict(step) for step in info.provenance],
    }
