"""Scans that are found one by one, and the one of them that is shown first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from bruker_files import CORONAL, SAGITTAL, TRANSAXIAL, Reconstruction
from napari_micromri.errors import CancelledError
from napari_micromri.io import save_scan
from napari_micromri.study.choosing import kinds_of, most_anatomical
from napari_micromri.study.discovery import Found, each_scan, find_scans
from napari_micromri.study.plan import Rejected

if TYPE_CHECKING:
    from pathlib import Path


def frames(count: int = 3, rows: int = 4, columns: int = 5) -> np.ndarray:
    return np.arange(count * rows * columns, dtype="i2").reshape(count, rows, columns)


def test_scans_come_one_by_one_and_what_is_left_out_between_them(tmp_path: Path, make_scan) -> None:
    save_scan(make_scan(name="a"), tmp_path / "a.nii.gz")
    (tmp_path / "b.nii").write_bytes(b"cut off")
    save_scan(make_scan(name="c"), tmp_path / "c.nii")
    entries = each_scan([tmp_path])
    first = next(entries)
    assert isinstance(first, Found)
    (tmp_path / "c.nii").unlink()  # not looked at yet, so it is missing now
    rest = list(entries)
    assert [type(entry) for entry in rest] == [Rejected]
    assert "b.nii" in rest[0].reason


def test_it_stops_when_asked_also_where_nothing_is_found(tmp_path: Path, make_scan) -> None:
    for name in "abc":
        save_scan(make_scan(name=name), tmp_path / name / "scan.nii")
    taken: list[object] = []
    with pytest.raises(CancelledError):
        taken.extend(each_scan([tmp_path], should_stop=lambda: bool(taken)) if taken else ())
        for entry in each_scan([tmp_path], should_stop=lambda: len(taken) == 2):
            taken.append(entry)
    assert len(taken) == 2
    with pytest.raises(CancelledError):
        next(each_scan([tmp_path / "a"], should_stop=lambda: True))


def test_one_of_several_scans_at_a_path(tmp_path: Path) -> None:
    Reconstruction(
        frames(), orientations=(TRANSAXIAL, CORONAL, SAGITTAL), positions=((0, 0, 0),) * 3, protocol="scout"
    ).write(tmp_path)
    all_of_them, _ = find_scans([tmp_path])
    assert len(all_of_them) == 3
    [one], _ = find_scans([str(all_of_them[1].source)])
    assert one.source == all_of_them[1].source
    assert one.scan.info.direction == all_of_them[1].scan.info.direction
    found, [left_out] = find_scans([f"{tmp_path / '1' / 'pdata' / '1'}#nothing"])
    assert not found
    assert "nothing" in left_out.reason


def test_the_finest_anatomical_scan_is_chosen_and_no_localizer(tmp_path: Path) -> None:
    fine = {"extent": (3.0, 2.4)}
    Reconstruction(frames(), protocol="1_Localizer", **fine).write(tmp_path, 1)
    Reconstruction(
        frames(), protocol="T1", orientations=(TRANSAXIAL, CORONAL, SAGITTAL), positions=((0, 0, 0),) * 3, **fine
    ).write(tmp_path, 2)
    Reconstruction(frames(), protocol="T2_coarse", extent=(60.0, 48.0)).write(tmp_path, 3)
    Reconstruction(frames(), protocol="T2_few", extent=(6.0, 4.8)).write(tmp_path, 4)
    Reconstruction(frames(6), protocol="T2_many", extent=(6.0, 4.8)).write(tmp_path, 5)
    Reconstruction(frames(6), protocol="DTI", groups=((3, "FG_SLICE"), (2, "FG_MOVIE")), **fine).write(tmp_path, 6)
    Reconstruction(frames(), protocol="B0Map", **fine).write(tmp_path, 7)
    found, left_out = find_scans([tmp_path])
    assert not left_out
    best = most_anatomical(found)
    assert best is not None
    assert best.scan.info.protocol == "T2_many"
    kinds = dict(zip([one.source.path.split("/")[-3] for one in found], kinds_of(found), strict=True))
    assert kinds == {
        **{"1": "localizer", "2": "localizer", "3": "anatomy", "4": "anatomy", "5": "anatomy"},
        **{"6": "over time", "7": "map"},
    }
    only = [one for one, kind in zip(found, kinds_of(found), strict=True) if kind == "localizer"]
    assert most_anatomical(only) in only
    assert most_anatomical([]) is None


@pytest.mark.parametrize(
    ("protocol", "expected"),
    [
        ("1_Localizer_multi_slice", True),
        ("T1_TriPilot-multi", True),
        ("tripilot", True),
        ("Localiser", True),
        ("survey_32ch", True),
        ("3Plane_Loc", True),
        ("01 mic_flash_ortho", True),
        ("AAhead_scout", True),
        ("T2_TurboRARE_local_shim", False),
        ("orthotopic_tumour_T2", False),
        ("T1_FLASH", False),
        ("allocated", False),
    ],
)
def test_localizers_are_known_by_their_names(tmp_path: Path, protocol: str, expected: bool) -> None:
    Reconstruction(frames(), protocol=protocol).write(tmp_path)
    found, _ = find_scans([tmp_path])
    assert (kinds_of(found) == ["localizer"]) is expected


@pytest.mark.parametrize(
    ("more", "date", "quadruped"),
    [
        ({"VisuAcqDate": "( 21 )\n<11:59:49  5 Nov 2013>"}, "2013-11-05T11:59:49", True),
        (
            {"VisuAcqDate": "( 25 )\n<2024-05-14T09:08:07,456+0200>", "VisuSubjectType": "Quadruped"},
            "2024-05-14T09:08:07",
            True,
        ),
        ({"VisuSubjectType": "Biped"}, None, False),
    ],
)
def test_headers_of_paravision_tell_date_and_animal(tmp_path: Path, more, date, quadruped) -> None:
    Reconstruction(frames(), more=more).write(tmp_path)
    [found], _ = find_scans([tmp_path])
    assert found.scan.info.date == date
    assert found.scan.info.quadruped is quadruped


def test_a_folder_that_counts_animals_goes_before_the_names_of_scans_in_it(tmp_path: Path, make_scan) -> None:
    for folder in ("mouse 2/glioma7T", "mouse 2/abdomen15T_HR", "day1/glioma7T"):
        (tmp_path / folder).mkdir(parents=True)
        save_scan(make_scan((3, 8, 6), subject=None), tmp_path / folder / "scan.ome.zarr")
    found, _ = find_scans([tmp_path])
    assert {one.source.path[len(str(tmp_path)) + 1 :].rpartition("/")[0]: one.subject for one in found} == {
        "mouse 2/glioma7T": "mouse_2",
        "mouse 2/abdomen15T_HR": "mouse_2",
        "day1/glioma7T": "glioma7T",
    }
