"""Maps measured in labels and regions, and maps read back from their folder."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_micromri.cli import main
from napari_micromri.errors import InputError, ReadError
from napari_micromri.io import save_scan
from napari_micromri.ivim import Fit, Flag
from napari_micromri.ivim.maps import read_maps
from napari_micromri.ivim.regions import label_regions, measure_regions, roi_regions, save_regions
from napari_micromri.measure.roi import Roi
from napari_micromri.measure.roi_file import save_rois
from napari_micromri.scan import Scan, ScanInfo

if TYPE_CHECKING:
    from pathlib import Path

GRID = (2, 4, 5)
INFO = ScanInfo(name="D", axes="zyx", voxel_size=(2.0, 1.0, 1.0), origin=(0.0, 10.0, 20.0))


@pytest.fixture
def fit() -> Fit:
    D = np.arange(40, dtype=np.float32).reshape(GRID) * 1e-3
    D[0, 0, 0] = np.nan
    flags = np.zeros(GRID, np.uint8)
    flags[1, 0, 0] = Flag.D_AT_BOUND | Flag.DP_AT_BOUND
    maps = {"D": D, "f": np.full(GRID, 0.25, np.float32), "Dp": np.full(GRID, np.nan, np.float32), "S0": D * 0 + 7}
    return Fit("lsq", maps, np.full(GRID, 0.01, np.float32), flags, (0.0, 100.0), {"D": D / 10})


def test_every_map_is_measured_in_every_label_in_the_unit_that_is_shown(fit: Fit) -> None:
    labels = np.zeros(GRID, int)
    labels[0, 0, :3], labels[1, 0, :2] = 1, 4
    rows = {(row.region, row.map): row for row in measure_regions({"lsq": fit}, label_regions(labels, GRID))}
    assert {region for region, _ in rows} == {"label 1", "label 4"}
    assert {name for _, name in rows} == {"D", "f", "S0", "D_sd", "residual"}  # no map of D*, which has no value
    first, other = rows["label 1", "D"], rows["label 4", "D"]
    assert (first.stats.n, first.stats.not_finite, first.at_bound) == (2, 1, 0)
    assert first.stats.mean == pytest.approx(1.5)  # 1 and 2, in 10^-3 mm^2/s
    assert first.stats.sd == pytest.approx(0.5)
    assert (other.stats.median, other.at_bound) == (pytest.approx(20.5), 1)
    assert rows["label 4", "f"].stats.mean == pytest.approx(25)
    assert rows["label 4", "D_sd"].stats.mean == pytest.approx(2.05)
    assert rows["label 4", "residual"].stats.mean == pytest.approx(1)


def test_regions_in_mm_take_the_voxels_whose_centres_they_hold(fit: Fit) -> None:
    scan = Scan(fit.maps["D"], INFO)
    square = ((10.6, 20.6), (10.6, 22.4), (12.4, 22.4), (12.4, 20.6))  # rows 11, 12, columns 21, 22
    one = Roi("liver", square, depth=(2.0, 2.0))
    across = Roi("side", ((-1.0, 9.5), (-1.0, 10.5), (3.0, 10.5), (3.0, 9.5)), axes="zy", depth=(24.0, 24.0))
    found = roi_regions([one, replace(one, depth=(0.0, 0.0)), across], scan)
    expected = [z * 20 + y * 5 + x for z in (0, 1) for y in (1, 2) for x in (1, 2)]
    assert found["liver"].tolist() == expected
    assert found["side"].tolist() == [4, 24]
    flat = Scan(fit.maps["D"][0], replace(INFO, axes="yx", voxel_size=(1.0, 1.0), origin=(10.0, 20.0)))
    assert roi_regions([replace(one, depth=None)], flat)["liver"].tolist() == [6, 7, 11, 12]
    with pytest.raises(InputError, match="another scan"):
        roi_regions([replace(one, depth=(50.0, 50.0))], scan)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (np.zeros(GRID), "no label"),
        (np.ones((3, 3)), r"\(3, 3\)"),
        (np.full(GRID, 0.002, np.float32), "whole numbers"),
    ],
)
def test_labels_that_say_nothing_are_refused(labels: np.ndarray, said: str) -> None:
    with pytest.raises(InputError, match=said):
        label_regions(labels, GRID)


def test_the_table_and_what_it_was_made_of_are_saved(fit: Fit, tmp_path: Path) -> None:
    rows = measure_regions({"lsq": fit}, {"a": np.array([1, 2])})
    path = save_regions(rows, tmp_path / "t.csv", {"scan": "x"})
    with path.open(newline="") as stream:
        table = list(csv.DictReader(stream))
    assert float(table[0]["mean"]) == pytest.approx(1.5)
    assert json.loads((tmp_path / "t.csv.json").read_text())["scan"] == "x"


def test_maps_come_back_and_the_command_measures_them(tmp_path: Path, capsys) -> None:
    phantom, maps = tmp_path / "phantom", tmp_path / "maps"
    assert main(["ivim-simulate", str(phantom), "--slices", "2", "--size", "8", "--snr", "60"]) == 0
    assert main(["ivim", str(phantom / "noisy.nii.gz"), str(maps), "--method", "segmented"]) == 0
    fit, scan = read_maps(maps)
    assert (fit.method, fit.maps["D"].shape, fit.b_values[-1]) == ("segmented", (2, 8, 8), 1000)
    labels = np.zeros((2, 8, 8), np.uint8)
    labels[1, 2:5, 3] = 2
    save_scan(Scan(labels, scan.info), tmp_path / "labels.nii.gz")
    capsys.readouterr()
    command = ["ivim-regions", str(maps)]
    assert main([*command, str(tmp_path / "labels.nii.gz"), "--json", "--csv", str(tmp_path / "out.csv")]) == 0
    said = capsys.readouterr()
    assert said.err == f"Wrote {tmp_path / 'out.csv'} and {tmp_path / 'out.csv'}.json\n"
    told = {row["map"]: row for row in json.loads(said.out)}
    assert told["D"]["mean"] == pytest.approx(1e3 * fit.maps["D"][1, 2:5, 3].mean(), rel=1e-5)
    assert (tmp_path / "out.csv").exists()
    middle = tuple(float(o + 4 * s) for o, s in zip(scan.info.origin[1:], scan.info.voxel_size[1:], strict=True))
    half = 0.6 * scan.info.voxel_size[1]
    corners = [(middle[0] + a * half, middle[1] + b * half) for a, b in ((-1, -1), (-1, 1), (1, 1), (1, -1))]
    save_rois([Roi("spot", tuple(corners))], tmp_path / "rois.json")
    assert main([*command, str(tmp_path / "rois.json")]) == 0
    assert "n 2 " in capsys.readouterr().out  # one pixel of each slice
    (maps / "ivim.json").write_text("{}")
    with pytest.raises(ReadError, match="damaged"):
        read_maps(maps)
    with pytest.raises(ReadError, match="micromri ivim"):
        read_maps(tmp_path)
