from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_micromri.errors import InputError
from napari_micromri.measure.coverage import cover, covered_areas, crosses_itself, full_mask
from napari_micromri.measure.roi import Grid, Roi, read_plane, slice_at, slice_position, slices_of
from napari_micromri.scan import Scan, ScanInfo


def rectangle(top, bottom, left, right, **more):
    corners = ((top, left), (top, right), (bottom, right), (bottom, left))
    return Roi(more.pop("name", "one"), corners, **more)


def grid(rows=6, columns=8, size=1.0, origin=0.0):
    return Grid((rows, columns), (size, size), (origin, origin))


def test_a_pixel_counts_when_its_centre_lies_inside():
    mask = full_mask(rectangle(0.6, 3.4, 1.2, 4.9), grid())
    expected = np.zeros((6, 8))
    expected[1:4, 2:5] = 1
    np.testing.assert_array_equal(mask, expected)


def test_rectangles_side_by_side_share_no_pixel_and_miss_none():
    left, right = full_mask(rectangle(0, 4, 0, 3), grid()), full_mask(rectangle(0, 4, 3, 6), grid())
    np.testing.assert_array_equal(left + right, full_mask(rectangle(0, 4, 0, 6), grid()))
    assert left.sum() == right.sum() == 12


def test_edges_on_centres_fall_alike_whatever_the_rounding():
    fine = Grid((100, 100), (0.1, 0.1), (0.05, 0.05))
    # 0.1 * 3 + 0.05 and the like are no exact numbers.
    assert full_mask(rectangle(0.35, 0.65, 0.35, 0.65), fine).sum() == 9


def test_the_same_tissue_at_two_pixel_sizes():
    fine, coarse = Grid((40, 40), (0.1, 0.1), (0.05, 0.05)), Grid((20, 20), (0.2, 0.2), (0.1, 0.1))
    roi = rectangle(0.4, 2.0, 0.8, 3.2)
    assert full_mask(roi, fine).sum() == 4 * full_mask(roi, coarse).sum() == 16 * 24
    np.testing.assert_array_equal(full_mask(roi, coarse).repeat(2, 0).repeat(2, 1), full_mask(roi, fine))


def test_an_ellipse_by_its_equation():
    corners = ((1.0, 2.0), (1.0, 12.0), (9.0, 12.0), (9.0, 2.0))
    mask = full_mask(Roi("e", corners, shape="ellipse"), grid(12, 16))
    y, x = np.mgrid[:12, :16]
    np.testing.assert_array_equal(mask, ((y - 5) / 4) ** 2 + ((x - 7) / 5) ** 2 <= 1)


def test_a_turned_ellipse_turns():
    upright = Roi("e", ((2.0, 4.0), (2.0, 8.0), (10.0, 8.0), (10.0, 4.0)), shape="ellipse")
    turned = Roi("e", ((8.0, 2.0), (4.0, 2.0), (4.0, 10.0), (8.0, 10.0)), shape="ellipse")
    np.testing.assert_array_equal(full_mask(upright, grid(13, 13)).T, full_mask(turned, grid(13, 13)))


def test_areas_of_a_rectangle_by_hand():
    weights = covered_areas(np.array([[0.5, 0.25], [0.5, 2.0], [2.0, 2.0], [2.0, 0.25]]), (3, 3))
    np.testing.assert_allclose(weights, [[0.375, 0.5, 0], [0.75, 1, 0], [0, 0, 0]])


def test_areas_of_a_triangle_by_hand():
    weights = covered_areas(np.array([[0.0, 0.0], [0.0, 2.0], [2.0, 0.0]]), (2, 2))
    np.testing.assert_allclose(weights, [[1, 0.5], [0.5, 0]])


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.floats(-3, 12), st.floats(-3, 12)), min_size=3, max_size=7),
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
)
def test_areas_of_any_convex_polygon_agree_with_counting_fine_points(points, shape):
    from scipy.spatial import ConvexHull, QhullError

    points = np.array(points)
    try:
        hull = points[ConvexHull(points).vertices]
    except QhullError:
        return
    fine = 20
    y, x = ((np.arange(n * fine) + 0.5) / fine for n in shape)
    big = Grid((shape[0] * fine, shape[1] * fine), (1 / fine, 1 / fine), (y[0], x[0]))
    counted = full_mask(Roi("p", tuple(map(tuple, hull)), shape="polygon"), big)
    counted = counted.reshape(shape[0], fine, shape[1], fine).mean(axis=(1, 3))
    np.testing.assert_allclose(covered_areas(hull, shape), counted, atol=0.11)


def test_what_lies_far_beside_the_grid_changes_no_area():
    weights = full_mask(rectangle(-9e5, 2.25, -9e5, 3.0), grid(4, 5), "area")
    np.testing.assert_allclose(weights, np.outer([1, 1, 0.75, 0], [1, 1, 1, 0.5, 0]), atol=1e-9)


