"""The table of metrics: what it computes, and evaluations of before a metric was in it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from napari_micromri.measure.evaluation.rows import SliceRow
from napari_micromri.measure.gradient_similarity import STABILISER, gradient_deviation
from napari_micromri.measure.metrics import METRICS, assess


def test_every_metric_is_computed_and_named_once() -> None:
    rng = np.random.default_rng(0)
    reference = rng.random((20, 24)) + 1
    found = assess(reference + 0.1 * rng.standard_normal((20, 24)), reference)
    assert vars(found).keys() == {metric.name for metric in METRICS}
    assert all(math.isfinite(value) for value in vars(found).values())
    assert len({metric.head for metric in METRICS}) == len({metric.column for metric in METRICS}) == len(METRICS)


def test_a_row_of_before_a_metric_was_there_still_reads() -> None:
    row = SliceRow(
        key="k", subject="a", region="b", plane="c", session=None, index=0, method="m", lr_mean=1.0, mse=0.5, psnr=30.0
    )
    document = row.to_json()
    del document["gradient_deviation"]
    read = SliceRow.from_json(document)
    assert (read.mse, read.psnr) == (0.5, 30.0)
    assert math.isnan(read.gradient_deviation)
    del document["lr_mean"]
    with pytest.raises(KeyError):
        SliceRow.from_json(document)


def test_the_gradient_deviation_is_that_of_the_paper_on_a_step_that_is_lost() -> None:
    reference = np.zeros((8, 16))
    reference[:, 8:] = 1
    assert gradient_deviation(reference, reference) == 0
    # Halved, one step of height 1: two columns of 8 see it, and nothing of it in the flat image.
    found = gradient_deviation(np.full((8, 16), 0.5), reference)
    seen = np.array([0, 0, 0, 1, 1, 0, 0, 0])
    similarity = np.tile(STABILISER / (seen**2 + STABILISER), (4, 1))
    assert found == pytest.approx(float(similarity.std()), abs=1e-9)
    assert math.isnan(gradient_deviation(reference, np.ones((8, 16))))
    assert gradient_deviation(5 * reference, 5 * reference + 0) == gradient_deviation(reference, reference)


def test_the_gradient_deviation_compares_averages_of_two_by_two_pixels() -> None:
    rng = np.random.default_rng(0)
    reference = rng.uniform(0, 1, (24, 32))
    reference[0, :2] = 0, 1
    image = reference + rng.normal(0, 0.1, reference.shape)
    slopes = []
    for picture in (image, reference):
        halved = (picture / np.ptp(reference)).reshape(12, 2, 16, 2).mean((1, 3))
        around = np.pad(halved, 1, mode="symmetric")
        across = sum(around[k : k + 12, 2:] - around[k : k + 12, :-2] for k in range(3)) / 3
        along = sum(around[2:, k : k + 16] - around[:-2, k : k + 16] for k in range(3)) / 3
        slopes.append(np.hypot(across, along))
    c = 170 / 255**2
    similarity = (2 * slopes[0] * slopes[1] + c) / (slopes[0] ** 2 + slopes[1] ** 2 + c)
    assert gradient_deviation(image, reference) == pytest.approx(similarity.std(), rel=1e-9)
