"""The ranking finds planted bad slices, says why in words, and leaves good slices alone."""

from __future__ import annotations

import importlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_micromri.scan import ScanInfo
from napari_micromri.study.model import REASONS, Marks, Pair, PairReport, StudyImage
from napari_micromri.study.quality import Suspicion, rank
from napari_micromri.study.slice_table import SliceTable, row_median

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

REPORT = PairReport(
    extent_difference=0, shift=(0, 0), shift_spread=0, correlation=1, intensity_ratio=1, lr_snr=9, hr_snr=30
)
USUAL = {
    "lr_snr": 15.0,
    "lr_noise": 10.0,
    "lr_signal": 200.0,
    "lr_foreground": 0.3,
    "lr_ghost": 1.2,
    "lr_lines": 0.3,
    "lr_spike": 7.0,
    "hr_snr": 30.0,
    "hr_noise": 5.0,
    "hr_signal": 210.0,
    "hr_foreground": 0.3,
    "hr_ghost": 1.3,
    "hr_lines": 0.3,
    "hr_spike": 8.0,
    "correlation": 0.95,
    "residual": 1.1,
    "offset_y": 0.1,
    "offset_x": -0.1,
    "offset_gain": 0.01,
    "lr_continuity": 0.8,
    "lr_match": 1.0,
    "lr_match_gain": -1.5,
    "hr_continuity": 0.85,
    "hr_match": 1.0,
    "hr_match_gain": -1.5,
}
COUNT, SPOILT = 12, 5


def make_pair(
    odd: dict[int, dict[str, float]] | None = None, *, key: str = "m/r/p", count: int = COUNT, seed: int = 0
) -> Pair:
    """Make a pair whose figures vary by some per cent, except those that are given per slice."""
    rng = np.random.default_rng(seed)
    figures = [{name: value * rng.uniform(0.97, 1.03) for name, value in USUAL.items()} for _ in range(count)]
    for index, values in (odd or {}).items():
        figures[index] |= values
    info = ScanInfo(name="scan", axes="zyx", voxel_size=(1, 0.1, 0.1))
    images = [StudyImage((count, n, n), "float32", info) for n in (100, 200)]
    subject, region, plane = key.split("/")
    return Pair(
        key=key,
        subject=subject,
        region=region,
        plane=plane,
        session=None,
        lr=images[0],
        hr=images[1],
        shift=(0, 0),
        report=REPORT,
        quality=tuple(figures),
        sources={},
        digest="",
    )


def at(found: Iterable[Suspicion], index: int, key: str = "m/r/p") -> Suspicion:
    return next(one for one in found if (one.key, one.index) == (key, index))


CASES: list[tuple[dict[str, float], str, str]] = [
    ({"hr_noise": 16.0}, "noise", "noise 3.2 times that of the neighbours in HR"),
    ({"lr_ghost": 4.2}, "ghost", "background ghost 4 times the noise in LR"),
    ({"hr_lines": 2.0}, "other", "a row or column stands out in HR: lost lines?"),
    ({"lr_spike": 60.0}, "other", "stripes over the image in LR: a spike in k-space?"),
    ({"hr_continuity": 0.3}, "motion", "HR is unlike its neighbours: motion?"),
    ({"lr_signal": 50.0}, "other", "LR lost signal against HR: 4.0 times weaker than in the neighbours"),
    ({"hr_signal": 50.0}, "other", "HR lost signal against LR: 4.2 times weaker than in the neighbours"),
    ({"residual": 2.6}, "motion", "LR and HR differ 2.4 times as much as in the neighbours"),
    ({"lr_match": 8.0, "lr_match_gain": 1.0}, "other", "LR fits HR better when its slice 8 is taken: swapped?"),
    ({"hr_match": 3.0, "hr_match_gain": 1.0}, "other", "HR fits LR better when its slice 3 is taken: swapped?"),
    ({"offset_y": 4.1, "offset_gain": 1.0}, "motion", "LR lies 2.0 LR pixels off HR, unlike the rest of the pair"),
    ({"lr_foreground": 0.0, "hr_foreground": 0.0}, "outside", "almost no signal: out of the animal?"),
]


