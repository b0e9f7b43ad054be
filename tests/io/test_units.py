"""Lengths in every format that names a unit: read right, or told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import nibabel as nib
import nrrd
import numpy as np
import pytest
import tifffile
import zarr
from numpy.testing import assert_allclose

from napari_micromri.io import open_scan
from napari_micromri.io.units import millimetres, seconds
from tiny_scans import metaimage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

VOXELS = np.arange(3 * 4 * 5, dtype="u2").reshape(3, 4, 5)
SIZES = (600.0, 200.0, 100.0)


def imagej(path: Path, unit: str) -> Path:
    metadata = {"axes": "ZYX", "spacing": SIZES[0], "unit": unit}
    tifffile.imwrite(path / "a.tif", VOXELS, imagej=True, metadata=metadata, resolution=(0.01, 0.005))
    return path / "a.tif"


def zarr_attributes(path: Path, unit: str) -> Path:
    zarr.create_array(path / "a.zarr", data=VOXELS).attrs.update({"spacing": SIZES, "unit": unit})
    return path / "a.zarr"


def ome_zarr(path: Path, unit: str) -> Path:
    group = zarr.open_group(path / "a.ome.zarr", mode="w", zarr_format=3)
    group.create_array("0", data=VOXELS)
    axes = [{"name": name, "type": "space", "unit": unit} for name in "zyx"]
    level = {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": SIZES}]}
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": [level]}]}
    return path / "a.ome.zarr"


def nrrd_axes(path: Path, unit: str) -> Path:
    nrrd.write(str(path / "a.nrrd"), VOXELS.T, header={"spacings": SIZES[::-1], "units": [unit] * 3})
    return path / "a.nrrd"


def nrrd_space(path: Path, unit: str) -> Path:
    said = {"space": "RAS", "space directions": np.diag(SIZES[::-1]), "space units": [unit] * 3}
    nrrd.write(str(path / "a.nrrd"), VOXELS.T, header=said)
    return path / "a.nrrd"


def analyze(path: Path, unit: str) -> Path:
    image = nib.AnalyzeImage(VOXELS.T.astype("i2"), np.diag([*SIZES[::-1], 1]))
    image.header["vox_units"] = unit.encode()[:4]
    nib.save(image, path / "a.img")
    return path / "a.img"


def mha(path: Path, unit: str) -> Path:
    file = metaimage(path / "a.mhd", VOXELS.T, np.diag([*SIZES[::-1], 1]))
    file.write_text(file.read_text().replace("ElementDataFile", f"DistanceUnits = {unit}\nElementDataFile"))
    return file


WRITERS = [imagej, zarr_attributes, ome_zarr, nrrd_axes, nrrd_space, analyze, mha]


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize(("unit", "length"), [("um", 1e-3), ("mm", 1.0), ("cm", 10.0)])
def test_every_format_knows_a_unit(tmp_path: Path, write: Callable[..., Path], unit: str, length: float) -> None:
    (scan,) = open_scan(write(tmp_path, unit))
    assert_allclose(scan.info.voxel_size, np.array(SIZES) * length, rtol=1e-6)
    assert "mm is taken" not in " ".join(scan.info.warnings)


@pytest.mark.parametrize("write", WRITERS)
def test_every_format_tells_of_a_unit_that_nobody_knows(tmp_path: Path, write: Callable[..., Path]) -> None:
    (scan,) = open_scan(write(tmp_path, "ell"))
    assert_allclose(scan.info.voxel_size, SIZES, rtol=1e-6)
    assert "mm is taken" in " ".join(scan.info.warnings)


@pytest.mark.parametrize("words", ["um", "µm", "\u03bcm", "micron", "Microns", "micrometer", "micrometres", "\\u00b5m"])
def test_spellings_of_a_micrometre(words: str) -> None:
    assert millimetres(words) == 1e-3


@pytest.mark.parametrize("word", ["", None, "pixel", "ms", "s", 5])
def test_what_is_no_length(word: Any) -> None:
    assert millimetres(word) is None


def test_times() -> None:
    assert [seconds(word) for word in ("sec", "seconds", "ms", "msec", "minutes", "mm", None)] == [
        *(1.0, 1.0, 1e-3, 1e-3, 60.0),
        *(None, None),
    ]


def test_axes_with_units_of_their_own(tmp_path: Path) -> None:
    said = {"spacings": [100.0, 200.0, 0.6], "units": ["um", "um", "mm"]}
    nrrd.write(str(tmp_path / "a.nrrd"), VOXELS.T, header=said)
    assert_allclose(open_scan(tmp_path / "a.nrrd")[0].info.voxel_size, (0.6, 0.2, 0.1))
