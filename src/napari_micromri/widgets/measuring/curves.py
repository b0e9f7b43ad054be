"""Profiles along a line and histograms of a region: computed in a thread, drawn, and written beside the table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_micromri.errors import InputError
from napari_micromri.measure.coverage import full_mask
from napari_micromri.measure.profile import Profile, line_profile
from napari_micromri.measure.roi import Grid, read_plane, slices_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_micromri.measure.comparison import ComparedImage
    from napari_micromri.measure.roi import Roi
    from napari_micromri.widgets.measuring.line import Line

BINS = 40


@dataclass(frozen=True, eq=False)
class Curves:
    """What is drawn: image -> (x, y), with axis titles, a sentence below, and columns of the table beside."""

    curves: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]]
    bottom: str
    left: str
    words: str
    kind: str
    columns: tuple[str, str]


def profiles(images: Sequence[ComparedImage], line: Line, at: Mapping[str, int]) -> Curves:
    """Take the profile of each image that has the line's slice."""
    plane, start, end, position = line
    found: dict[str, Profile] = {}
    problems: list[str] = []
    for image in images:
        try:
            found[image.name] = line_profile(image.scan, start, end, position, axes=plane, at=at)
        except InputError as error:
            problems.append(str(error))
    widths = [f"{name} {one.edge_width:.3g} mm" for name, one in found.items() if np.isfinite(one.edge_width)]
    said = f"Edge width (10-90 %): {', '.join(widths)}." if widths else "No clear edge: draw the line across one."
    return Curves(
        {name: (one.distance, one.values) for name, one in found.items()},
        "mm along the line",
        "signal",
        " ".join([said, *problems]),
        "profile",
        ("distance_mm", "signal"),
    )


def histograms(images: Sequence[ComparedImage], roi: Roi, at: Mapping[str, int]) -> Curves:
    """Count the values of a region's pixels, in each image on its own pixels, as parts of all of them."""
    values: dict[str, NDArray[np.float64]] = {}
    for image in images:
        if set(roi.axes) <= set(image.scan.info.spatial):
            inside = full_mask(roi, Grid.of(image.scan, roi.axes)) > 0
            planes = [read_plane(image.scan, roi.axes, k, at)[inside] for k in slices_of(roi, image.scan)]
            found = np.concatenate(planes) if planes else np.empty(0)
            if np.isfinite(found).any():
                values[image.name] = found[np.isfinite(found)]
    if not values:
        raise InputError(f"'{roi.name}' is on none of the ticked layers.")
    edges = np.histogram_bin_edges(np.concatenate(list(values.values())), BINS)
    centres = (edges[1:] + edges[:-1]) / 2
    counts = {name: np.histogram(found, edges)[0] / len(found) for name, found in values.items()}
    words = ", ".join(f"{name} {len(found)} pixels" for name, found in values.items())
    return Curves(
        {name: (centres, 100 * part) for name, part in counts.items()},
        "signal",
        "% of pixels",
        f"'{roi.name}': {words}.",
        "histogram",
        ("signal", "percent_of_pixels"),
    )


def save_curves(curves: Curves, table: Path, *, overwrite: bool = False) -> Path:
    """Write the curves beside a table: ``NAME-profile.csv`` or ``NAME-histogram.csv``, a row per image and place.

    Raises
    ------
    WriteError
        The file is there already, or can't be written.
    """
    from napari_micromri.io.atomic import atomic_output
    from napari_micromri.io.csv_table import write_csv

    path = table.with_name(f"{table.stem}-{curves.kind}.csv")
    rows = [(name, *map(float, place)) for name, (x, y) in curves.curves.items() for place in zip(x, y, strict=True)]
    with (
        atomic_output(path, overwrite=overwrite) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as stream,
    ):
        write_csv(stream, ("image", *curves.columns), rows)
    return path
