from __future__ import annotations

import math

import numpy as np
import pytest

from napari_micromri.measure.coverage import cover, full_mask
from napari_micromri.measure.measurer import pool
from napari_micromri.measure.roi import Grid, Roi
from napari_micromri.measure.roi_stats import cnr, contrast, measure, normalised_sd, statistics
from napari_micromri.scan import Scan, ScanInfo


def scan_of(data, size=1.0, origin=0.0):
    data = np.asarray(data)
    axes = "zyx"[-data.ndim :]
    return Scan(data, ScanInfo(name="s", axes=axes, voxel_size=(size,) * data.ndim, origin=(origin,) * data.ndim))


def box(top, bottom, left, right, **more):
    return Roi("r", ((top, left), (top, right), (bottom, right), (bottom, left)), **more)


def test_figures_by_hand():
    data = np.array([[10.0, 12, 0, 2], [14, 16, 4, 6]])
    roi = measure(box(-0.5, 1.5, -0.5, 1.5), scan_of(data))
    background = measure(box(-0.5, 1.5, 1.5, 3.5), scan_of(data))
    assert (roi.n, roi.mean, roi.minimum, roi.maximum, roi.median, roi.area) == (4, 13, 10, 16, 13, 4)
    assert roi.sd == pytest.approx(math.sqrt(5))  # (9 + 1 + 1 + 9) / 4
    assert (background.mean, background.sd) == (3, pytest.approx(math.sqrt(5)))
    assert contrast(roi, background) == 10
    assert cnr(roi, background) == pytest.approx(10 / math.sqrt(5))
    assert cnr(background, roi) == pytest.approx(-10 / math.sqrt(5))
    assert normalised_sd(background) == pytest.approx(math.sqrt(5) / 3)


def test_weighted_figures_by_hand():
    stats = statistics(np.array([1.0, 3.0, 100.0]), np.array([1.0, 0.5, 0.0]))
    assert stats.n == 1.5
    assert stats.mean == pytest.approx(2.5 / 1.5)
    assert stats.sd == pytest.approx(math.sqrt((4 / 9 + 0.5 * 16 / 9) / 1.5))
    assert (stats.minimum, stats.maximum, stats.median) == (1, 3, 1)


def test_the_median_is_numpys():
    rng = np.random.default_rng(0)
    for n in (1, 2, 5, 10, 101):
        values = rng.integers(0, 7, n).astype(float)
        assert statistics(values, np.ones(n)).median == np.median(values)


def test_an_upsampled_copy_gives_the_same_figures():
    rng = np.random.default_rng(1)
    data = rng.normal(100, 9, (20, 20))
    coarse, fine = scan_of(data, 0.2, 0.1), scan_of(data.repeat(2, 0).repeat(2, 1), 0.1, 0.05)
    roi = box(0.4, 2.0, 0.8, 3.2)
    one, other = measure(roi, coarse), measure(roi, fine)
    assert other.n == 4 * one.n
    assert other.area == pytest.approx(one.area) == pytest.approx(1.6 * 2.4)
    for key in ("mean", "sd", "minimum", "maximum", "median"):
        assert getattr(other, key) == pytest.approx(getattr(one, key))


def test_agrees_with_scikit_image_and_simpleitk():
    import SimpleITK as sitk
    from skimage.measure import regionprops

    rng = np.random.default_rng(2)
    data = rng.normal(500, 80, (30, 40))
    roi = Roi("p", ((3.2, 4.1), (2.0, 30.7), (20.6, 35.3), (26.1, 9.9)), shape="polygon")
    labels = full_mask(roi, Grid.of(scan_of(data), "yx")).astype(np.uint8)
    ours = measure(roi, scan_of(data))
    [props] = regionprops(labels, intensity_image=data)
    assert ours.n == props.area
    assert ours.mean == pytest.approx(props.intensity_mean)
    assert ours.sd == pytest.approx(props.image_intensity[props.image].std())
    assert (ours.minimum, ours.maximum) == (props.intensity_min, props.intensity_max)

    theirs = sitk.LabelStatisticsImageFilter()
    theirs.Execute(sitk.GetImageFromArray(data), sitk.GetImageFromArray(labels))
    assert ours.mean == pytest.approx(theirs.GetMean(1))
    # SimpleITK divides by n - 1.
    assert ours.sd == pytest.approx(theirs.GetSigma(1) * math.sqrt((ours.n - 1) / ours.n))
    assert (ours.minimum, ours.maximum) == (theirs.GetMinimum(1), theirs.GetMaximum(1))


def test_a_region_over_slices_is_pooled():
    data = np.stack([np.full((4, 4), value, dtype=np.int16) for value in (0, 10, 20, 90)])
    stats = measure(box(-0.5, 1.5, -0.5, 1.5, depth=(1, 2)), scan_of(data))
    assert (stats.n, stats.mean, stats.sd) == (8, 15, 5)
    assert measure(box(-0.5, 1.5, -0.5, 1.5, depth=(1, 2)), scan_of(data), index=3).mean == 90


def test_what_is_no_number_is_left_out_and_counted():
    data = np.array([[1.0, np.nan, 3.0], [np.inf, 5.0, 7.0]])
    stats = measure(box(-0.5, 1.5, -0.5, 2.5), scan_of(data))
    assert (stats.n, stats.mean, stats.not_finite) == (4, 4, 2)


def test_nothing_gives_nothing():
    empty = measure(box(50, 60, 50, 60), scan_of(np.ones((4, 4))))
    assert empty.n == 0
    assert math.isnan(empty.mean)
    beside = measure(box(0, 2, 0, 2, depth=(50, 50)), scan_of(np.ones((2, 4, 4))))
    assert beside.n == 0
    full = measure(box(0, 2, 0, 2), scan_of(np.ones((4, 4))))
    assert math.isnan(cnr(full, empty))
    assert math.isnan(cnr(full, full))  # no noise at all
    assert math.isnan(normalised_sd(measure(box(0, 2, 0, 2), scan_of(-np.ones((4, 4))))))


def test_large_values_keep_their_spread():
    data = 1e9 + np.array([[0.0, 1], [2, 3]])
    assert measure(box(-0.5, 1.5, -0.5, 1.5), scan_of(data)).sd == pytest.approx(math.sqrt(1.25))


def test_pooled_regions_count_a_pixel_once():
    grid = Grid((4, 6), (1.0, 1.0), (0.0, 0.0))
    one, other = (cover(box(-0.5, 1.5, left, 3.5), grid) for left in (-0.5, 1.5))
    np.testing.assert_array_equal(pool([one, other], grid.shape), full_mask(box(-0.5, 1.5, -0.5, 3.5), grid))
