from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from napari_micromri.cli import main
from napari_micromri.io import open_scan, save_scan
from napari_micromri.measure.roi import Roi
from napari_micromri.measure.roi_file import save_rois
from napari_micromri.scan import Scan


def box(name, top, bottom, left, right, **more):
    return Roi(name, ((top, left), (top, right), (bottom, right), (bottom, left)), depth=(0.6, 0.6), **more)


ROIS = [box("body", 1.2, 1.8, 1.2, 1.8), box("air", 0.0, 0.6, 0.0, 0.6, kind="background")]


@pytest.fixture
def files(tmp_path, make_scan):
    good = make_scan((3, 32, 30), name="good")
    fast = Scan(good.data[:, ::2, ::2], good.info.resampled({"y": 0.5, "x": 0.5}))
    save_scan(good, tmp_path / "good.nii.gz")
    save_scan(fast, tmp_path / "fast.ome.zarr")
    save_rois(ROIS, tmp_path / "rois.json", scan=good)
    return tmp_path


def measure(files, *more):
    return main(
        ["measure", str(files / "fast.ome.zarr"), str(files / "good.nii.gz"), "--rois", str(files / "rois.json"), *more]
    )


def test_the_table_as_json(files, capsys):
    assert measure(files, "--json", "--reference", "good") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["image"], row["roi"], row["slice"]) for row in rows] == [("fast", "body", 1), ("good", "body", 1)]
    assert rows[1]["contrast_to_reference"] == 1
    assert rows[1]["n_pixels"] == 36
    assert rows[1]["cnr"] == pytest.approx(rows[1]["contrast"] / rows[1]["background_sd"])


def test_the_table_as_csv(files, capsys):
    assert measure(files, "--csv", "-") == 0
    printed = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert measure(files, "--csv", str(files / "cnr.csv")) == 0
    with (files / "cnr.csv").open(encoding="utf-8") as stream:
        assert list(csv.DictReader(stream)) == printed
    settings = json.loads((files / "cnr.csv.json").read_text())
    assert settings["images"][0]["voxel_size_mm"] == [0.6, 0.2, 0.2]
    assert measure(files, "--csv", str(files / "cnr.csv")) == 2
    assert "already" in capsys.readouterr().err
    assert measure(files, "--csv", str(files / "cnr.csv"), "--overwrite") == 0


def test_the_table_for_a_person(files, capsys):
    assert measure(files) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].split() == "image ROI slice n mean SD background SD contrast CNR normalised SD".split()
    assert out[1].startswith("fast")
    assert "'body' has 9 pixels" in out[-1]


def test_the_table_for_a_person_compares_with_the_reference(files, capsys):
    assert measure(files, "--reference", "good") == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0][-7:] == "contrast / reference background SD / reference".split()
    assert next(line for line in lines if line[0] == "good")[-2:] == ["1", "1"]
    assert next(line for line in lines if line[0] == "fast")[-2:] != ["1", "1"]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--reference", "best"), "isn't one of the images"),
        (("--json", "--csv", "-"), "Only one of"),
        (("--rule", "guess"), "invalid choice"),
    ],
)
def test_what_is_refused(files, capsys, more, words):
    try:
        code = measure(files, *more)
    except SystemExit as exit_:
        code = exit_.code
    assert code == 2
    assert words in capsys.readouterr().err


def test_rois_of_another_scan(files, capsys, make_scan):
    far = make_scan((3, 32, 30), name="far", origin=(50.0, 90.0, 0.0))
    save_scan(far, files / "far.nii.gz")
    assert main(["measure", str(files / "far.nii.gz"), "--rois", str(files / "rois.json")]) == 2
    error = capsys.readouterr().err
    assert "field of view" in error
    assert "No ROI" in error
    save_rois(ROIS[1:], files / "air.json")
    assert main(["measure", str(files / "good.nii.gz"), "--rois", str(files / "air.json")]) == 2
    assert "no ROI" in capsys.readouterr().err


def test_two_files_of_one_name(files, capsys):
    path = str(files / "good.nii.gz")
    assert main(["measure", path, path, "--rois", str(files / "rois.json"), "--json"]) == 0
    assert [row["image"] for row in json.loads(capsys.readouterr().out)] == ["good", "good (2)"]


