"""A study on the disk: what it says, changing it, and what is damaged, newer, read-only or full."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import zarr

from napari_micromri.errors import StudyError
from napari_micromri.io import open_scan
from napari_micromri.study.model import Assign, Crop, Edit, Exclude, Finding, SetCrop
from napari_micromri.study.reading import stored_digest
from napari_micromri.study.store import Study
from study_samples import make_pair, make_scans, make_study

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY, OTHER = "mouse 01/head-thorax/coronal", "mouse 02/head-thorax/coronal"
CROP = Crop(2, 20, 4, 40)


def json_of(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((path / "zarr.json").read_text(encoding="utf-8"))
    return found


def leftovers(study: Study) -> list[str]:
    return [p.name for p in study.path.rglob(".*") if not p.name.startswith(".lock")]


class TestOpening:
    def test_what_was_added_is_there(self, study: Study) -> None:
        again = Study.open(study.path)
        assert list(again.pairs_by_key) == [f"mouse 0{n}/head-thorax/coronal" for n in (1, 2, 3)]
        assert again.subjects == ("mouse 01", "mouse 02", "mouse 03")
        assert again.pairs_by_key == study.pairs_by_key
        assert (again.name, again.read_only, again.damaged) == ("mice", False, {})

    def test_all_of_a_pair_comes_back(self, tmp_path: Path) -> None:
        study = Study.create(tmp_path / "a.mri.zarr")
        lr, hr = make_scans(slices=2)
        pair = make_pair(
            "m/r/p", lr, hr, shift=(0.05, -0.025), session="2021", quality=({"a": 1.5}, {"a": float("nan")})
        )
        report = replace(pair.report, shift_spread=float("nan"), findings=(Finding(False, "A word."),))
        added = study.add_pair(replace(pair, report=report, sources={"hr": ["x", 1, None]}), lr, hr)
        again = Study.open(study.path).pairs_by_key["m/r/p"]
        assert np.isnan([again.quality[1]["a"], again.report.shift_spread]).all()
        plain = {"quality": (), "report": pair.report}
        assert replace(again, **plain) == replace(added, **plain)
        assert again.report.findings == (Finding(False, "A word."),)
        assert again.digest == stored_digest(study.path, again) != ""

    def test_zarr_and_ome_readers_can_read_it(self, study: Study) -> None:
        group = zarr.open_group(study.path, mode="r")
        assert group["mouse 01/head-thorax/coronal/hr/0"].shape == (4, 32, 48)
        [scan] = open_scan(study.path / KEY / "lr")
        assert scan.info == study.pairs_by_key[KEY].lr.info

    @pytest.mark.parametrize("name", ["a.zarr", "a", ".mri.zarr"])
    def test_a_study_has_its_ending(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(StudyError, match="ends in"):
            Study.create(tmp_path / name)

    def test_nothing_is_overwritten(self, study: Study) -> None:
        with pytest.raises(StudyError, match="already"):
            Study.create(study.path)
        lr, hr = make_scans()
        with pytest.raises(StudyError, match="already a pair"):
            study.add_pair(make_pair(KEY, lr, hr), lr, hr)

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (None, "no zarr.json"),
            ("", "damaged"),
            ("{", "damaged"),
            ("[]", "damaged"),
            ('{"attributes": {}}', "micromri-study"),
            ('{"attributes": {"micromri-study": {"format": 99}}}', r"newer .*\(format 99\). Update"),
            ('{"attributes": {"micromri-study": {"format": 1, "split": {"a": "b"}}}}', "split"),
            ('{"attributes": {"micromri-study": {"format": 1, "split": 3}}}', "split"),
        ],
    )
    def test_a_root_that_cannot_be_read_is_told(self, study: Study, content: str | None, words: str) -> None:
        if content is None:
            (study.path / "zarr.json").unlink()
        else:
            (study.path / "zarr.json").write_text(content)
        with pytest.raises(StudyError, match=words):
            Study.open(study.path)

    def test_a_path_without_study_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(StudyError, match="does not exist"):
            Study.open(tmp_path / "none.mri.zarr")

    @pytest.mark.parametrize(
        "change",
        [
            lambda text: "",
            lambda text: text[: len(text) // 2],
            lambda text: text.replace('"format": 1', '"format": 99'),
            lambda text: text.replace("zyx", "zzz"),
            lambda text: text.replace("[4, 32, 48]", "[900000000, 32, 48]").replace("[4, 16", "[900000000, 16"),
            lambda text: text.replace("float32", "object"),
            lambda text: text.replace("float32", "float99"),
            lambda text: text.replace('"excluded": {}', '"excluded": {"0": "boring"}'),
            lambda text: text.replace('"crop": null', '"crop": [1, 0, 0, 1]'),
            lambda text: text.replace('"crop": null', '"crop": [0, 4000, 0, 4]'),
            lambda text: text.replace('"excluded": {}', '"excluded": {"77": "noise"}'),
            lambda text: text.replace('"digest"', '"gone"'),
            lambda text: "[" * 100_000,
            lambda text: "\xff",
        ],
    )
    def test_a_damaged_pair_harms_no_other(self, study: Study, change: Any) -> None:
        file = study.path / OTHER / "zarr.json"
        file.write_bytes(change(file.read_text()).encode("latin-1"))
        again = Study.open(study.path)
        assert list(again.damaged) == [OTHER]
        assert again.damaged[OTHER].endswith("build this pair again.")
        assert again.subjects == ("mouse 01", "mouse 03")
        again.apply([Exclude(KEY, 0, "noise")])
        with pytest.raises(StudyError, match=r"zarr\.json"):
            again.read_slice(OTHER, 0)
        with pytest.raises(StudyError):
            again.apply([Exclude(OTHER, 0, "noise")])
        assert study.reload() and list(study.damaged) == [OTHER]

    def test_a_missing_description_is_damage_and_foreign_folders_are_not(self, study: Study) -> None:
        (study.path / OTHER / "zarr.json").unlink()
        (study.path / "notes" / "more" / "deep").mkdir(parents=True)
        zarr.open_group(study.path / "x" / "y" / "z", mode="w")
        (study.path / ".cache" / "a" / "hr").mkdir(parents=True)
        assert list(Study.open(study.path).damaged) == [OTHER]


class TestApplying:
    def test_marks_are_saved_and_come_back(self, study: Study) -> None:
        before = study.fingerprint()
        undo = study.apply(
            [Exclude(KEY, 1, "noise"), Exclude(KEY, 3, "ghost"), SetCrop(KEY, CROP), Assign("mouse 01", "test")]
        )
        for one in (study, Study.open(study.path)):
            marks = one.pairs_by_key[KEY].marks
            assert (marks.excluded, marks.crop) == ({1: "noise", 3: "ghost"}, CROP)
            assert one.pairs_by_key[KEY].kept == (0, 2)
            assert one.set_of("mouse 01") == "test" and one.set_of("mouse 02") == "train"
            assert [pair.key for pair in one.pairs("test")] == [KEY]
        assert study.fingerprint() != before
        study.apply(undo)
        assert study.fingerprint() == before == Study.open(study.path).fingerprint()
        assert leftovers(study) == []

    def test_pixels_are_never_touched(self, study: Study) -> None:
        study.apply([SetCrop(KEY, CROP), Exclude(KEY, 0, "other")])
        pair = study.pairs_by_key[KEY]
        assert stored_digest(study.path, pair) == pair.digest

    @pytest.mark.parametrize(
        ("edit", "words"),
        [
            (Exclude("no/such/pair", 0, "noise"), "no pair"),
            (Exclude("../../x", 0, "noise"), "no pair"),
            (Exclude(KEY, 4, "noise"), "slices 0 to 3"),
            (Exclude(KEY, -1, "noise"), "slices 0 to 3"),
            (Exclude(KEY, 0, "ugly"), "none of the reasons"),
            (SetCrop(KEY, Crop(1, 20, 4, 40)), "common grid"),
            (SetCrop(KEY, Crop(0, 34, 0, 48)), "passes its image"),
            (Assign("mouse 09", "test"), "no subject"),
            (Assign("mouse 01", "exam"), "none of the sets"),
        ],
    )
    def test_edits_that_do_not_fit_change_nothing(self, study: Study, edit: Edit, words: str) -> None:
        before = study.fingerprint()
        with pytest.raises(StudyError, match=words):
            study.apply([Exclude(KEY, 0, "noise"), Assign("mouse 01", "test"), edit])
        assert Study.open(study.path).fingerprint() == before
        study.apply([Exclude(KEY, 0, "noise")])  # the lock is free again

    def test_only_what_changes_is_written(self, study: Study) -> None:
        for folder, key in ((study.path, "micromri-study"), (study.path / KEY, "micromri-pair")):
            document = json_of(folder)
            document["attributes"]["other-tool"] = {"colour": "Blau ä"}
            document["attributes"][key]["later"] = [1, 2]
            (folder / "zarr.json").write_text(json.dumps(document))
        document = json_of(study.path / KEY)
        document["attributes"]["micromri-pair"]["marks"]["stars"] = {"2": 5}
        (study.path / KEY / "zarr.json").write_text(json.dumps(document))
        study.apply([Exclude(KEY, 1, "noise"), Assign("mouse 01", "test")])
        document["attributes"]["micromri-pair"]["marks"]["excluded"] = {"1": "noise"}
        assert json_of(study.path / KEY) == document
        assert json_of(study.path)["attributes"]["other-tool"] == {"colour": "Blau ä"}
        assert json_of(study.path)["attributes"]["micromri-study"]["later"] == [1, 2]

    def test_two_programs_see_each_other(self, study: Study) -> None:
        second = Study.open(study.path)
        second.apply([Exclude(KEY, 0, "noise")])
        assert not second.reload()
        study.apply([Exclude(KEY, 1, "ghost")])
        assert study.pairs_by_key[KEY].marks.excluded == {0: "noise", 1: "ghost"}
        assert study.reload() and not study.reload()
        assert second.reload()
        assert second.pairs_by_key == study.pairs_by_key

    def test_new_and_vanished_pairs_are_seen(self, study: Study) -> None:
        second = Study.open(study.path)
        lr, hr = make_scans()
        study.add_pair(make_pair("mouse 04/head-thorax/coronal", lr, hr), lr, hr)
        shutil.rmtree(study.path / KEY)
        assert second.reload() and not second.reload()
        assert second.subjects == ("mouse 02", "mouse 03", "mouse 04")
        shutil.rmtree(study.path)
        with pytest.raises(StudyError):
            second.reload()

    @pytest.mark.parametrize("call", [1, 2])
    def test_a_full_disk_keeps_the_old_marks(self, study: Study, monkeypatch: pytest.MonkeyPatch, call: int) -> None:
        study.apply([Exclude(KEY, 1, "noise")])
        calls = iter(range(1, 9))

        def full(_: int) -> None:
            if next(calls) == call:
                raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(StudyError, match="full"):
                study.apply([Exclude(KEY, 2, "noise"), Exclude(OTHER, 2, "noise")])
        assert leftovers(study) == []
        for one in (study, Study.open(study.path)):
            assert one.pairs_by_key[KEY].marks.excluded == {1: "noise"}
            assert one.pairs_by_key[OTHER].marks.excluded == {}
        study.apply([Exclude(KEY, 2, "noise")])

    def test_leftovers_of_a_killed_program_do_not_hinder(self, study: Study) -> None:
        (study.path / KEY / ".12345678.partial-zarr.json").write_text("{")
        (study.path / ".unfinished-12345678" / "hr").mkdir(parents=True)
        (study.path / ".lock-holder").write_bytes(b"\xff\xfe")
        again = Study.open(study.path)
        again.apply([Exclude(KEY, 1, "noise")])
        assert len(again.pairs_by_key) == 3 and not again.damaged
        assert not list((study.path / KEY).glob(".*.partial-*"))

    @pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
    @pytest.mark.parametrize("linked", ["mouse 01", "mouse 01/head-thorax/coronal/zarr.json"])
    def test_no_mark_is_set_outside_of_the_study(self, study: Study, tmp_path: Path, linked: str) -> None:
        outside = tmp_path / "outside"
        (study.path / linked).rename(outside)
        (study.path / linked).symlink_to(outside)
        files = [file for file in (outside, *outside.rglob("*")) if file.is_file()]
        before = {file: file.read_bytes() for file in files}
        again = Study.open(study.path)
        [key] = [key for key in again.damaged if key == "mouse 01/head-thorax/coronal"]
        assert "is a link" in again.damaged[key]
        with pytest.raises(StudyError):
            again.apply([Exclude(key, 1, "noise")])
        assert {file: file.read_bytes() for file in files} == before

    def test_a_pair_that_is_described_by_a_device_is_damaged(self, study: Study) -> None:
        file = study.path / KEY / "lr" / "0" / "zarr.json"
        file.unlink()
        file.symlink_to("/dev/zero")
        with pytest.raises(StudyError, match="damaged"):
            study.read_slice(KEY, 0)

    def test_a_lock_that_is_held_names_its_holder(self, study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
        from napari_micromri.study import locking, store

        with locking.study_lock(study.path):
            monkeypatch.setattr(store, "study_lock", lambda path: locking.study_lock(path, patience=0.05))
            with pytest.raises(StudyError, match=rf"being changed by process {os.getpid()} on .*Wait"):
                study.apply([Exclude(KEY, 1, "noise")])
        study.apply([Exclude(KEY, 1, "noise")])


@pytest.fixture
def read_only_study() -> Iterator[Path]:
    """A study that this process may read but not write; root becomes nobody for it."""
    folder = Path(tempfile.mkdtemp(prefix="micromri-test-"))  # not tmp_path, which nobody else may enter
    path = make_study(folder / "mice.mri.zarr").path
    as_root = os.geteuid() == 0
    for entry in (folder, *folder.rglob("*")):
        entry.chmod((0o755 if as_root else 0o555) if entry.is_dir() else 0o444)
    if as_root:
        os.setresuid(65534, 65534, 0)
    try:
        yield path
    finally:
        if as_root:
            os.setresuid(0, 0, 0)
        for entry in (folder, *folder.rglob("*")):
            if entry.is_dir():
                entry.chmod(0o755)
        shutil.rmtree(folder)


@pytest.mark.skipif(not hasattr(os, "setresuid"), reason="this system has other permissions")
class TestReadOnly:
    def test_it_opens_and_refuses_marks(self, read_only_study: Path) -> None:
        study = Study.open(read_only_study)
        assert study.read_only and not study.has_unsaved_marks
        assert study.read_slice(KEY, 0).hr.shape == (32, 48)
        with pytest.raises(StudyError, match="read-only"):
            study.apply([Exclude(KEY, 0, "noise")])
        with pytest.raises(StudyError, match="read-only"):
            study.relabel(KEY, subject="x")
        lr, hr = make_scans()
        with pytest.raises(StudyError, match="read-only"):
            study.add_pair(make_pair("a/b/c", lr, hr), lr, hr)
        assert not study.reload()

    def test_marks_can_be_kept_in_memory(self, read_only_study: Path) -> None:
        study = Study.open(read_only_study, keep_marks_in_memory=True)
        before = study.fingerprint()
        edits: list[Edit] = [
            Exclude(KEY, 0, "noise"),
            SetCrop(KEY, CROP),
            Assign("mouse 01", "test"),
            Assign("mouse 01", "validation"),
        ]
        undo = study.apply(edits)
        assert study.has_unsaved_marks
        assert study.pairs_by_key[KEY].marks.excluded == {0: "noise"}
        assert study.set_of("mouse 01") == "validation"
        assert study.slices("validation")[0].hr.shape == CROP.shape
        assert Study.open(read_only_study).fingerprint() == before
        with pytest.raises(StudyError, match="no subject"):
            study.apply([Assign("nobody", "test")])
        assert not study.reload() and study.has_unsaved_marks
        study.apply(undo)
        assert study.fingerprint() == before and not study.has_unsaved_marks


def test_asking_for_memory_means_nothing_where_marks_can_be_saved(study: Study) -> None:
    Study.open(study.path, keep_marks_in_memory=True).apply([Exclude(KEY, 0, "noise")])
    assert study.reload() and study.pairs_by_key[KEY].marks.excluded == {0: "noise"}
    assert not study.has_unsaved_marks


class TestAdding:
    @pytest.mark.parametrize("name", ["mouse 06", "Maus Ä/1", "../..", "__x", "con", "mäuse\n?", "  "])
    def test_odd_names(self, tmp_path: Path, name: str) -> None:
        study = Study.create(tmp_path / "a.mri.zarr")
        lr, hr = make_scans()
        key = study.free_key(name, name, name)
        study.add_pair(replace(make_pair("a/b/c", lr, hr), key=key, subject=name, region=name, plane=name), lr, hr)
        again = Study.open(study.path)
        pair = again.pairs_by_key[key]
        assert (pair.subject, pair.region, pair.plane) == (name, name, name)
        again.apply([Exclude(key, 0, "noise"), Assign(name, "test")])
        assert again.read_slice(key, 1).subject == name
        assert [entry.name for entry in tmp_path.iterdir()] == ["a.mri.zarr"]

    def test_a_second_session_gets_a_number(self, study: Study) -> None:
        lr, hr = make_scans()
        for expected in ("coronal 2", "coronal 3"):
            key = study.free_key("mouse 01", "head-thorax", "coronal")
            assert key == f"mouse 01/head-thorax/{expected}"
            study.add_pair(replace(make_pair(key, lr, hr, session=expected), plane="coronal"), lr, hr)
        assert [pair.plane for pair in study.pairs()].count("coronal") == 5

    @pytest.mark.parametrize(("subject", "region"), [("Mouse 01", "head-thorax"), ("mouse 01", "Head-Thorax")])
    def test_names_that_differ_only_in_case_are_refused(self, study: Study, subject: str, region: str) -> None:
        with pytest.raises(StudyError, match="case"):
            study.free_key(subject, region, "sagittal")
        assert study.free_key("mouse 02", "thorax", "Coronal") == "mouse 02/thorax/Coronal"

    @pytest.mark.parametrize("key", ["a/b", "a/b/c/d", "../b/c", "a//c", "/a/b", "a/b/.c", "a/b/c%"])
    def test_what_is_no_key_is_refused(self, study: Study, key: str) -> None:
        lr, hr = make_scans()
        with pytest.raises(StudyError, match="key"):
            study.add_pair(replace(make_pair("a/b/c", lr, hr), key=key), lr, hr)

    def test_other_scans_than_described_leave_nothing(self, study: Study) -> None:
        lr, hr = make_scans()
        for wrong in ((hr, lr), (lr, make_scans(slices=3)[1])):
            with pytest.raises(StudyError, match="isn't the one"):
                study.add_pair(make_pair("a/b/c", lr, hr), *wrong)
        assert leftovers(study) == [] and not (study.path / "a").exists()

    def test_a_full_disk_leaves_nothing(self, study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        lr, hr = make_scans()
        monkeypatch.setattr("napari_micromri.study.writing._write_image", full)
        with pytest.raises(StudyError, match="full"):
            study.add_pair(make_pair("a/b/c", lr, hr), lr, hr)
        assert leftovers(study) == [] and not (study.path / "a").exists()

    def test_what_was_planned_is_kept_beside_the_split(self, study: Study) -> None:
        study.apply([Assign("mouse 01", "test")])
        study.set_planned([{"subject": "mouse 01"}, {"subject": "mouse 09"}])
        again = Study.open(study.path)
        assert [entry["subject"] for entry in again.planned] == ["mouse 01", "mouse 09"]
        assert again.split == {"mouse 01": "test"}


class TestRelabelling:
    def test_marks_set_and_plan_go_with_the_pair(self, study: Study) -> None:
        planned = {"subject": "mouse 01", "region": "head-thorax", "plane": "coronal", "session": None}
        study.set_planned([planned])
        study.apply([Exclude(KEY, 0, "noise"), Assign("mouse 01", "test")])
        new = study.relabel(KEY, subject="mouse 06/b", region="thorax")
        assert new == "mouse 06%2Fb/thorax/coronal"
        for one in (study, Study.open(study.path)):
            pair = one.pairs_by_key[new]
            assert (pair.subject, pair.region, pair.plane) == ("mouse 06/b", "thorax", "coronal")
            assert pair.marks.excluded == {0: "noise"}
            assert one.split == {"mouse 06/b": "test"}
            assert one.planned == (planned | {"subject": "mouse 06/b", "region": "thorax"},)
        assert study.read_slice(new, 1).subject == "mouse 06/b"
        assert not (study.path / "mouse 01").exists()
        assert not study.reload()

    def test_a_subject_that_is_there_keeps_its_set(self, tmp_path: Path) -> None:
        study = make_study(tmp_path / "a.mri.zarr", subjects=2, planes=("coronal", "sagittal"))
        study.apply([Assign("mouse 01", "test"), Assign("mouse 02", "validation")])
        new = study.relabel("mouse 01/head-thorax/coronal", subject="mouse 02", plane="transaxial")
        assert study.set_of(study.pairs_by_key[new].subject) == "validation"
        assert study.split == {"mouse 01": "test", "mouse 02": "validation"}
        assert len(study.pairs("test")) == 1

    def test_nothing_new_changes_nothing(self, study: Study) -> None:
        stamp = (study.path / KEY / "zarr.json").stat()
        assert study.relabel(KEY, subject="mouse 01") == KEY
        assert (study.path / KEY / "zarr.json").stat() == stamp

    @pytest.mark.parametrize(
        ("subject", "words"), [("mouse 02", "already a pair"), ("MOUSE 02", "upper and lower"), ("x" * 300, "too long")]
    )
    def test_names_that_cannot_be_are_refused(self, study: Study, subject: str, words: str) -> None:
        before = study.fingerprint()
        with pytest.raises(StudyError, match=words):
            study.relabel(KEY, subject=subject)
        assert Study.open(study.path).fingerprint() == before

    def test_a_folder_that_cannot_be_moved_stays(self, study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(self: Path, target: Path) -> Path:
            raise OSError(errno.EACCES, "Permission denied")

        with monkeypatch.context() as patch:
            patch.setattr(Path, "rename", refuse)
            with pytest.raises(StudyError, match="may not access"):
                study.relabel(KEY, subject="new")
        assert KEY in Study.open(study.path).pairs_by_key
        assert study.relabel(KEY, subject="new") == "new/head-thorax/coronal"
