"""Regions in an evaluation: each file goes to the pair that it was drawn on, and every image is measured."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from evaluation_samples import Repeater, make_test_study
from napari_micromri.errors import InputError, ReadError, WriteError
from napari_micromri.measure.evaluation.evaluator import EvaluationOptions, evaluate
from napari_micromri.measure.evaluation.rois import measure_rois
from napari_micromri.measure.roi import Roi
from napari_micromri.measure.roi_file import save_rois
from napari_micromri.scan import ScanInfo

if TYPE_CHECKING:
    from pathlib import Path

    from napari_micromri.scan import Scan
    from napari_micromri.study.store import Study

Z2 = 2 * 0.6
"""Centre of slice 2 in mm."""


def _box(name: str, top: float, left: float, kind: str = "roi") -> Roi:
    corners = ((top, left), (top, left + 1), (top + 1, left + 1), (top + 1, left))
    return Roi(name, corners, kind=kind, depth=(Z2, Z2))


ROIS = (_box("liver", 0.0, 4.0), _box("air", -1.0, 2.0, "background"))


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return make_test_study(tmp_path / "mice.mri.zarr")


def _drawn_on(study: Study, subject: str) -> Scan:
    [key] = [pair.key for pair in study.pairs() if pair.subject == subject]
    return study.scans(key)[1]


def _file(study: Study, path: Path, subject: str = "mouse 02", told: str | None = None, **info: object) -> Path:
    scan = _drawn_on(study, subject)
    fields = {"subject": told or subject} | info
    return save_rois(ROIS, path, scan=replace(scan, info=replace(scan.info, **fields)))


def test_each_image_is_measured_on_the_slice_of_the_region(study: Study, tmp_path: Path) -> None:
    options = EvaluationOptions(rois=(_file(study, tmp_path / "liver.json"),))
    found = evaluate(study, [Repeater(), Repeater("dark", gain=0.5)], "test", tmp_path / "out", options)
    with (tmp_path / "out" / "rois.csv").open(encoding="utf-8", newline="") as stream:
        lines = {line["image"]: line for line in csv.DictReader(stream)}
    assert list(lines) == ["LR", "repeater", "dark", "HR"]
    assert {(line["subject"], line["slice"], line["roi"]) for line in lines.values()} == {("mouse 02", "2", "liver")}
    assert len(found.rois) == 4
    # A repeated pixel has the mean and standard deviation of the pixel itself, on four times as many of them.
    for name in ("mean", "sd", "background_sd", "cnr"):
        assert float(lines["repeater"][name]) == pytest.approx(float(lines["LR"][name]), rel=1e-5)
    assert float(lines["repeater"]["n_pixels"]) == 4 * float(lines["LR"]["n_pixels"])
    assert float(lines["dark"]["cnr"]) == pytest.approx(float(lines["LR"]["cnr"]), rel=1e-5)
    assert float(lines["dark"]["mean"]) == pytest.approx(float(lines["LR"]["mean"]) / 2, rel=1e-5)
    hr = _drawn_on(study, "mouse 02").read()[2]
    rows, columns = slice(10, 20), slice(20, 30)  # 0 to 1 mm along y from -1.05, 4 to 5 mm along x from 1.95
    assert float(lines["HR"]["mean"]) == pytest.approx(hr[rows, columns].mean(dtype=float), rel=1e-4)


def test_the_tables_stand_in_the_page_and_the_text(study: Study, tmp_path: Path) -> None:
    from napari_micromri.measure.evaluation.summary import as_text

    options = EvaluationOptions(rois=(_file(study, tmp_path / "liver.json"),))
    found = evaluate(study, [Repeater()], "test", tmp_path / "out", options)
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    text = as_text(found)
    for title in ("CNR", "Normalised SD", "Contrast relative to HR", "Background SD relative to HR"):
        assert f"<h3>{title}</h3>" in page
        assert f"\n{title}\n" in text
    cnr = next(row["cnr"] for row in found.rois if row["image"] == "HR")
    assert f"<td>{cnr:.3f}</td>" in page
    assert f"{cnr:.3f}" in text


def test_doubts_about_a_region_are_shown(study: Study, tmp_path: Path) -> None:
    from napari_micromri.measure.evaluation.summary import as_text

    scan = _drawn_on(study, "mouse 02")
    path = save_rois(ROIS[:1], tmp_path / "alone.json", scan=replace(scan, info=replace(scan.info, subject="mouse 02")))
    found = evaluate(study, [Repeater()], "test", tmp_path / "out", EvaluationOptions(rois=(path,)))
    sentence = "No background is drawn on this slice"
    assert f"HR, mouse 02, slice 2 · z {Z2:g} mm: {sentence}" in as_text(found)
    assert sentence in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_regions_are_part_of_what_is_evaluated(study: Study, tmp_path: Path) -> None:
    evaluate(study, [Repeater()], "test", tmp_path / "out")
    with pytest.raises(WriteError, match="other regions"):
        options = EvaluationOptions(rois=(_file(study, tmp_path / "liver.json"),))
        evaluate(study, [Repeater()], "test", tmp_path / "out", options)


def test_regions_of_another_scan_are_refused(study: Study, tmp_path: Path) -> None:
    files = {
        "another animal": _file(study, tmp_path / "a.json", told="mouse 99"),
        "another set": _file(study, tmp_path / "b.json", "mouse 03"),
        "another field of view": _file(study, tmp_path / "c.json", voxel_size=(0.6, 0.2, 0.2)),
    }
    for path in files.values():
        with pytest.raises(InputError, match="evaluated set"):
            evaluate(study, [Repeater()], "test", tmp_path / "out", EvaluationOptions(rois=(path,)))
    assert not (tmp_path / "out").exists()


def test_regions_that_fit_several_pairs_are_refused(study: Study, tmp_path: Path) -> None:
    content = json.loads(_file(study, tmp_path / "known.json").read_text(encoding="utf-8"))
    nameless = tmp_path / "nameless.json"
    nameless.write_text(json.dumps(content | {"drawn_on": None}), encoding="utf-8")
    with pytest.raises(InputError, match=r"2 pairs.*mouse 01/.*mouse 02/"):
        evaluate(study, [Repeater()], "test", tmp_path / "out", EvaluationOptions(rois=(nameless,)))


def test_the_scans_name_decides_between_pairs_of_one_animal(tmp_path: Path) -> None:
    from napari_micromri.measure.evaluation.rois import rois_by_pair
    from study_samples import make_study

    study = make_study(tmp_path / "mice.mri.zarr", subjects=1, planes=("coronal", "sagittal"))
    keys = [pair.key for pair in study.pairs()]
    files = []
    for k, key in enumerate(keys):
        scan = study.scans(key)[k % 2]
        files.append(save_rois(ROIS, tmp_path / f"{k}.json", scan=scan))
    assert {key: len(rois) for key, rois in rois_by_pair(files, study.pairs()).items()} == dict.fromkeys(keys, 2)


def test_a_missing_file_is_one_sentence(study: Study, tmp_path: Path) -> None:
    with pytest.raises(ReadError, match=r"missing\.json"):
        evaluate(study, [Repeater()], "test", tmp_path / "out", EvaluationOptions(rois=(tmp_path / "missing.json",)))


def test_lr_is_measured_where_the_study_laid_it() -> None:
    """The header of LR lies half a pixel off HR, which reading a slice with its alignment has undone."""
    fine = ScanInfo(name="HR", axes="zyx", voxel_size=(0.6, 0.1, 0.1), origin=(0.0, 0.0, 0.0))
    coarse = replace(fine, name="LR", voxel_size=(0.6, 0.2, 0.2))
    hr = np.zeros((40, 40), np.float32)
    hr[10:20, 10:20] = 8
    lr = hr[::2, ::2].copy()
    pair = SimpleNamespace(
        hr=SimpleNamespace(info=fine), lr=SimpleNamespace(info=coarse), subject="m", region="r", plane="p", key="m/r/p"
    )
    corners = ((0.95, 0.95), (0.95, 1.95), (1.95, 1.95), (1.95, 0.95))
    roi = Roi("square", corners, depth=(0.0, 0.0))
    rows = measure_rois(pair, 0, [roi], lr, hr, {})
    assert [(row["image"], row["n_pixels"], row["mean"], row["sd"]) for row in rows] == [
        ("LR", 25, 8, 0),
        ("HR", 100, 8, 0),
    ]
