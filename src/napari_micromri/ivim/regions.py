"""Statistics of the maps in regions: labels, or regions in mm as the dock "Measure CNR" draws them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri import __version__
from napari_micromri.errors import InputError
from napari_micromri.io.atomic import atomic_output
from napari_micromri.io.csv_table import write_csv
from napari_micromri.ivim.fit import Flag
from napari_micromri.ivim.signal import PARAMETERS
from napari_micromri.measure.coverage import cover
from napari_micromri.measure.roi import Grid, slices_of
from napari_micromri.measure.roi_stats import statistics

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from napari_micromri.ivim.fit import Fit
    from napari_micromri.measure.roi import Roi
    from napari_micromri.measure.roi_stats import RoiStats
    from napari_micromri.scan import Scan

    Regions = dict[str, NDArray[np.int64]]
    """Name -> places in the flattened grid of a volume."""

COLUMNS = ("region", "method", "map", "unit", "n", "missing", "at_bound", "mean", "sd", "median", "minimum", "maximum")
FLAGS = {"D": Flag.D_AT_BOUND, "f": Flag.F_AT_BOUND, "Dp": Flag.DP_AT_BOUND}


@dataclass(frozen=True)
class RegionRow:
    """One map of one method in one region, in the unit that people are shown.

    Parameters
    ----------
    stats
        Over voxels; ``not_finite`` counts those that weren't fitted.
    at_bound
        Voxels whose parameter lies on a bound, so that the data don't determine it.
    """

    region: str
    method: str
    map: str
    unit: str
    stats: RoiStats
    at_bound: int

    @property
    def values(self) -> dict[str, Any]:
        """The columns of the table."""
        s = self.stats
        return {
            "region": self.region, "method": self.method, "map": self.map, "unit": self.unit,
            "n": int(s.n), "missing": s.not_finite, "at_bound": self.at_bound,
            "mean": s.mean, "sd": s.sd, "median": s.median, "minimum": s.minimum, "maximum": s.maximum,
        }  # fmt: skip


def label_regions(labels: ArrayLike, grid: tuple[int, ...]) -> Regions:
    """Make a region of each label but 0.

    Raises
    ------
    InputError
        The labels don't lie on the grid or aren't whole numbers, or there are none.
    """
    values = np.asarray(labels)
    if values.shape != grid:
        raise InputError(f"The labels have the shape {values.shape} and the maps {grid}. They must be on one grid.")
    if values.dtype.kind == "f":
        values = np.nan_to_num(values)
        if (values != np.round(values)).any():
            raise InputError("Labels are whole numbers. Choose an image of labels, not a map or a scan.")
    found = {f"label {value:g}": np.flatnonzero(values == value) for value in np.unique(values) if value != 0}
    if not found:
        raise InputError("There is no label but 0: nothing to measure.")
    return found


def roi_regions(rois: Iterable[Roi], scan: Scan) -> Regions:
    """Take the voxels whose centres lie in regions; those of one name are one region.

    Parameters
    ----------
    scan
        A map, or any scan on its grid.

    Raises
    ------
    InputError
        None holds a voxel.
    """
    index = np.arange(np.prod(scan.shape)).reshape(scan.shape)
    found: dict[str, list[NDArray[np.int64]]] = {}
    for roi in rois:
        covered = cover(roi, Grid.of(scan, roi.axes))
        order = [scan.info.axes.index(axis) for axis in (*roi.normal, *roi.axes) if axis in scan.info.axes]
        stack = index.transpose(order).reshape(-1, *(scan.shape[k] for k in order[-2:]))
        for number in slices_of(roi, scan):
            found.setdefault(roi.name, []).append(stack[number][covered.window][covered.weights > 0])
    regions = {name: np.unique(np.concatenate(parts)) for name, parts in found.items()}
    regions = {name: places for name, places in regions.items() if len(places)}
    if not regions:
        raise InputError("No region holds the centre of a voxel of the maps. Were they drawn on another scan?")
    return regions


def measure_regions(fits: Mapping[str, Fit], regions: Regions) -> list[RegionRow]:
    """Measure every map of every method in every region."""
    rows = []
    for region, places in regions.items():
        for method, fit in fits.items():
            for name, values in maps_of(fit).items():
                parameter = PARAMETERS.get(name.removesuffix("_sd"))
                factor, unit = (parameter.factor, parameter.unit) if parameter else (100, "% of S0")
                inside = factor * values.ravel()[places].astype(np.float64)
                flag = FLAGS.get(name, Flag(0))
                bound = int(np.count_nonzero(fit.flags.ravel()[places] & np.uint8(flag)))
                rows.append(RegionRow(region, method, name, unit, statistics(inside, np.ones(len(places))), bound))
    return rows


def maps_of(fit: Fit) -> dict[str, NDArray[np.float32]]:
    """Name all maps that a fit has: parameters, standard deviations, residual."""
    deviations = {f"{name}_sd": values for name, values in fit.sd.items()}
    found = {**fit.maps, **deviations, "residual": fit.residual}
    return {name: values for name, values in found.items() if np.isfinite(values).any()}


def save_regions(
    rows: Sequence[RegionRow], path: str | os.PathLike[str], about: Mapping[str, Any], *, overwrite: bool = False
) -> Path:
    """Save the table as CSV, and beside it as JSON what it was made of.

    Parameters
    ----------
    about
        JSON-like: scan, regions, settings of the fits.

    Raises
    ------
    OutputExistsError, WriteError
        One of the files is there already, or can't be written.
    """
    path = Path(path)
    definitions = {"sd": "population standard deviation over voxels (ddof = 0)", "missing": "voxels without a value"}
    document = {"program": f"napari-micromri {__version__}", "definitions": definitions} | dict(about)
    with (
        atomic_output(path, overwrite=overwrite) as table,
        atomic_output(path.with_name(f"{path.name}.json"), overwrite=overwrite) as beside,
    ):
        with table.open("w", encoding="utf-8", newline="") as stream:
            write_csv(stream, COLUMNS, [row.values for row in rows])
        beside.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return path
