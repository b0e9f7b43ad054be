"""Marks between colleagues: what is taken, what stays, and what doesn't fit."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from napari_micromri.errors import OutputExistsError, StudyError, WriteError
from napari_micromri.study.blacklist import export_blacklist
from napari_micromri.study.history import History
from napari_micromri.study.marks_file import export_marks, import_marks
from napari_micromri.study.model import Assign, Crop, Exclude, SetCrop
from napari_micromri.study.store import Study
from study_samples import make_pair, make_scans, make_study

if TYPE_CHECKING:
    from pathlib import Path

KEY, OTHER = "mouse 01/head-thorax/coronal", "mouse 02/head-thorax/coronal"
CROP, OTHER_CROP = Crop(2, 20, 4, 40), Crop(0, 20, 4, 40)
MARKS = [Exclude(KEY, 1, "noise"), Exclude(KEY, 3, "ghost"), SetCrop(KEY, CROP), Assign("mouse 01", "test")]


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    """The marks of a colleague who has the same scans."""
    colleague = make_study(tmp_path / "theirs" / "c.mri.zarr")
    colleague.apply(MARKS)
    export_marks(colleague, tmp_path / "marks.json")
    return tmp_path / "marks.json"


def edit(path: Path, change: Any) -> None:
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def test_marks_arrive_and_are_one_step_to_undo(study: Study, marks: Path) -> None:
    before = study.fingerprint()
    result = import_marks(study, marks)
    assert sorted(map(repr, result.applied)) == sorted(map(repr, MARKS))
    assert result.conflicts == result.unknown == ()
    assert Study.open(study.path).pairs_by_key[KEY].marks.crop == CROP
    history = History(study)
    history.note(result.applied, result.undo)
    history.undo()
    assert study.fingerprint() == before
    history.redo()
    assert import_marks(study, marks).applied == ()


def test_the_file_is_small_and_readable(study: Study, marks: Path) -> None:
    lines = marks.read_text().splitlines()
    assert len(lines) == 11
    assert '"excluded": {"1": "noise", "3": "ghost"}, "crop": [2, 20, 4, 40]' in lines[6]


def test_both_sides_exclusions_count_and_our_own_word_stays(study: Study, marks: Path) -> None:
    own = [Exclude(KEY, 0, "motion"), Exclude(KEY, 1, "other"), SetCrop(KEY, OTHER_CROP), Assign("mouse 01", "train")]
    study.apply(own)
    result = import_marks(study, marks)
    assert result.applied == (Exclude(KEY, 3, "ghost"),)
    assert study.pairs_by_key[KEY].marks.excluded == {0: "motion", 1: "other", 3: "ghost"}
    assert study.pairs_by_key[KEY].marks.crop == OTHER_CROP
    assert result.conflicts == (
        f"{KEY}, slice {study.pairs_by_key[KEY].slice_words(1)} is excluded for other, in the file for noise",
        f"{KEY} is cropped to [0, 20, 4, 40], in the file to [2, 20, 4, 40]",
        "mouse 01 is in train, in the file in test",
    )


def test_replacing_makes_it_what_the_file_says(study: Study, marks: Path) -> None:
    study.apply([Exclude(KEY, 0, "motion"), Exclude(KEY, 1, "other"), SetCrop(OTHER, CROP), Assign("mouse 02", "test")])
    result = import_marks(study, marks, replace=True)
    assert result.conflicts == ()
    assert study.pairs_by_key[KEY].marks.excluded == {1: "noise", 3: "ghost"}
    assert study.pairs_by_key[OTHER].marks.crop is None
    assert study.split == {"mouse 01": "test"}
    assert import_marks(study, marks, replace=True).applied == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"subject": "mouse 77"}, "no such pair"),
        ({"plane": "Coronal"}, "no such pair"),
        ({"slices": 5}, "it is 4 x 32 x 48 here, but 5 x 32 x 48 in the file"),
        ({"size": [64, 96]}, "4 x 64 x 96 in the file"),
        ({"excluded": {"1": "noise", "4": "noise"}}, "slices 0 to 3, not 4"),
        ({"crop": [1, 20, 4, 40]}, "common grid"),
        ({"crop": [5, 5, 4, 40]}, "at least one row"),
        ({"crop": [0, 900, 4, 40]}, "passes its image"),
    ],
)
def test_a_pair_that_does_not_fit_is_left_whole_and_the_others_are_taken(
    study: Study, marks: Path, change: dict[str, Any], words: str
) -> None:
    def spoil(document: dict[str, Any]) -> None:
        document["pairs"][0] |= change
        document["pairs"][1]["excluded"] = {"2": "motion"}

    edit(marks, spoil)
    result = import_marks(study, marks)
    assert len(result.unknown) == 1 and words in result.unknown[0]
    assert result.applied == (Exclude(OTHER, 2, "motion"), Assign("mouse 01", "test"))
    assert study.pairs_by_key[KEY].marks.excluded == {}


def test_an_unknown_subject_in_the_split_is_told(study: Study, marks: Path) -> None:
    edit(marks, lambda document: document["split"].update({"mouse 77": "test"}))
    [told] = import_marks(study, marks).unknown
    assert "'mouse 77'" in told


@pytest.mark.parametrize(("session", "count"), [(None, 1), ("2021", 1), ("2022", 0)])
def test_sessions_count_where_both_know_them(study: Study, tmp_path: Path, session: str | None, count: int) -> None:
    lr, hr = make_scans()
    study.add_pair(make_pair("a/b/c", lr, hr, session="2021"), lr, hr)
    entry = {"subject": "a", "region": "b", "plane": "c", "session": session, "excluded": {"1": "ghost"}}
    (tmp_path / "m.json").write_text(json.dumps({"kind": "micromri-marks", "format": 1, "pairs": [entry]}))
    result = import_marks(study, tmp_path / "m.json")
    assert (len(result.applied), len(result.unknown)) == (count, 1 - count)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(kind="something"),
        lambda d: d.pop("kind"),
        lambda d: d.update(extra=1),
        lambda d: d["pairs"][1].update(excluded={"1": "ugly"}),
        lambda d: d["pairs"][1].update(excluded={"one": "noise"}),
        lambda d: d["pairs"][1].update(excluded={"-1": "noise"}),
        lambda d: d["pairs"][1].update(crop=[0, 2, 0]),
        lambda d: d["pairs"][1].update(crop=[0.0, 2.0, 0.0, 2.0]),
        lambda d: d["pairs"][1].pop("subject"),
        lambda d: d["split"].update({"mouse 02": "exam"}),
        lambda d: d.update(pairs={}),
    ],
)
def test_a_file_that_is_wrong_changes_nothing(study: Study, marks: Path, change: Any) -> None:
    before = study.fingerprint()
    edit(marks, change)
    with pytest.raises(StudyError, match="marks"):
        import_marks(study, marks)
    assert Study.open(study.path).fingerprint() == before


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"3", b"\xff\xfe\x00", b"[" * 100_000, b'{"format": 1}'])
def test_other_files_are_refused(study: Study, marks: Path, content: bytes) -> None:
    marks.write_bytes(content)
    with pytest.raises(StudyError, match="marks"):
        import_marks(study, marks)


def test_newer_missing_and_huge_files_are_told(study: Study, marks: Path, tmp_path: Path) -> None:
    edit(marks, lambda document: document.update(format=2))
    with pytest.raises(StudyError, match="Update"):
        import_marks(study, marks)
    with pytest.raises(StudyError, match="does not exist"):
        import_marks(study, tmp_path / "none.json")
    with (tmp_path / "huge.json").open("wb") as stream:
        stream.truncate(2**27)
    with pytest.raises(StudyError, match="too large"):
        import_marks(study, tmp_path / "huge.json")


def test_nothing_is_overwritten_unasked(study: Study, marks: Path) -> None:
    with pytest.raises(OutputExistsError):
        export_marks(study, marks)
    export_marks(study, marks, overwrite=True)
    assert json.loads(marks.read_text())["split"] == {}
    with pytest.raises(WriteError):
        export_marks(study, marks / "under" / "a" / "file")


def test_a_pair_with_the_same_names_twice_is_told_apart_by_its_key(study: Study, tmp_path: Path) -> None:
    lr, hr = make_scans()
    key = study.free_key("mouse 01", "head-thorax", "coronal")
    study.add_pair(replace(make_pair(key, lr, hr), plane="coronal"), lr, hr)
    undo = study.apply([Exclude(key, 2, "noise")])
    export_marks(study, tmp_path / "m.json")
    study.apply(undo)
    assert import_marks(study, tmp_path / "m.json").applied == (Exclude(key, 2, "noise"),)
    edit(tmp_path / "m.json", lambda document: [pair.pop("key") for pair in document["pairs"]])
    assert "several such pairs" in import_marks(study, tmp_path / "m.json").unknown[0]


def blacklist(folder: Path, *ids: Any) -> Path:
    path = folder / "BLACKLIST.json"
    path.write_text(json.dumps({"blacklist": ids}))
    return path


def test_a_blacklist_excludes_what_nobody_has_excluded(tmp_path: Path) -> None:
    study = make_study(tmp_path / "a.mri.zarr", subjects=2, planes=("coronal", "transaxial"))
    study.apply([Exclude(KEY, 1, "noise")])
    taken = import_marks(study, blacklist(tmp_path, "01HC02", "01HC04", "02HT01"))
    assert not taken.unknown
    assert not taken.conflicts
    assert study.pairs_by_key[KEY].marks.excluded == {1: "noise", 3: "before"}
    assert study.pairs_by_key["mouse 02/head-thorax/transaxial"].marks.excluded == {0: "before"}
    export_blacklist(study, tmp_path / "out.json")
    assert json.loads((tmp_path / "out.json").read_text()) == {"blacklist": ["01HC02", "01HC04", "02HT01"]}
    import_marks(study, blacklist(tmp_path, "02HT01"), replace=True)
    assert study.pairs_by_key[KEY].marks.excluded == {1: "noise"}


@pytest.mark.parametrize("name", ["01HC05", "01HC00", "01TC01", "01HS01", "03HC01", "1HC01", "01hc01", 7, None])
def test_what_a_blacklist_names_and_the_study_has_not_is_told(tmp_path: Path, name: Any) -> None:
    study = make_study(tmp_path / "a.mri.zarr", subjects=2)
    taken = import_marks(study, blacklist(tmp_path, name, "02HC01"))
    assert [text.split(":")[0] for text in taken.unknown] == [str(name)]
    assert len(taken.applied) == 1


def test_a_place_that_may_be_another_animal_excludes_nothing(tmp_path: Path) -> None:
    """The list counts animals; in a study of some of them the third may be number 7."""
    study = Study.create(tmp_path / "a.mri.zarr")
    for subject in ("mouse 02", "mouse 07"):
        key = study.free_key(subject, "head-thorax", "coronal")
        lr, hr = make_scans(name=key)
        study.add_pair(make_pair(key, lr, hr), lr, hr)
    taken = import_marks(study, blacklist(tmp_path, "02HC01"))
    assert "mouse 07" in taken.unknown[0]
    assert not taken.applied
