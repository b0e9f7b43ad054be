"""Undo and redo, alone and beside another program."""

from __future__ import annotations

import pytest

from napari_micromri.errors import StudyError
from napari_micromri.study.history import LONGEST, History
from napari_micromri.study.model import Assign, Crop, Edit, Exclude, SetCrop
from napari_micromri.study.store import Study

KEY, OTHER = "mouse 01/head-thorax/coronal", "mouse 02/head-thorax/coronal"
CROP = Crop(2, 20, 4, 40)


def state(study: Study) -> object:
    marks = {key: (dict(pair.marks.excluded), pair.marks.crop) for key, pair in study.pairs_by_key.items()}
    return marks, dict(study.split)


def test_groups_go_back_and_forth_as_one(study: Study) -> None:
    history = History(study)
    states = [state(study)]
    groups: list[list[Edit]] = [
        [Exclude(KEY, 0, "noise"), Exclude(KEY, 0, "motion"), SetCrop(OTHER, CROP)],
        [Assign("mouse 01", "test"), SetCrop(OTHER, None)],
        [Exclude(KEY, 0, None), Exclude(KEY, 1, "ghost")],
    ]
    for group in groups:
        history.do(*group)
        states.append(state(study))
    for expected in states[-2::-1]:
        assert history.can_undo
        history.undo()
        assert state(study) == state(Study.open(study.path)) == expected
    assert not history.can_undo
    for expected in states[1:]:
        history.redo()
        assert state(study) == expected
    assert not history.can_redo


def test_something_new_ends_what_could_be_redone(study: Study) -> None:
    history = History(study)
    history.do(Exclude(KEY, 0, "noise"))
    history.undo()
    history.do(Exclude(KEY, 1, "noise"))
    assert not history.can_redo
    with pytest.raises(StudyError, match="redo"):
        history.redo()


def test_what_fails_is_not_remembered(study: Study) -> None:
    history = History(study)
    with pytest.raises(StudyError):
        history.do(Exclude(KEY, 99, "noise"))
    with pytest.raises(StudyError, match="undo"):
        history.undo()
    history.do()
    assert not history.can_undo


def test_what_another_program_changed_stays(study: Study) -> None:
    history = History(study)
    history.do(Exclude(KEY, 0, "noise"), Exclude(KEY, 1, "noise"))
    Study.open(study.path).apply([Exclude(KEY, 1, "motion"), Exclude(KEY, 2, "ghost")])
    assert history.undo() == [Exclude(KEY, 0, None)]
    assert study.pairs_by_key[KEY].marks.excluded == {1: "motion", 2: "ghost"}
    history.redo()
    assert study.pairs_by_key[KEY].marks.excluded == {0: "noise", 1: "motion", 2: "ghost"}
    assert study.reload()


def test_a_group_that_is_not_there_any_more_is_forgotten(study: Study) -> None:
    history = History(study)
    history.do(Exclude(KEY, 0, "noise"))
    history.do(Exclude(KEY, 1, "noise"))
    Study.open(study.path).apply([Exclude(KEY, 1, None)])
    with pytest.raises(StudyError, match="Another program"):
        history.undo()
    history.undo()
    assert study.pairs_by_key[KEY].marks.excluded == {}


def test_marks_follow_a_pair_that_is_renamed(study: Study) -> None:
    history = History(study)
    history.do(Exclude(KEY, 0, "noise"))
    new = study.relabel(KEY, plane="sagittal")
    history.renamed(KEY, new)
    history.undo()
    assert study.pairs_by_key[new].marks.excluded == {}
    history.redo()
    assert study.pairs_by_key[new].marks.excluded == {0: "noise"}


def test_it_does_not_grow_for_ever(study: Study) -> None:
    history = History(study)
    for _ in range(LONGEST + 5):
        history.note([Exclude(KEY, 0, None)], [Exclude(KEY, 0, None)])
    assert len(history._undo) == LONGEST
