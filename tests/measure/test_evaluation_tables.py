"""Means, intervals and differences over subjects, worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from evaluation_samples import ROW, rows_of
from napari_micromri.measure.evaluation.rows import NEAREST, SINC
from napari_micromri.measure.evaluation.tables import (
    by_part,
    differences,
    estimate,
    few_subjects,
    mean_curves,
    over_subjects,
    overall,
    subject_means,
)
from napari_micromri.measure.metrics import METRICS

MSE, PSNR, _, SSIM, BIAS, POWER, *_ = METRICS


def test_subjects_count_alike_however_many_slices_they_have() -> None:
    found = estimate({"a": [1.0, 1.0, 1.0, 1.0], "b": [3.0]})
    assert (found.mean, found.subjects, found.slices) == (2.0, 2, 5)


def test_the_interval_is_students() -> None:
    # Means 1, 2, 6: mean 3, variance ((2)^2 + 1 + 3^2) / 2 = 7, t(2 degrees, 97.5 %) = 4.302653.
    found = estimate({"a": [1.0], "b": [2.0], "c": [6.0]})
    half = 4.302653 * math.sqrt(7 / 3)
    assert found.mean == 3
    assert (found.low, found.high) == pytest.approx((3 - half, 3 + half), rel=1e-6)


def test_one_subject_has_no_interval() -> None:
    found = estimate({"a": [1.0, 2.0]})
    assert found.mean == 1.5
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    assert "no interval" in few_subjects(1)[0]
    assert "only 3 subjects" in few_subjects(3)[0]
    assert few_subjects(6) == ()


def test_what_a_slice_leaves_undefined_is_passed_over() -> None:
    found = estimate({"a": [1.0, math.nan], "b": [math.nan], "c": [3.0]})
    assert (found.mean, found.subjects, found.slices) == (2.0, 2, 2)
    nothing = estimate({"a": [math.nan]})
    assert math.isnan(nothing.mean)
    assert nothing.subjects == 0


def test_equal_images_have_an_infinite_psnr_and_no_interval() -> None:
    found = estimate({"a": [math.inf], "b": [30.0]})
    assert found.mean == math.inf
    assert math.isnan(found.low)


def test_overall_and_within_a_plane() -> None:
    rows = rows_of({"a": [1.0, 3.0], "b": [4.0]}) + rows_of({"a": [5.0]}, method="m")
    found = overall(rows)
    assert found[SINC]["mse"].mean == 3.0
    assert found["m"]["mse"].mean == 5.0
    elsewhere = [replace(row, plane="q") for row in rows_of({"a": [100.0]})]
    planes = over_subjects(rows + elsewhere, "plane")
    assert planes["p"][SINC]["mse"].mean == 3.0
    assert planes["q"][SINC]["mse"].mean == 100.0


def test_parts_are_in_natural_order_with_means_over_slices() -> None:
    rows = rows_of({"mouse 10": [1.0, 2.0], "mouse 9": [4.0]})
    first, second = by_part(rows, ("subject", "region", "plane"))
    assert (first.names, first.slices, first.means[SINC]["mse"]) == (("mouse 9", "r", "p"), 1, 4.0)
    assert (second.names, second.slices, second.means[SINC]["mse"]) == (("mouse 10", "r", "p"), 2, 1.5)
    assert subject_means(rows, MSE)[SINC] == {"mouse 10": 1.5, "mouse 9": 4.0}


def test_differences_are_paired_by_slice() -> None:
    # Slice 1 of b is missing from the model, so it counts on neither side: a: -1, -3 -> -2; b: -4.
    baseline = rows_of({"a": [2.0, 5.0], "b": [5.0, 1000.0]})
    model = rows_of({"a": [1.0, 2.0], "b": [1.0]}, method="m")
    found = {(d.first, d.second, d.metric): d for d in differences(baseline + model, [SINC, "m"])}
    difference = found["m", SINC, "mse"]
    assert difference.estimate.mean == -3.0
    assert difference.estimate.slices == 3
    assert difference.better_subjects == 2


def test_models_are_compared_with_baselines_and_with_each_other() -> None:
    rows = [row for method in (NEAREST, SINC, "m", "n") for row in rows_of({"a": [1.0]}, method=method)]
    pairs = dict.fromkeys((d.first, d.second) for d in differences(rows, [NEAREST, SINC, "m", "n"]))
    assert list(pairs) == [("m", NEAREST), ("m", SINC), ("n", NEAREST), ("n", SINC), ("n", "m")]


@pytest.mark.parametrize(
    ("metric", "better", "worse"),
    [(MSE, 0.1, 0.2), (PSNR, 31.0, 30.0), (SSIM, 0.9, 0.8), (BIAS, 0.01, -0.02), (POWER, 1.1, 0.8)],
)
def test_each_metric_knows_what_is_better(metric: object, better: float, worse: float) -> None:
    assert isinstance(metric, type(MSE))
    assert metric.is_better(better, worse)
    assert not metric.is_better(worse, better)
    assert not metric.is_better(better, better)


def test_figures_are_shown_with_their_unit_and_without_minus_zero() -> None:
    assert BIAS.shown(-0.0213) == "−2.13"
    assert BIAS.shown(-0.00001) == "0.00"
    assert PSNR.shown(math.nan) == "–"
    assert PSNR.shown(math.inf) == "∞"


def test_curves_are_averaged_over_slices_then_subjects() -> None:
    def row(subject: str, index: int, *curve: float) -> object:
        return replace(ROW, key=subject, subject=subject, index=index, power_curve=curve, ring_curve=curve)

    rows = [row("a", 0, 1.0, math.nan), row("a", 1, 3.0, 4.0), row("b", 0, 6.0, 8.0)]
    assert mean_curves(rows)[SINC]["power"] == [4.0, 6.0]
