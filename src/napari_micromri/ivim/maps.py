"""Read back what `napari_micromri.ivim.run.fit_to_folder` wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_micromri.errors import ReadError
from napari_micromri.io import open_scan
from napari_micromri.io.small_files import read_small
from napari_micromri.ivim.fit import Fit
from napari_micromri.ivim.run import SUMMARY
from napari_micromri.ivim.signal import PARAMETERS

if TYPE_CHECKING:
    import os

    from napari_micromri.scan import Scan

LARGEST_BYTES = 2**20


def read_maps(folder: str | os.PathLike[str]) -> tuple[Fit, Scan]:
    """Read the maps in a folder; the scan is that of D.

    Raises
    ------
    ReadError
        The folder holds no maps of ours, or one of them is missing or damaged.
    """
    folder = Path(folder)
    if not (folder / SUMMARY).is_file():
        raise ReadError(f"{folder} holds no {SUMMARY}. Name a folder that 'micromri ivim' wrote.")
    try:
        known = json.loads(read_small(folder / SUMMARY, LARGEST_BYTES))
        method, b_values = str(known["method"]), tuple(map(float, known["b_values"]))
        names, sigma = list(map(str, known["files"])), known["sigma"]
        # Names of files are made here, so that the summary can't lead out of the folder.
        scans = {name: open_scan(folder / f"{Path(name).name}.nii.gz")[0] for name in names}
        maps = {name: np.asarray(scan.read(), dtype=np.float32) for name, scan in scans.items()}
        parameters = {name: maps[name] for name in PARAMETERS}
        residual, flags = maps["residual"], maps["flags"].astype(np.uint8)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ReadError(f"{folder / SUMMARY} is damaged. Fit the maps again.") from error
    sd = {name.removesuffix("_sd"): values for name, values in maps.items() if name.endswith("_sd")}
    return Fit(method, parameters, residual, flags, b_values, sd, sigma), scans["D"]