def test_the_area_of_an_ellipse_is_pi_a_b():
    roi = Roi("e", ((1.0, 2.0), (1.0, 12.0), (9.0, 12.0), (9.0, 2.0)), shape="ellipse")
    assert full_mask(roi, grid(12, 16), "area").sum() == pytest.approx(np.pi * 4 * 5, rel=1e-6)


def test_agrees_with_another_implementation_of_polygons():
    from skimage.measure import grid_points_in_poly

    rng = np.random.default_rng(3)
    angle = np.sort(rng.uniform(0, 2 * np.pi, 11))
    points = 20 + rng.uniform(4, 17, 11)[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    mask = full_mask(Roi("p", tuple(map(tuple, points)), shape="polygon"), grid(40, 40))
    np.testing.assert_array_equal(mask, grid_points_in_poly((40, 40), points))


@pytest.mark.parametrize("rule", ["centre", "area"])
def test_what_reaches_beyond_the_grid_is_cut_and_said(rule):
    found = cover(rectangle(-2, 1.5, -2, 1.5), grid(), rule)
    assert found.outside
    assert found.weights.sum() == 4
    away = cover(rectangle(100, 1e12, 100, 1e12), grid(), rule)
    assert away.outside
    assert away.weights.size == 0
    assert not cover(rectangle(-0.5, 5.5, -0.5, 7.5), grid(), rule).outside


def test_a_figure_of_eight_crosses_itself():
    eight = Roi("8", ((0.0, 0.0), (2.0, 2.0), (2.0, 0.0), (0.0, 2.0)), shape="polygon")
    assert crosses_itself(eight)
    assert not crosses_itself(Roi("4", ((0.0, 0.0), (2.0, 0.0), (2.0, 2.0), (0.0, 2.0)), shape="polygon"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"vertices": ((0.0, 0.0), (1.0, 1.0))}, "no area"),
        ({"vertices": ((1e308, 0.0), (1e308, 1.0), (-1e308, 1.0), (-1e308, 0.0))}, "no scanner"),
        ({"depth": (0.0, 1e16)}, "no scanner"),
        ({"vertices": ((0.0, 0.0), (1.0, 1.0), (float("nan"), 1.0), (0.0, 1.0))}, "not a number"),
        ({"depth": (0.0, float("inf"))}, "not a number"),
        ({"shape": "star"}, "star"),
        ({"kind": "tumour"}, "tumour"),
        ({"axes": "xy"}, "xy"),
    ],
)
def test_what_is_no_region_is_refused(change, words):
    given_ = {"name": "one", "vertices": ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))} | change
    with pytest.raises(InputError, match=words):
        Roi(**given_)


def scan(shape=(4, 6, 8), axes="zyx", size=(0.6, 0.1, 0.2), origin=(10.0, 1.0, 2.0)):
    data = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    return Scan(data, ScanInfo(name="s", axes=axes, voxel_size=size, origin=origin))


def test_a_slice_is_the_one_whose_extent_holds_the_position():
    one = scan()
    assert [slice_at(one, "z", z) for z in (9.69, 9.7, 10.0, 10.29, 10.3, 12.09, 12.1)] == [None, 0, 0, 0, 1, 3, None]
    assert slice_position(one, "z", 3) == pytest.approx(11.8)


def test_depth_gives_the_slices():
    one = scan()
    assert slices_of(rectangle(0, 1, 0, 1), one) == range(4)
    assert slices_of(rectangle(0, 1, 0, 1, depth=(10.6, 10.6)), one) == range(1, 2)
    assert slices_of(rectangle(0, 1, 0, 1, depth=(11.9, 10.5)), one) == range(1, 4)
    assert len(slices_of(rectangle(0, 1, 0, 1, depth=(20, 21)), one)) == 0


def test_planes_across_and_more_axes():
    one = scan()
    np.testing.assert_array_equal(read_plane(one, "zx", 5), one.data[:, 5])
    np.testing.assert_array_equal(read_plane(one, "zy", 7), one.data[:, :, 7])
    assert Grid.of(one, "zx") == Grid((4, 8), (0.6, 0.2), (10.0, 2.0))
    many = scan((2, 3, 4, 6, 8), "tbzyx")
    np.testing.assert_array_equal(read_plane(many, "yx", 3, {"t": 1, "b": 2}), many.data[1, 2, 3])
    np.testing.assert_array_equal(read_plane(many, "yx", 3), many.data[0, 0, 3])


def test_a_flat_scan_has_one_slice_for_every_region():
    flat = scan((6, 8), "yx", (0.1, 0.2), (1.0, 2.0))
    assert slices_of(rectangle(0, 1, 0, 1, depth=(50, 50)), flat) == range(1)
    np.testing.assert_array_equal(read_plane(flat, "yx", 0), flat.data)
    with pytest.raises(InputError, match="zx"):
        read_plane(flat, "zx", 0)


def test_complex_pixels_are_refused():
    one = Scan(np.zeros((2, 3, 3), complex), ScanInfo(name="k", axes="zyx", voxel_size=(1, 1, 1)))
    with pytest.raises(InputError, match="magnitudes"):
        read_plane(one, "yx", 0)
