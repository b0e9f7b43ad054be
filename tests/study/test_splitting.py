"""Sets by subject: the published ones, and by chance."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_micromri.errors import StudyError
from napari_micromri.study.splitting import preset_report, random_split


@pytest.mark.parametrize("style", ["mouse {:02}", "M{}", "{}", "2021-05 mouse {} week 6", "{}_treated"])
def test_the_published_sets_are_found_by_number(style: str) -> None:
    split = preset_report(style.format(number) for number in range(1, 25))
    assert [name for name, part in split.items() if part == "validation"] == [style.format(6), style.format(10)]
    assert [name for name, part in split.items() if part == "test"] == [style.format(n) for n in (7, 16, 22)]
    assert list(split.values()).count("train") == 19


@pytest.mark.parametrize(
    ("subjects", "words"),
    [
        (["mouse 1", "mouse 2"], "None of the subjects"),
        (["anna", "bert"], "None of the subjects"),
        (["mouse 6", "rat 6", "mouse 7"], "'mouse 6' and 'rat 6' have the same number"),
        (["mouse 6 week 1", "mouse 7 week 2"], "several numbers"),
        (["mouse 6 week 1", "mouse 7"], "several numbers"),
        ([], "None of the subjects"),
    ],
)
def test_unclear_numbers_are_refused(subjects: list[str], words: str) -> None:
    with pytest.raises(StudyError, match=words):
        preset_report(subjects)


def test_the_published_sets_of_a_part_of_the_animals() -> None:
    assert preset_report(["mouse 3", "mouse 16", "calibration"]) == {
        "calibration": "train",
        "mouse 3": "train",
        "mouse 16": "test",
    }


NAMES = st.lists(st.text("abc123 ", min_size=1, max_size=6), unique=True, max_size=30)
FRACTIONS = st.sampled_from([0.0, 0.01, 0.1, 0.2, 0.45])


@given(NAMES, FRACTIONS, FRACTIONS, st.integers(0, 5))
def test_each_subject_is_in_one_set_and_each_set_has_one_if_possible(
    names: list[str], validation: float, test: float, seed: int
) -> None:
    split = random_split(names, validation, test, seed)
    assert split == random_split(reversed(names), validation, test, seed)
    assert split.keys() == set(names)
    counts = {part: list(split.values()).count(part) for part in ("train", "validation", "test")}
    wanted = 1 + (validation > 0) + (test > 0)
    assert counts["train"] >= (len(names) > 0)
    assert (validation > 0) >= (counts["validation"] > 0)
    assert (test > 0) >= (counts["test"] > 0)
    if len(names) >= wanted:
        assert (validation > 0) == (counts["validation"] > 0)
        assert (test > 0) == (counts["test"] > 0)


def test_the_fractions_are_kept_and_the_seed_matters() -> None:
    names = [f"mouse {n}" for n in range(100)]
    split = random_split(names, 0.1, 0.2, 0)
    assert [list(split.values()).count(part) for part in ("train", "validation", "test")] == [70, 10, 20]
    assert split != random_split(names, 0.1, 0.2, 1)


def test_a_split_made_today_is_the_same_in_years() -> None:
    split = random_split([f"mouse {n}" for n in range(1, 9)], 0.2, 0.2, 3)
    assert [name for name, part in split.items() if part == "validation"] == ["mouse 3", "mouse 8"]
    assert [name for name, part in split.items() if part == "test"] == ["mouse 2", "mouse 7"]


@pytest.mark.parametrize(("validation", "test"), [(0.5, 0.5), (-0.1, 0.2), (float("nan"), 0.1), (0.1, float("inf"))])
def test_fractions_that_leave_nothing_are_refused(validation: float, test: float) -> None:
    with pytest.raises(StudyError, match="fractions"):
        random_split(["a", "b"], validation, test)
