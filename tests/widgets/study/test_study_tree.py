from __future__ import annotations

import pytest

from napari_micromri.study.model import Finding, Marks, PairReport
from napari_micromri.widgets.study.tree import Filter, tree


@pytest.fixture
def pairs(make_pair):
    return [
        make_pair("mouse 07", "thorax-abdomen", "sagittal"),
        make_pair("mouse 06", "head-thorax", "coronal", marks=Marks({1: "motion"}), warnings=("LR is shifted.",)),
        make_pair("mouse 06", "head-thorax", "transaxial"),
    ]


def belongs(subject):
    return "test" if subject == "mouse 07" else "train"


def keys(rows):
    return [key for row in rows for key in row.keys]


def test_pairs_stand_under_subject_and_region_with_counts(pairs):
    first, second = tree(pairs, belongs)
    assert (first.name, first.set, first.counts) == ("mouse 06", "train", (7, 8))
    assert (second.name, second.set, second.counts) == ("mouse 07", "test", (4, 4))
    [region] = first.regions
    assert [pair.label for pair in region.pairs] == ["coronal", "transaxial"]
    assert region.counts == (7, 8)
    assert region.pairs[0].warnings == ("LR is shifted.",)
    assert not region.pairs[0].broken


@pytest.mark.parametrize(
    ("chosen", "count"),
    [
        (Filter(), 3),
        (Filter("SAGI"), 1),
        (Filter("06 trans"), 1),
        (Filter("06 sagittal"), 0),
        (Filter(set="test"), 1),
        (Filter(set="validation"), 0),
        (Filter(only_suspicious=True), 1),
        (Filter("coronal", only_suspicious=True), 0),
    ],
)
def test_the_filter_keeps_what_has_all_words_set_and_suspicion(pairs, chosen, count):
    suspicious = {"mouse 06/head-thorax/transaxial"}
    assert len(keys(tree(pairs, belongs, suspicious, chosen))) == count


def test_two_sessions_of_one_plane_are_told_apart(make_pair):
    twins = [make_pair(session="day 1", key="m/r/coronal"), make_pair(session=None, key="m/r/coronal 2")]
    [subject] = tree(twins, belongs)
    assert [pair.label for pair in subject.regions[0].pairs] == ["coronal (day 1)", "coronal (coronal 2)"]


def test_an_error_in_the_report_breaks_the_pair(make_pair):
    report = PairReport(
        extent_difference=0,
        shift=(0, 0),
        shift_spread=0,
        correlation=0.1,
        intensity_ratio=1,
        lr_snr=1,
        hr_snr=1,
        findings=(Finding(True, "Other animal?"),),
    )
    [subject] = tree([make_pair(report=report)], belongs)
    assert subject.regions[0].pairs[0].broken


def test_no_pairs_no_rows():
    assert tree([], belongs) == ()
