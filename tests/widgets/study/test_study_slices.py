from __future__ import annotations

from napari_micromri.study.model import Marks
from napari_micromri.widgets.shared.splits import assignments, split_counts, split_summary
from napari_micromri.widgets.study.hints import Situation
from napari_micromri.widgets.study.report import crop_text, report_lines
from napari_micromri.widgets.study.slices import next_suspicious, slice_rows, waiting


def scores(suspected, *found):
    return {(key, index): suspected(key, index, score) for key, index, score in found}


def test_every_slice_has_a_row_with_mark_score_and_words(make_pair, suspected):
    pair = make_pair(key="a", marks=Marks({2: "outside"}))
    rows = slice_rows(pair, scores(suspected, ("a", 1, 0.7)))
    assert [row.index for row in rows] == [0, 1, 2, 3]
    assert (rows[1].score, rows[1].words, rows[1].mark) == (0.7, "ghost in HR", "kept")
    assert (rows[2].score, rows[2].mark) == (0.0, "excluded: out of the animal")


def test_excluded_and_ordinary_slices_do_not_wait(make_pair, suspected):
    pair = make_pair(key="a", marks=Marks({2: "noise"}))
    assert waiting(pair, scores(suspected, ("a", 0, 0.49), ("a", 1, 0.5), ("a", 2, 0.9))) == (1,)


def test_next_suspicious_goes_through_the_pair_then_the_study_and_round(make_pair, suspected):
    pairs = [make_pair(key=key) for key in "abc"]
    found = scores(suspected, ("a", 0, 0.8), ("a", 3, 0.6), ("c", 1, 0.9))
    assert next_suspicious(pairs, found, None, 0) == ("a", 0)
    assert next_suspicious(pairs, found, "gone", 2) == ("a", 0)
    assert next_suspicious(pairs, found, "a", 0) == ("a", 3)
    assert next_suspicious(pairs, found, "a", 3) == ("c", 1)
    assert next_suspicious(pairs, found, "c", 1) == ("a", 0)
    assert next_suspicious(pairs, found, "b", 3) == ("c", 1)


def test_the_last_suspicious_slice_has_no_next(make_pair, suspected):
    pairs = [make_pair(key="a")]
    assert next_suspicious(pairs, scores(suspected, ("a", 1, 0.8)), "a", 1) is None
    assert next_suspicious(pairs, scores(suspected, ("a", 1, 0.8)), "a", 2) == ("a", 1)
    assert next_suspicious(pairs, {}, None, 0) is None
    assert next_suspicious([], {}, None, 0) is None


def test_the_report_says_what_was_not_measured(make_pair):
    lines = dict(report_lines(make_pair()))
    assert lines["LR"] == "8 x 6, 2 mm, SNR 12.0"
    assert lines["HR"].endswith("SNR not measured")
    assert lines["Slices"] == "4 of 4 kept"
    assert lines["Crop"] == "none"


def test_a_crop_is_said_in_mm(make_pair):
    from napari_micromri.study.model import Crop

    assert crop_text(make_pair(), Crop(2, 12, 4, 10)) == "10.0 x 6.0 mm"


def test_the_split_is_counted_in_kept_slices(make_pair):
    pairs = [
        make_pair("1", marks=Marks({0: "noise"})),
        make_pair("1", plane="sagittal"),
        make_pair("2"),
        make_pair("3"),
    ]
    sets = {"1": "train", "2": "test", "3": "test"}
    assert split_counts(pairs, sets.__getitem__) == {"train": (1, 7), "validation": (0, 0), "test": (2, 8)}
    assert split_summary(pairs, sets.__getitem__) == "train 1 subject, 7 slices; validation 0, 0; test 2, 8"


def test_only_subjects_that_change_are_assigned():
    edits = assignments({"2": "test", "1": "train", "3": "train"}, {"1": "train", "2": "train"})
    assert [(edit.subject, edit.to) for edit in edits] == [("2", "test"), ("3", "train")]


def test_the_hint_leads_from_opening_to_curating():
    steps = [
        Situation(),
        Situation(has_study=True),
        Situation(has_study=True, pair_count=3, damaged=1),
        Situation(has_study=True, pair_count=3),
        Situation(has_study=True, pair_count=3, shows_pair=True, undecided=1),
        Situation(has_study=True, pair_count=3, shows_pair=True, drawing=True),
        Situation(has_study=True, pair_count=3, shows_pair=True),
    ]
    hints = [step.hint for step in steps]
    assert len(set(hints)) == len(hints)
    assert hints[4].startswith("S: next of 1 suspicious slice.")
