from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_micromri.errors import InputError
from napari_micromri.measure.comparison import ComparedImage
from napari_micromri.measure.image_comparison import compare_quality, placement_notes, residual_scan
from napari_micromri.measure.regridding import Regridder
from napari_micromri.scan import Scan, ScanInfo

RAS = ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0))


def blobs(z, y, x):
    """Give the value of an object at places in mm; smooth enough for 0.1 mm pixels to hold all of it."""
    values = 20.0 * np.ones(np.broadcast_shapes(np.shape(z), np.shape(y), np.shape(x)))
    for cy, cx, width, height in ((2.0, 2.2, 0.5, 100), (3.1, 1.4, 0.25, 60), (1.3, 3.0, 0.3, 80)):
        values += height * (1 + 0.1 * z) * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * width**2))
    return values


def sampled(shape=(4, 44, 48), size=(0.6, 0.1, 0.1), origin=(0.0, 0.0, 0.0), direction=None, name="scan"):
    """Scan the object on a grid."""
    z, y, x = (o + s * np.arange(n) for n, s, o in zip(shape, size, origin, strict=True))
    info = ScanInfo(name=name, axes="zyx", voxel_size=size, origin=origin, direction=direction)
    return Scan(blobs(z[:, None, None], y[:, None], x).astype(np.float32), info)


def inner(values, margin=3):
    return values[..., margin:-margin, margin:-margin]


@pytest.mark.parametrize(("offset", "tolerance"), [((0.05, 0.0), 0.01), ((0.03, -0.05), 0.01), ((-0.02, 0.08), 0.01)])
def test_an_offset_of_a_part_of_a_pixel_is_undone(offset, tolerance):
    reference = sampled()
    image = sampled(origin=(0.0, *offset))
    plane = Regridder.between(image, reference).plane(2)
    known = inner(np.isfinite(plane))
    assert known.all()
    np.testing.assert_allclose(inner(plane), inner(reference.data[2]), atol=tolerance)
    by_index = np.abs(inner(image.data[2] - reference.data[2])).max()
    assert by_index > 100 * tolerance


@given(y=st.floats(-0.1, 0.1), x=st.floats(-0.1, 0.1), size=st.sampled_from([0.1, 0.125, 0.2]))
@settings(max_examples=15)
def test_an_image_on_any_grid_shows_the_object_where_it_is(y, x, size):
    reference = sampled()
    shape = (4, round(4.4 / size), round(4.8 / size))
    plane = Regridder.between(sampled(shape, (0.6, size, size), (0.0, y, x)), reference).plane(1)
    inside = np.s_[6:-6, 6:-6]
    np.testing.assert_allclose(plane[inside], reference.data[1][inside], atol=0.5)


def test_the_figures_are_those_of_the_object_not_of_the_offset():
    reference, image = (ComparedImage(name, sampled(origin=(0.0, at, at))) for name, at in (("HR", 0.0), ("DL", 0.05)))
    [one] = compare_quality([image], reference, [1])
    assert one.quality.psnr > 75
    assert one.quality.ssim == pytest.approx(1, abs=1e-4)
    residual = residual_scan(image, reference)
    assert np.nanmax(np.abs(inner(residual.data))) < 0.02
    assert np.abs(residual.info.provenance[-1]["moved_by_pixels"]) == pytest.approx([0.5, 0.5])
    third = Regridder.between(sampled(origin=(0.0, 1.03, -0.03)), reference.scan)
    assert third.offset == pytest.approx((0.3, -0.3))
    assert placement_notes([image], reference)[0].startswith("DL lies 0.5 pixels along y and 0.5 pixels along x off")


def test_nothing_rings_where_the_object_is_cut_off_by_the_edge():
    ramp = np.broadcast_to(np.linspace(0, 100, 64, dtype=np.float32)[:, None], (1, 64, 64))
    info = ScanInfo(name="ramp", axes="zyx", voxel_size=(1.0, 1.0, 1.0))
    moved = Scan(ramp, replace(info, origin=(0.0, 0.5, 0.0)))
    plane = Regridder.between(moved, Scan(ramp, info)).plane(0)
    expected = ramp[0] - 0.5 * 100 / 63
    assert np.nanmax(np.abs(plane - expected)[1:]) < 0.5
    assert np.nanmax(np.abs(plane - expected)[8:-8]) < 0.02


