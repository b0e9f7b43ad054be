"""Finding pairs among many scans: what fits, what doesn't, and what is said of the rest."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_micromri.errors import StudyError
from napari_micromri.io import save_scan
from napari_micromri.scan import Scan, ScanInfo
from napari_micromri.study.discovery import find_scans
from napari_micromri.study.matching import lr_first, mismatch, unfit
from napari_micromri.study.pairing import plan_from_folders
from napari_micromri.study.plan import Plan, Source

sys.path.insert(0, str(Path(__file__).parents[1] / "io"))
from bruker_files import CORONAL, SAGITTAL, TRANSAXIAL, Reconstruction

if TYPE_CHECKING:
    from collections.abc import Callable

    MakeScan = Callable[..., Scan]

AXES = ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0))


def good(**info: Any) -> Scan:
    """Give a scan of 5 slices on a 0.1 mm grid that covers 2.4 × 2 mm."""
    known: dict[str, Any] = {
        "name": "T2_TurboRARE default",
        "axes": "zyx",
        "voxel_size": (0.6, 0.1, 0.1),
        "origin": (1.0, 2.05, 3.05),
        "direction": AXES,
        "subject": "mouse07",
        "averages": 5,
        "repetition_time": 4000.0,
        "echo_time": 37.1,
    }
    data = np.random.default_rng(0).integers(0, 900, info.pop("shape", (5, 24, 20))).astype(np.int16)
    return Scan(data, ScanInfo(**(known | info)))


def fast(**info: Any) -> Scan:
    """Give the scan of half as many rows and columns over the same extent."""
    known = {"name": "T2_TurboRARE fast", "voxel_size": (0.6, 0.2, 0.2), "origin": (1.0, 2.1, 3.1), "averages": 1}
    return good(**(known | {"shape": (5, 12, 10)} | info))


def save(folder: Path, **scans: Scan) -> Path:
    for name, scan in scans.items():
        save_scan(scan, folder / f"{name}.nii.gz")
    return folder


def pair_names(plan: Plan) -> list[tuple[str, str]]:
    return [(Path(str(pair.lr)).name, Path(str(pair.hr)).name) for pair in plan.pairs]


def reasons(plan: Plan) -> dict[str, str]:
    return {Path(entry.path).name: entry.reason for entry in plan.rejected}


class TestMismatch:
    """Two scans alone."""

    def test_fast_and_good_fit(self) -> None:
        assert mismatch(fast(), good()) is None
        assert mismatch(good(), fast()) is None

    def test_half_a_voxel_of_disagreement_on_positions_is_let_through(self) -> None:
        same_first_centre = fast(origin=(1.0, 2.05, 3.05))
        assert mismatch(same_first_centre, good()) is None

    def test_unknown_orientation_of_both_is_fine(self) -> None:
        assert mismatch(fast(direction=None), good(direction=None)) is None

    def test_oblique_scans_far_from_the_centre_fit(self) -> None:
        turn = np.array([[np.cos(0.4), -np.sin(0.4), 0], [np.sin(0.4), np.cos(0.4), 0], [0, 0, 1]])
        direction = tuple(tuple(float(v) for v in row) for row in np.array(AXES) @ turn)
        assert mismatch(fast(direction=direction), good(direction=direction)) is None

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"shape": (4, 12, 10)}, "the numbers of slices differ, 4 and 5"),
            ({"origin": (1.2, 2.1, 3.1)}, "the slices lie 0.2 mm apart, at a distance of slices of 0.6 mm"),
            ({"voxel_size": (0.7, 0.2, 0.2)}, "the slices lie 0.4 mm apart, at a distance of slices of 0.7 mm"),
            ({"origin": (1.0, 2.5, 3.1)}, "the fields of view lie 0.4 mm apart"),
            ({"shape": (5, 14, 10)}, "the fields of view differ, 2.8 × 2 and 2.4 × 2 mm"),
            ({"direction": (AXES[1], AXES[0], AXES[2])}, "the slices stand at 90° to each other"),
            ({"direction": (AXES[0], AXES[2], AXES[1])}, "the slices are parallel but turned in their plane"),
            ({"direction": (AXES[0], (0.0, -1.0, 0.0), AXES[2])}, "the rows run in opposite directions"),
            ({"direction": ((0.0, 0.0, -1.0), *AXES[1:])}, "the slices follow each other in opposite directions"),
            ({"direction": None}, "the orientation of only one of them is known"),
            ({"protocol": "DtiEpi EPI"}, "the sequences differ, EPI and RARE"),
            ({"echo_time": 80.0}, "the echo times differ, 80 and 37.1 ms"),
        ],
    )
    def test_reasons(self, changes: dict[str, Any], reason: str) -> None:
        found = mismatch(fast(**({"name": "fast"} | changes)), good())
        assert found is not None
        assert found[1] == reason

    def test_averages_decide_on_the_same_matrix(self) -> None:
        one, five = good(averages=1), good()
        found = lr_first(five, one)
        assert found is not None
        assert found[0] is one
        assert lr_first(good(averages=None), five) is None
        assert lr_first(five, good()) is None

    def test_finer_in_one_direction_only_is_neither(self) -> None:
        crossed = good(shape=(5, 12, 40), voxel_size=(0.6, 0.2, 0.05), origin=(1.0, 2.1, 3.025))
        found = mismatch(crossed, good())
        assert found is not None
        assert found[1] == "neither is finer than the other in both directions"

    def test_a_finer_scan_with_fewer_averages_is_hr(self) -> None:
        found = lr_first(good(averages=1), fast(averages=9))
        assert found is not None
        assert found[1].shape == (5, 24, 20)

    @pytest.mark.parametrize(
        ("scan", "reason"),
        [
            (good(shape=(3, 5, 8, 8), axes="tzyx"), "it has 3 repetitions"),
            (good(shape=(2, 5, 8, 8), axes="bzyx", b_values=(0.0, 500.0)), "it has 2 diffusion weightings"),
            (
                good(shape=(8, 8), axes="yx", voxel_size=(1.0, 1.0), origin=(0.0, 0.0), direction=AXES[1:]),
                "it is a single image without slices",
            ),
            (good(name="1_Localizer"), "it is a localizer by its name"),
            (good(protocol="tripilot"), "it is a localizer by its name"),
        ],
    )
    def test_unfit(self, scan: Scan, reason: str) -> None:
        assert str(unfit(scan)).startswith(reason)


class TestFolders:
    """Files on the disk."""

    def test_a_pair_is_found_and_described(self, tmp_path: Path) -> None:
        save(tmp_path / "head-thorax", a=fast(plane="coronal"), b=good(plane="coronal"))
        plan = plan_from_folders([tmp_path])
        [pair] = plan.pairs
        assert pair_names(plan) == [("a.nii.gz", "b.nii.gz")]
        assert pair.identity == ("mouse07", "head-thorax", "coronal", "")
        assert pair.slice_count == 5
        assert plan.rejected == ()

    def test_other_subjects_and_sessions_are_never_paired(self, tmp_path: Path) -> None:
        save(tmp_path, a=fast(subject="m1", session="s1"), b=good(subject="m2"), c=good(subject="m1", session="s2"))
        found = reasons(plan_from_folders([tmp_path]))
        assert found["b.nii.gz"] == "there is no other stack of slices of subject 'm2'"
        assert "the sessions differ, 's1' and 's2'" in found["a.nii.gz"]

    def test_a_session_that_only_one_of_them_knows_is_taken(self, tmp_path: Path) -> None:
        [pair] = plan_from_folders([save(tmp_path, a=fast(), b=good(session="s2"))]).pairs
        assert pair.session == "s2"

    def test_two_candidates_are_ambiguous(self, tmp_path: Path) -> None:
        plan = plan_from_folders([save(tmp_path, a=fast(), b=good(), c=fast())])
        found = reasons(plan)
        assert plan.pairs == ()
        assert found["b.nii.gz"].startswith("it fits 2 scans: 'T2_TurboRARE fast'")
        assert "a.nii.gz" in found["b.nii.gz"]
        assert found["a.nii.gz"].startswith("its only partner 'T2_TurboRARE default'")

    def test_equal_protocols_decide_between_candidates(self, tmp_path: Path) -> None:
        plan = plan_from_folders([save(tmp_path, a=fast(), b=good(), c=fast(repetition_time=2500.0))])
        assert pair_names(plan) == [("a.nii.gz", "b.nii.gz")]
        assert list(reasons(plan)) == ["c.nii.gz"]

    def test_times_that_differ_are_noted(self, tmp_path: Path) -> None:
        [pair] = plan_from_folders([save(tmp_path, a=fast(repetition_time=2500.0), b=good())]).pairs
        assert pair.notes == ("TR 2500 and 4000 ms",)

    def test_stacks_of_an_unknown_region_get_numbers(self, tmp_path: Path) -> None:
        low = {"origin": (31.0, 2.1, 3.1)}, {"origin": (31.0, 2.05, 3.05)}
        plan = plan_from_folders([save(tmp_path, a=fast(), b=good(), c=fast(**low[0]), d=good(**low[1]))])
        assert [pair.region for pair in plan.pairs] == ["unknown", "unknown 2"]
        assert "regions" in plan.pairs[1].notes[0]

    @pytest.mark.parametrize(
        ("names", "subject"),
        [
            (("mouse07_fast", "mouse07_default"), "mouse07"),
            (("m 3/cor/lr", "m 3/cor/hr"), "m_3"),
            (("sub-12_ses-b_acq-fast_T2w", "sub-12_ses-b_acq-slow_T2w"), "12"),
            (("rat_head_T2w", "rat_head_T2w_LR"), "rat"),
        ],
    )
    def test_a_missing_subject_comes_from_the_name_and_is_said(
        self, tmp_path: Path, names: tuple[str, str], subject: str
    ) -> None:
        anonymous: dict[str, Any] = {"subject": None}
        save(tmp_path, **{names[0]: fast(**anonymous), names[1]: good(**anonymous)})
        [pair] = plan_from_folders([tmp_path]).pairs
        assert pair.subject == subject
        assert f"subject '{subject}' is from the name" in pair.notes[0]

    def test_the_person_knows_better(self, tmp_path: Path) -> None:
        save(tmp_path, x=fast(subject=None), y=good(subject=None))
        assert plan_from_folders([tmp_path]).pairs == ()
        [pair] = plan_from_folders([tmp_path], subject="A", region="knee", plane="sagittal").pairs
        assert pair.identity == ("A", "knee", "sagittal", "")
        assert pair.notes == ()

    def test_formats_mix_and_overlapping_sources_count_once(self, tmp_path: Path) -> None:
        save_scan(fast(), tmp_path / "one" / "a.ome.zarr")
        save(tmp_path / "two" / "deep", b=good())
        plan = plan_from_folders([tmp_path, tmp_path / "two", tmp_path / "one" / "a.ome.zarr"])
        assert pair_names(plan) == [("a.ome.zarr", "b.nii.gz")]
        assert plan.rejected == ()

    def test_what_is_no_scan_is_passed_by_and_what_is_broken_is_told(self, tmp_path: Path) -> None:
        save(tmp_path, a=fast(), b=good())
        (tmp_path / "notes.txt").write_text("hello")
        (tmp_path / ".hidden.nii").write_bytes(b"x")
        (tmp_path / "broken.nii.gz").write_bytes(b"no scan")
        shutil.copytree(tmp_path, tmp_path / "old.mri.zarr")
        plan = plan_from_folders([tmp_path])
        assert len(plan.pairs) == 1
        assert list(reasons(plan)) == ["broken.nii.gz"]

    @pytest.mark.skipif(sys.platform == "win32", reason="Links need rights there")
    def test_links_in_a_circle_end(self, tmp_path: Path) -> None:
        save(tmp_path / "in", a=fast(), b=good())
        os.symlink(tmp_path, tmp_path / "in" / "again")
        assert len(plan_from_folders([tmp_path]).pairs) == 1

    def test_a_study_is_no_source(self, tmp_path: Path) -> None:
        (tmp_path / "old.mri.zarr").mkdir()
        [entry] = plan_from_folders([tmp_path / "old.mri.zarr"]).rejected
        assert "study" in entry.reason

    def test_a_missing_path_is_one_sentence(self, tmp_path: Path) -> None:
        with pytest.raises(StudyError, match="nowhere"):
            plan_from_folders([tmp_path / "nowhere"])


class TestParaVision:
    """Study folders of the scanner."""

    def frames(self, *shape: int) -> np.ndarray[Any, Any]:
        return np.random.default_rng(1).integers(0, 3000, shape).astype("i2")

    def fast_and_default(self, study: Path) -> None:
        places = [(-15.0, -12.0, 0.6 * k) for k in range(4)]
        more = {"VisuAcqNumberOfAverages": "1"}
        Reconstruction(self.frames(4, 24, 30), positions=places, protocol="T2_RARE_fast", more=more).write(study, 3)
        Reconstruction(self.frames(4, 48, 60), positions=places, protocol="T2_RARE_default").write(study, 4)

    def test_fast_and_default_of_a_study_with_everything_else(self, tmp_path: Path) -> None:
        study = tmp_path / "20240514_mouse07"
        self.fast_and_default(study)
        directions = (TRANSAXIAL, CORONAL, SAGITTAL)
        places = [(-15, -12, 0), (-15, 0, 12), (0, -15, 12)]
        Reconstruction(self.frames(3, 24, 24), positions=places, orientations=directions, protocol="ortho").write(
            study, 1
        )
        repeated = Reconstruction(self.frames(8, 24, 30), groups=((4, "FG_SLICE"), (2, "FG_CYCLE")), protocol="T2_map")
        repeated.write(study, 5)
        Reconstruction(self.frames(4, 24, 30), protocol="DtiEpi epi", slope=(2.0,)).write(study, 6)
        aborted = Reconstruction(self.frames(4, 48, 60), protocol="T2_RARE_default").write(study, 7)
        (aborted / "2dseq").write_bytes(b"")
        (study / "8" / "pdata").mkdir(parents=True)
        plan = plan_from_folders([tmp_path])
        [pair] = plan.pairs
        found = {entry.path[len(str(study)) + 1 :]: entry.reason for entry in plan.rejected}
        assert pair.identity == ("mouse_07", "head-thorax", "transaxial", "head-thorax")
        assert (str(pair.lr), str(pair.hr)) == (str(study / "3/pdata/1"), str(study / "4/pdata/1"))
        assert "localizer" in found["1/pdata/1"]
        assert "2 repetitions" in found["5/pdata/1"]
        assert "RARE and EPI" in found["6/pdata/1"]
        assert "aborted" in found["7/pdata/1"]
        assert "no images" in found["8"]

    def test_a_second_reconstruction_is_ambiguous(self, tmp_path: Path) -> None:
        self.fast_and_default(tmp_path)
        shutil.copytree(tmp_path / "4" / "pdata" / "1", tmp_path / "4" / "pdata" / "2")
        plan = plan_from_folders([tmp_path])
        assert plan.pairs == ()
        assert len(plan.rejected) == 3

    def test_real_studies_without_pairs(self, data_dir: Path) -> None:
        plan = plan_from_folders([data_dir / "bruker"])
        told = " ".join(entry.reason for entry in plan.rejected)
        assert plan.pairs == ()
        assert len(plan.rejected) == 9
        assert told.count("no images (2dseq)") == 2
        assert told.count("90°") == 3
        assert told.count("as those of a localizer do") == 3


def test_a_source_says_which_scan_it_means(tmp_path: Path) -> None:
    (found, *_), _ = find_scans([save(tmp_path, **{"odd#name": good()})])
    assert Source.parse("odd#name.nii.gz", tmp_path) == found.source
    assert Source.parse("a/b#2", tmp_path) == Source(str(tmp_path / "a/b"), "2")
    assert str(Source("a/b", "T2 coronal")) == "a/b#T2 coronal"


def test_dicom_folders_are_read_as_a_whole_beside_others(tmp_path: Path) -> None:
    pydicom = pytest.importorskip("pydicom")
    folder = tmp_path / "dicom"
    folder.mkdir()
    for k in range(5):
        write_dicom(pydicom, folder / f"{k}.dcm", k)
    save(folder, b=good(subject="mouse07", direction=((0.0, 0.0, 1.0), (0.0, -1.0, 0.0), (-1.0, 0.0, 0.0))))
    plan = plan_from_folders([tmp_path])
    sources = {*(str(p.lr) for p in plan.pairs), *(str(p.hr) for p in plan.pairs), *(r.path for r in plan.rejected)}
    assert sources == {str(folder), str(folder / "b.nii.gz")}


def test_planes_of_folders_go_before_what_a_reader_made_of_the_geometry(tmp_path: Path) -> None:
    pydicom = pytest.importorskip("pydicom")
    (tmp_path / "Mouse01" / "Coronal").mkdir(parents=True)
    for k in range(2):  # a transaxial orientation, which stands in the name of the scan, too
        write_dicom(pydicom, tmp_path / "Mouse01" / "Coronal" / f"{k}.dcm", k)
    [found], _ = find_scans([tmp_path])
    assert "transaxial" in found.scan.info.name
    assert found.plane == "coronal"
    assert any("coronal" in note and "transaxial" in note for note in found.notes)


def write_dicom(pydicom: Any, path: Path, number: int) -> None:
    """Write one slice of 12 × 10 pixels."""
    header = pydicom.Dataset()
    header.SOPClassUID, header.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.4", f"1.2.3.{number}"
    header.SeriesInstanceUID, header.Modality, header.PatientID = "1.2.9", "MR", "mouse07"
    header.Rows, header.Columns, header.BitsAllocated, header.BitsStored, header.HighBit = 12, 10, 16, 16, 15
    header.SamplesPerPixel, header.PhotometricInterpretation, header.PixelRepresentation = 1, "MONOCHROME2", 0
    header.PixelSpacing, header.SliceThickness, header.InstanceNumber = [0.2, 0.2], 0.6, number + 1
    header.ImagePositionPatient, header.ImageOrientationPatient = [0, 0, 0.6 * number], [1, 0, 0, 0, 1, 0]
    header.PixelData = np.zeros((12, 10), "u2").tobytes()
    header.file_meta = pydicom.dataset.FileMetaDataset()
    header.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    header.save_as(path, enforce_file_format=True)


class TestMirroredTrees:
    """Two trees of equal names, one for each grade, whose headers tell neither planes nor animals apart."""

    SILENT = {"subject": "ANONYMOUS", "direction": None, "name": "T2"}  # noqa: RUF012

    def make(self, folder: Path, *places: str, **changes: Any) -> None:
        for place in places:
            (folder / place).mkdir(parents=True)
            scan = fast if "LOW" in place else good
            save(folder / place, scan=scan(**(self.SILENT | changes)))

    def described(self, plan: Plan) -> list[tuple[str, str, str, str, str]]:
        return sorted(
            (pair.subject, pair.region, pair.plane, Path(str(pair.lr)).parts[-5], Path(str(pair.hr)).parts[-5])
            for pair in plan.pairs
        )

    def test_names_of_folders_pair_what_headers_do_not(self, tmp_path: Path) -> None:
        animals, planes = ("Mouse01", "Mouse02"), ("Coronal", "Sagittal", "Transax")
        inside = [f"HEAD-THORAX/{animal}/{plane}" for animal in animals for plane in planes]
        self.make(tmp_path, *(f"{grade} RES/{place}" for grade in ("HIGH", "LOW") for place in inside))
        plan = plan_from_folders([tmp_path])
        names = {"Coronal": "coronal", "Sagittal": "sagittal", "Transax": "transaxial"}
        assert self.described(plan) == [
            (animal, "head-thorax", names[plane], "LOW RES", "HIGH RES") for animal in animals for plane in planes
        ]
        assert all(Path(str(pair.lr)).parts[-4:] == Path(str(pair.hr)).parts[-4:] for pair in plan.pairs)
        assert not plan.rejected

    def test_levels_may_stand_in_another_order(self, tmp_path: Path) -> None:
        self.make(tmp_path, "m1/Coronal/HIGH_RES", "m1/Sagittal/HIGH_RES", "LOW_RES/Coronal/m1", "LOW_RES/Sagittal/m1")
        assert [(pair.subject, pair.plane) for pair in plan_from_folders([tmp_path]).pairs] == [
            ("m1", "coronal"),
            ("m1", "sagittal"),
        ]

    def test_where_headers_contradict_folders_it_is_said(self, tmp_path: Path) -> None:
        self.make(tmp_path, "HIGH/m1/a", "LOW/m1/b", subject="m1")
        self.make(tmp_path, "HIGH/m1/b", subject="m1", origin=(9.0, 2.05, 3.05))
        [pair] = (plan := plan_from_folders([tmp_path])).pairs
        assert Path(str(pair.hr)).parts[-4:-1] == ("HIGH", "m1", "a")
        assert "by the names of its folders" in pair.notes[-1]
        [left] = plan.rejected
        assert "LOW/m1/b" in left.reason.replace("\\", "/")
