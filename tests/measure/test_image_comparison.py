from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from napari_micromri.errors import CancelledError, InputError
from napari_micromri.measure.comparison import ComparedImage
from napari_micromri.measure.image_comparison import (
    compare_quality,
    crop_window,
    mean_quality,
    placement_notes,
    residual_scan,
    spectra,
)
from napari_micromri.measure.regridding import Regridder
from napari_micromri.scan import Scan, ScanInfo


@pytest.fixture
def good(make_scan):
    return ComparedImage("HR", make_scan((3, 48, 40), name="HR"))


@pytest.fixture
def coarse(good):
    data = good.scan.data.reshape(3, 24, 2, 20, 2).mean(axis=(2, 4))
    return ComparedImage("LR", Scan(data, good.scan.info.resampled({"y": 0.5, "x": 0.5})))


def test_the_figures_are_those_of_the_pixels(good):
    worse = ComparedImage("DL", Scan(good.scan.data + np.float32(3), good.scan.info))
    [one] = compare_quality([worse], good, [1])
    reference = good.scan.data[1].astype(float)
    assert one.quality.mse == pytest.approx(9, rel=1e-4)
    assert one.quality.psnr == pytest.approx(10 * np.log10(reference.max() ** 2 / 9), abs=1e-4)
    expected = structural_similarity(
        worse.scan.data[1].astype(float),
        reference,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=np.ptp(reference),
    )
    assert one.quality.ssim == pytest.approx(expected, abs=1e-6)


def test_a_coarse_scan_is_brought_to_the_reference(good, coarse):
    near = Regridder.between(coarse.scan, good.scan, "nearest").plane(2)
    np.testing.assert_allclose(near, coarse.scan.data[2].repeat(2, 0).repeat(2, 1), rtol=1e-6)
    figures = {
        mode: compare_quality([coarse], good, [0], upsampling=mode)[0].quality.mse for mode in ("nearest", "bicubic")
    }
    assert figures["bicubic"] < figures["nearest"]
    with pytest.raises(InputError, match="finer than the reference"):
        compare_quality([good], coarse, [0])


def test_only_the_crop_counts(good):
    data = good.scan.data.copy()
    data[:, :20] += 500
    spoilt = ComparedImage("DL", Scan(data, good.scan.info))
    crop = ((2.0, 4.8), (0.0, 4.0))
    assert compare_quality([spoilt], good, [0], crop=crop)[0].quality.mse == 0
    assert compare_quality([spoilt], good, [0])[0].quality.mse > 1000
    assert crop_window(good.scan, ((0.95, 2.15), (0.95, 2.15))) == (slice(10, 22), slice(10, 22))
    with pytest.raises(InputError, match="11 x 11"):
        crop_window(good.scan, ((0.0, 0.5), (0.0, 4.0)))


def test_only_what_all_cover_counts_and_is_said(good):
    moved = replace(good.scan.info, origin=(0.0, 1.2, 0.0))
    short = ComparedImage("DL", Scan(good.scan.data[:, 12:, :] + np.float32(2), moved))
    assert compare_quality([short], good, [1])[0].quality.mse == pytest.approx(4)
    both = compare_quality(
        [short, ComparedImage("LR", Scan(good.scan.data[:, :, 4:], replace(moved, origin=(0, 0, 0.4))))], good, [1]
    )
    assert [one.quality.mse for one in both] == pytest.approx([4, 0])
    (note,) = placement_notes([short], good)
    assert "36 x 40 of 48 x 40 pixels" in note
    assert placement_notes([ComparedImage("DL", good.scan)], good) == []
    residual = residual_scan(short, good).data
    assert np.isnan(residual[:, :12]).all()
    np.testing.assert_allclose(residual[:, 12:], -2, atol=1e-4)


def test_other_fields_of_view_are_refused(good, make_scan):
    other = ComparedImage("other", make_scan((3, 48, 40), origin=(0.0, 9.0, 0.0)))
    for compared in (compare_quality, placement_notes):
        with pytest.raises(InputError, match="overlap"):
            compared([other], good, *([[0]] if compared is compare_quality else []))
    with pytest.raises(InputError, match="overlap"):
        residual_scan(other, good)
    barely = ComparedImage("barely", make_scan((3, 48, 40), origin=(0.0, 4.0, 0.0)))
    with pytest.raises(InputError, match="11 x 11"):
        compare_quality([barely], good, [0])


def test_a_slice_that_holds_no_numbers_has_no_figures(good):
    data = good.scan.data.copy()
    data[1, 3, 3] = np.nan
    found = compare_quality([ComparedImage("DL", Scan(data, good.scan.info))], good, range(3))
    assert [one.quality is None for one in found] == [False, True, False]
    assert "numbers" in found[1].problem
    assert mean_quality(found)["DL"].mse == 0
    assert spectra(ComparedImage("DL", Scan(data, good.scan.info)), good, 1) is None


def test_it_stops_and_tells_how_far_it_is(good):
    steps = []
    compare_quality([good], good, range(3), progress=lambda done, total: steps.append((done, total)))
    assert steps == [(0, 3), (1, 3), (2, 3), (3, 3)]
    with pytest.raises(CancelledError):
        compare_quality([good], good, range(3), should_stop=lambda: True)


def test_the_residual_is_reference_minus_image(good, coarse):
    residual = residual_scan(coarse, good, upsampling="nearest")
    assert residual.info.name == "HR - LR"
    assert residual.info.provenance[-1]["upsampling"] == "nearest"
    np.testing.assert_allclose(
        residual.data, good.scan.data - coarse.scan.data.repeat(2, 1).repeat(2, 2), rtol=1e-4, atol=1e-2
    )
    short = residual_scan(ComparedImage("short", Scan(good.scan.data[:2], good.scan.info)), good).data
    assert np.isnan(short).any((1, 2)).tolist() == [False, False, True]


def test_flat_scans_are_compared_too():
    rng = np.random.default_rng(0)
    info = ScanInfo(name="flat", axes="yx", voxel_size=(0.1, 0.1))
    reference, image = (ComparedImage(name, Scan(rng.random((20, 24)), info)) for name in ("HR", "DL"))
    [one] = compare_quality([image], reference, [0])
    assert one.quality.mse == pytest.approx(np.mean((image.scan.data - reference.scan.data) ** 2))
    assert residual_scan(image, reference).data.shape == (20, 24)
    ratio, ring = spectra(image, reference, 0)
    assert len(ratio[0]) == len(ring[1]) == 10