def test_a_study_is_measured_as_in_the_docs(files, capsys):
    assert measure(files, "--rule", "area", "--backgrounds", "each", "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert rows[0]["area_mm2"] == pytest.approx(rows[1]["area_mm2"]) == pytest.approx(0.36)
    assert np.isfinite([row["cnr"] for row in rows]).all()


def test_one_file_of_regions_on_every_scan_of_a_folder(files, capsys, make_scan):
    apart = make_scan((3, 32, 30), name="apart", origin=(90.0, 0.0, 0.0))
    save_scan(apart, files / "apart.ome.zarr")
    (files / "broken.nii.gz").write_bytes(b"no scan")
    asked = ["measure", str(files), "--each", "--rois", str(files / "rois.json")]
    assert main([*asked, "--csv", str(files / "all.csv"), "--json"]) == 1
    printed = capsys.readouterr()
    rows = json.loads(printed.out)
    assert sorted((row["image"].rsplit("/")[-1], row["roi"]) for row in rows) == [
        ("fast.ome.zarr", "body"),
        ("good.nii.gz", "body"),
    ]
    alone = measure(files, "--json")
    together = {row["image"]: row["cnr"] for row in json.loads(capsys.readouterr().out)}
    assert alone == 0
    assert sorted(row["cnr"] for row in rows) == sorted(together.values())
    left_out = [line for line in printed.err.splitlines() if "left out" in line]
    assert ["apart" in line or "broken" in line for line in left_out] == [True, True]
    with (files / "all.csv").open(encoding="utf-8") as stream:
        assert len(list(csv.DictReader(stream))) == 2


def test_scans_one_by_one_have_no_reference(files, capsys):
    assert main(["measure", str(files), "--each", "--rois", str(files / "rois.json"), "--reference", "good"]) == 2
    assert "reference" in capsys.readouterr().err


@pytest.mark.parametrize("each", [(), ("--each",)])
def test_of_several_volumes_the_first_is_measured_and_this_is_told(files, make_scan, capsys, each):
    weighted = make_scan((2, 3, 32, 30), "bzyx", b_values=(0.0, 500.0))
    save_scan(weighted, files / "dwi.nii.gz")
    assert main(["measure", str(files / "dwi.nii.gz"), "--rois", str(files / "rois.json"), "--json", *each]) == 0
    printed = capsys.readouterr()
    assert "2 diffusion weightings; only the first" in printed.err
    inside = weighted.data[0, 1, 12:18, 12:18]
    assert json.loads(printed.out)[0]["mean"] == pytest.approx(inside.mean(), rel=1e-5)


def test_a_region_whose_edges_pass_through_centres_has_the_same_pixels_at_any_angle(tmp_path, capsys):
    # Headers give directions in single precision, so these aren't quite of length 1.
    affine = np.diag([0.3, 0.5, 1.2, 1.0])
    affine[:3, :3] = Rotation.from_euler("zyx", [20, 10, -5], degrees=True).as_matrix() * (0.3, 0.5, 1.2)
    affine[:3, 3] = 50, -70, 110
    values = np.arange(1.0, 3601).reshape(3, 30, 40).astype(np.float32)
    nib.save(nib.Nifti1Image(values.T, affine), tmp_path / "a.nii.gz")
    scan = open_scan(tmp_path / "a.nii.gz")[0]
    _, dy, dx = scan.info.voxel_size
    _, y, x = scan.info.origin
    region = box("body", y + 2 * dy, y + 8 * dy, x + 3 * dx, x + 10 * dx)
    save_rois([replace(region, depth=(scan.info.origin[0],) * 2)], tmp_path / "rois.json")
    assert main(["measure", str(tmp_path / "a.nii.gz"), "--rois", str(tmp_path / "rois.json"), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    # Centres on the edge belong to the side of the larger coordinate: rows 2 to 7, columns 3 to 9.
    inside = values[0, 2:8, 3:10].astype(float)
    assert (row["n_pixels"], row["mean"], row["sd"]) == (42, inside.mean(), pytest.approx(inside.std()))