@pytest.mark.parametrize("turn", ["mirrored", "turned", "swapped"])
def test_other_directions_are_brought_to_those_of_the_reference(turn):
    reference = sampled(direction=RAS)
    data, info = reference.data, reference.info
    order, signs = {
        "mirrored": ((0, 1, 2), (1, 1, -1)),
        "turned": ((0, 1, 2), (-1, -1, 1)),
        "swapped": ((0, 2, 1), (1, -1, 1)),
    }[turn]
    data = data.transpose(order)[tuple(slice(None, None, sign) for sign in signs)]
    rows = [tuple(sign * part for part in RAS[k]) for k, sign in zip(order, signs, strict=True)]
    last = [o + (n - 1) * s for o, n, s in zip(info.origin, reference.shape, info.voxel_size, strict=True)]
    origin = tuple(-last[k] if sign < 0 else info.origin[k] for k, sign in zip(order, signs, strict=True))
    size = tuple(info.voxel_size[k] for k in order)
    image = Scan(data, replace(info, voxel_size=size, origin=origin, direction=tuple(rows)))
    for index in (0, 3):
        np.testing.assert_allclose(Regridder.between(image, reference).plane(index), reference.data[index], atol=1e-3)


def test_scans_at_an_angle_are_refused():
    c, s = np.cos(0.1), np.sin(0.1)
    tilted = sampled(direction=((0.0, 0.0, 1.0), (-s, c, 0.0), (c, s, 0.0)))
    with pytest.raises(InputError, match="oblique"):
        Regridder.between(tilted, sampled(direction=RAS))


def test_other_pixel_sizes_and_extents():
    reference = sampled()
    coarse = sampled(shape=(4, 14, 20), size=(0.6, 0.2, 0.15), origin=(0.0, 0.77, 0.53))
    regridder = Regridder.between(coarse, reference)
    # Edges of the coarse scan lie at 0.67 and 3.47, 0.455 and 3.455 mm.
    assert regridder.window == (slice(7, 35), slice(5, 35))
    plane = regridder.plane(1)
    np.testing.assert_allclose(plane[10:32, 10:30], reference.data[1, 10:32, 10:30], atol=1.0)
    assert np.isnan(plane[:7]).all()
    assert np.isnan(plane[:, 35:]).all()
    with pytest.raises(InputError, match="finer than the reference"):
        Regridder.between(reference, coarse)


def test_slices_are_found_by_their_place():
    reference = sampled(shape=(6, 44, 48))
    fewer = sampled(shape=(2, 44, 48), size=(1.2, 0.1, 0.1), origin=(1.5, 0.0, 0.0))
    regridder = Regridder.between(fewer, reference)
    found = [regridder.plane(k) for k in range(6)]
    assert [plane is None for plane in found] == [True, True, False, False, False, False]
    np.testing.assert_array_equal(found[2], fewer.data[0])
    np.testing.assert_array_equal(found[5], fewer.data[1])


def test_holes_stay_holes_and_spoil_nothing_else():
    reference, image = sampled(), sampled(origin=(0.0, 0.05, 0.0))
    image.data[:, 20, 20] = np.nan
    plane = Regridder.between(image, reference).plane(1)
    assert np.isnan(plane[20, 20])
    assert 0 < np.isnan(inner(plane)).sum() < 20
    np.testing.assert_allclose(plane[30:40], reference.data[1, 30:40], atol=0.5)


@pytest.mark.parametrize("mode", ["nearest", "bicubic", "sinc"])
def test_one_grid_changes_nothing(mode):
    scan = sampled()
    np.testing.assert_array_equal(Regridder.between(scan, scan, mode).plane(3), scan.data[3])