@pytest.mark.parametrize(("figures", "reason", "words"), CASES, ids=[words for _, _, words in CASES])
def test_each_fault_comes_first_with_its_words_and_reason(figures: dict[str, float], reason: str, words: str) -> None:
    found = rank([make_pair({SPOILT: figures})])
    first = found[0]
    assert (first.index, first.suggested_reason) == (SPOILT, reason)
    assert first.score >= 0.5 > found[1].score
    assert spoken(first.reasons[0]) == pytest.approx(spoken(words), rel=0.12)
    assert strip(first.reasons[0]) == strip(words)


def spoken(words: str) -> list[float]:
    """Give the numbers in a sentence."""
    return [float(word.rstrip(":")) for word in words.split() if word.rstrip(":").replace(".", "").isdigit()]


def strip(words: str) -> list[str]:
    return [word for word in words.split() if not word.rstrip(":").replace(".", "").isdigit()]


def test_good_slices_are_not_suspicious_and_nothing_is_said_of_them() -> None:
    found = rank([make_pair(key=f"m/r/p{k}", seed=k) for k in range(5)])
    assert len(found) == 5 * COUNT
    assert max(one.score for one in found) < 0.35
    assert all(one.reasons == () and one.suggested_reason is None for one in found)


def test_ends_where_the_animal_tapers_off_are_ordinary_but_empty_ends_are_not() -> None:
    taper = {k: {"lr_foreground": f, "hr_foreground": f} for k, f in ((0, 0.08), (1, 0.15), (2, 0.22))}
    empty = {k: {"lr_foreground": 0.0, "hr_foreground": 0.001} for k in (COUNT - 2, COUNT - 1)}
    found = rank([make_pair(taper | empty)])
    assert {one.index for one in found[:2]} == {COUNT - 2, COUNT - 1}
    assert all(one.suggested_reason == "outside" for one in found[:2])
    assert max(at(found, k).score for k in taper) < 0.5


def test_a_pair_of_nothing_but_noise_is_suspicious_throughout() -> None:
    empty = {k: {"lr_foreground": 0.0, "hr_foreground": 0.0, "lr_snr": 0.0} for k in range(COUNT)}
    found = rank([make_pair(), make_pair(empty, key="n/r/p")])
    assert {one.key for one in found[:COUNT]} == {"n/r/p"}
    assert min(one.score for one in found[:COUNT]) >= 0.5


def test_a_pair_far_noisier_than_the_study_is_named() -> None:
    noisy = {k: {"lr_snr": 2.0} for k in range(COUNT)}
    found = rank([make_pair(noisy, key="n/r/p"), *(make_pair(key=f"m/r/p{k}", seed=k) for k in range(4))])
    assert {one.key for one in found[:COUNT]} == {"n/r/p"}
    assert found[0].reasons == ("SNR of 2, far below the rest of the study",)


def test_a_burst_over_several_slices_is_still_one() -> None:
    found = rank([make_pair({k: {"lr_noise": 40.0} for k in (4, 5)})])
    assert {one.index for one in found[:2]} == {4, 5} and found[1].score >= 0.5


def test_neighbours_of_a_bad_slice_stay_good() -> None:
    bad = {SPOILT: {"hr_noise": 50.0, "residual": 5.0, "hr_ghost": 20.0}}
    assert max(at(rank([make_pair(bad)]), k).score for k in (SPOILT - 1, SPOILT + 1)) < 0.35


def test_several_clues_weigh_more_than_one() -> None:
    one = rank([make_pair({SPOILT: {"residual": 1.8}})])[0]
    two = rank([make_pair({SPOILT: {"residual": 1.8, "hr_noise": 10.0}})])[0]
    assert two.score > one.score and len(two.reasons) == 2


def test_scores_are_the_same_whatever_the_order_and_whoever_is_excluded() -> None:
    pairs = [make_pair({SPOILT: {"hr_noise": 16.0}}, key=f"m/r/p{k}", seed=k) for k in range(4)]
    excluded = [replace(pair, marks=Marks(excluded={SPOILT: "noise"})) for pair in pairs]
    assert rank(pairs) == rank(reversed(pairs)) == rank(iter(excluded))


