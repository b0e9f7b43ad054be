from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from napari_micromri.errors import CancelledError, StudyError
from napari_micromri.progress import never, no_progress
from napari_micromri.study.plan import Plan, PlannedPair, Rejected, Simulation, Source
from napari_micromri.widgets.study.planning import (
    build_sentence,
    edited,
    find_plan,
    plan_sentence,
    repeated,
    sources_text,
    study_path,
    without,
)


def planned(subject="m1", region="head", plane="coronal"):
    return PlannedPair(subject=subject, region=region, plane=plane, lr=Source("/a/lr.nii"), hr=Source("/a/hr.nii"))


def test_names_are_edited_and_repeated_ones_are_found():
    plan = Plan((planned(), planned("m2")))
    assert repeated(plan) == frozenset()
    same = edited(plan, 1, "subject", " m1 ")
    assert same.pairs[1].subject == "m1"
    assert repeated(same) == {0, 1}
    assert "in red" in plan_sentence(same)
    assert edited(plan, 0, "region", "  ") is plan
    assert edited(plan, 0, "hr", "x") is plan
    assert without(same, {0}).pairs == (same.pairs[1],)


def test_the_sentence_counts_pairs_subjects_and_what_was_left_out():
    assert plan_sentence(Plan()) == "No pairs were found."
    plan = Plan((planned(), planned(plane="sagittal")), (Rejected("/a/x.nii", None, "no partner"),))
    assert plan_sentence(plan).startswith("2 pairs of 1 subject; 1 scan left out")


def test_sources_are_named_shortly():
    assert sources_text(planned()) == "lr.nii / hr.nii"
    simulated = PlannedPair(subject="m", region="r", plane="p", lr=Simulation(snr=8), hr=Source("/a/hr.nii"))
    assert sources_text(simulated).startswith("simulated (factor 2, SNR 8")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("", None),
        ("  ", None),
        ("/a/mice", Path("/a/mice.mri.zarr")),
        ("/a/mice.mri.zarr", Path("/a/mice.mri.zarr")),
        ("~/mice", Path.home() / "mice.mri.zarr"),
    ],
)
def test_the_study_gets_its_ending(text, path):
    assert study_path(text) == path


def test_a_table_cannot_be_simulated(tmp_path):
    with pytest.raises(StudyError, match="names fast scans"):
        find_plan([tmp_path / "t.csv"], Simulation(), no_progress, never)


def test_folders_and_tables_are_put_together(monkeypatch):
    monkeypatch.setattr("napari_micromri.study.table.plan_from_csv", lambda path: Plan((planned("from table"),)))
    monkeypatch.setattr(
        "napari_micromri.study.pairing.plan_from_folders", lambda paths: Plan((planned("found"),), tuple(paths))
    )
    plan = find_plan([Path("a"), Path("t.CSV")], None, no_progress, never)
    assert [pair.subject for pair in plan.pairs] == ["from table", "found"]
    assert plan.rejected == (Path("a"),)
    with pytest.raises(CancelledError):
        find_plan([Path("t.csv")], None, no_progress, lambda: True)


def test_what_became_of_a_plan_is_said():
    result = SimpleNamespace(added=("a",), already_there=("b", "c"), failed=())
    assert build_sentence(result) == "1 pair built, 2 already there."