def test_order_is_by_score_then_key_then_index() -> None:
    found = rank([make_pair(key=f"m/r/p{k}", seed=k % 2) for k in range(4)])
    assert found == sorted(found, key=lambda one: (-one.score, one.key, one.index))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_study_of_one_small_pair_works(count: int) -> None:
    found = rank([make_pair({0: {"lr_foreground": 0.0, "hr_foreground": 0.0}}, count=count)])
    assert sorted(one.index for one in found) == list(range(count))
    assert found[0].index == 0 and all(np.isfinite(one.score) for one in found)


def test_no_pairs_no_suspicions() -> None:
    assert rank([]) == []


def test_pairs_without_figures_come_last_with_a_score_of_zero() -> None:
    found = rank([replace(make_pair(key="a/r/p"), quality=()), make_pair(key="b/r/p")])
    assert [one.key for one in found[-COUNT:]] == ["a/r/p"] * COUNT
    assert {one.score for one in found[-COUNT:]} == {0.0}


def test_figures_that_a_pair_does_not_have_are_left_out() -> None:
    old = replace(make_pair(key="o/r/p"), quality=tuple({"lr_noise": 10.0} for _ in range(COUNT)))
    found = rank([old, make_pair({SPOILT: {"lr_noise": 50.0}})])
    assert (found[0].key, found[0].index) == ("m/r/p", SPOILT)
    assert at(found, 0, "o/r/p").score == 0
    assert rank([old])[0].score == 0


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), -1.0, 0.0])
def test_figures_that_were_damaged_do_no_harm(value: float) -> None:
    damaged = [make_pair({3: {name: value}}, key=f"{name}/r/p") for name in USUAL]
    found = rank([*damaged, make_pair({k: dict.fromkeys(USUAL, value) for k in range(COUNT)}, key="all/r/p")])
    assert len(found) == COUNT * (len(USUAL) + 1)
    assert all(0 <= one.score <= 1 for one in found)
    assert not any("nan" in words or "inf" in words for one in found for words in one.reasons)


@pytest.mark.parametrize("factor", [1e-9, 1e9])
def test_the_scanners_scale_does_not_matter(factor: float) -> None:
    pair = make_pair({SPOILT: {"hr_noise": 16.0}})
    scaled = tuple(
        {name: value * (factor if name.endswith(("noise", "signal")) else 1) for name, value in figures.items()}
        for figures in pair.quality
    )
    assert rank([replace(pair, quality=scaled)]) == rank([pair])


def test_every_suggested_reason_is_one_that_a_slice_can_be_marked_with() -> None:
    assert {reason for _, reason, _ in CASES} <= set(REASONS)


def test_neighbours_do_not_reach_into_another_pair() -> None:
    pairs = [make_pair(count=3), make_pair(key="n/r/p", count=2)]
    table = SliceTable.of(pairs)
    values = np.array([1.0, 2.0, 4.0, 100.0, 200.0])
    np.testing.assert_array_equal(table.neighbours(values), [3.0, 2.5, 1.5, 200.0, 100.0])
    np.testing.assert_array_equal(table.of_pair(values), [2, 2, 2, 150, 150])


def test_the_median_of_rows_leaves_nan_out() -> None:
    rows = np.array([[3.0, np.nan, 1.0], [np.nan, np.nan, np.nan], [1.0, 2.0, 9.0]])
    np.testing.assert_array_equal(row_median(rows), [2.0, np.nan, 2.0])


@pytest.fixture
def curation(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Any:
    """Give the benchmark that plants bad slices into good pairs."""
    monkeypatch.syspath_prepend(str(request.config.rootpath / "benchmarks"))
    return importlib.import_module("curation")


def found_share(curation: Any, source: str, snrs: tuple[float, ...]) -> float:
    pairs, faults = curation.make_study(source, 0, snrs)
    judged = curation.judge(rank(pairs), faults)
    above = [found for kind, (found, _) in judged if kind != "good"]
    assert len(above) >= 3
    return float(np.mean(above))


def test_bad_slices_of_drawn_mice_stand_above_the_good_ones(curation: Any) -> None:
    assert found_share(curation, "digital mouse", (12,)) >= 0.95


@pytest.mark.usefixtures("data_dir")
def test_bad_slices_of_a_real_scan_stand_above_the_good_ones(curation: Any, data_dir: Path) -> None:
    assert data_dir == curation.data_folder()
    assert found_share(curation, "mouse trunk", (8,)) >= 0.95
