from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from napari.layers import Shapes

from napari_micromri.errors import InputError
from napari_micromri.measure.roi import Roi
from napari_micromri.plugin.roi_layers import (
    COLOURS,
    complete_names,
    named,
    next_name,
    read_rois,
    roi_layer,
    roi_to_shapes,
)
from napari_micromri.scan import Scan, ScanInfo

CORNERS = ((1.0, 2.0), (1.0, 3.5), (2.5, 3.5), (2.5, 2.0))


@pytest.fixture
def scan():
    info = ScanInfo(name="s", axes="tzyx", voxel_size=(0.6, 0.1, 0.1), origin=(5.0, 0.05, 0.05))
    return Scan(np.zeros((2, 4, 50, 60), np.float32), info)


def layer_of(scan, rois=()):
    data, attributes, kind = roi_layer(scan, rois)
    assert kind == "shapes"
    return Shapes(data or None, **attributes)


def test_regions_come_back_as_they_were(scan):
    rois = (
        Roi("Tumour", CORNERS, depth=(5.6, 5.6)),
        Roi("air", CORNERS, kind="background", shape="ellipse", depth=(6.8, 6.8)),
        Roi("rim", CORNERS[:3], shape="polygon", depth=(5.0, 5.0)),
        Roi("across", ((5.6, 1.0), (5.6, 2.0), (6.2, 2.0), (6.2, 1.0)), axes="zx", depth=(2.05, 2.05)),
    )
    layer = layer_of(scan, rois)
    assert layer.ndim == 3
    found = read_rois(layer)
    assert found.problems == ()
    for before, after in zip(rois, found.usable, strict=True):
        assert (after.name, after.kind, after.shape, after.axes) == (
            before.name,
            before.kind,
            before.shape,
            before.axes,
        )
        np.testing.assert_allclose(after.vertices, before.vertices, atol=1e-5)
        np.testing.assert_allclose(after.depth, before.depth, atol=1e-5)
    assert layer.edge_color[0].tolist() != layer.edge_color[1].tolist()


def test_a_region_over_slices_becomes_a_shape_on_each(scan):
    layer = layer_of(scan, [Roi("a", CORNERS)])
    assert [data[0, 0] for data in layer.data] == [0, 1, 2, 3]
    assert list(layer.features["name"]) == ["a"] * 4


def test_a_flat_scan(scan):
    flat = Scan(np.zeros((50, 60)), ScanInfo(name="f", axes="yx", voxel_size=(0.1, 0.1)))
    [roi] = read_rois(layer_of(flat, [Roi("a", CORNERS, depth=(9, 9))])).usable
    assert roi.depth is None
    np.testing.assert_allclose(roi.vertices, CORNERS, atol=1e-6)
    line = Scan(np.zeros(5), ScanInfo(name="l", axes="z", voxel_size=(1.0,)))
    with pytest.raises(InputError, match="no slices"):
        roi_layer(line)


def test_what_is_no_region_is_named_and_left_out(scan):
    layer = layer_of(scan, [Roi("a", CORNERS, depth=(5.6, 5.6))])
    layer.add([[1, 1, 1], [1, 5, 5]], shape_type="line")
    layer.add([[1, 1, 1], [1, 5, 5], [1, 9, 2]], shape_type="path")
    layer.add([[1, 1, 1], [1, 5, 5]], shape_type="line")
    layer.add([[1, 3, 3], [1, 3, 8], [1, 3, 8], [1, 3, 3]], shape_type="rectangle")
    layer.add([[0, 3, 3], [0, 3, 8], [3, 7, 8], [3, 7, 3]], shape_type="polygon")
    found = read_rois(layer)
    assert [roi is not None for roi in found.rois] == [True, False, False, False, False, False]
    text = " ".join(found.problems)
    assert "2 shapes of type line" in text
    assert "1 path" in text
    assert "is empty" in text
    assert "several slices" in text


def test_a_layer_without_our_features_and_of_other_units():
    layer = Shapes([[[2, 10, 20], [2, 10, 40], [2, 30, 40], [2, 30, 20]]], scale=(600, 100, 100), units=("um",) * 3)
    [roi] = read_rois(layer).usable
    assert (roi.name, roi.kind, roi.axes) == ("ROI", "roi", "yx")
    assert roi.depth == pytest.approx((1.2, 1.2))
    np.testing.assert_allclose(roi.box, ((1.0, 3.0), (2.0, 4.0)))


def test_layers_of_other_dimensions_are_refused():
    with pytest.raises(InputError, match="not 4"):
        read_rois(Shapes(ndim=4))


def test_what_is_new_gets_a_name_of_its_own(scan):
    layer = layer_of(scan, [Roi("ROI 1", CORNERS, depth=(5.0, 5.0)), Roi("", CORNERS, depth=(5.0, 5.0))])
    assert complete_names(layer, [1]) == ["ROI 1", "ROI 2"]
    twin = layer_of(scan, [Roi("liver", CORNERS, depth=(5.0, 5.0)), Roi("liver", CORNERS, depth=(5.0, 5.0))])
    assert complete_names(twin, [1]) == ["liver", "ROI 1"]
    other_slice = layer_of(scan, [Roi("liver", CORNERS, depth=(5.0, 5.0)), Roi("liver", CORNERS, depth=(5.6, 5.6))])
    assert complete_names(other_slice, [1]) == ["liver", "liver"]
    assert next_name("background", {"background 1", "background 3"}) == "background 2"


def test_strange_features_are_read_as_regions(scan):
    layer = layer_of(scan, [Roi("a", CORNERS, depth=(5.0, 5.0)), Roi("b", CORNERS, depth=(5.0, 5.0))])
    layer.features = {"name": [None, "7"], "kind": ["background", "lesion"]}
    assert named(layer) == (["", "7"], ["background", "roi"])
    layer.text = None
    layer.features = {}
    assert named(layer) == (["", ""], ["roi", "roi"])


def test_colours_are_told_apart():
    assert len(set(COLOURS.values())) == 2


def test_moving_the_layer_moves_the_regions(scan):
    layer = layer_of(scan, [Roi("a", CORNERS, depth=(5.0, 5.0))])
    layer.translate = layer.translate + np.array([0.6, 1.0, 0.0])
    [roi] = read_rois(layer).usable
    expected = replace(roi, vertices=tuple((y + 1.0, x) for y, x in CORNERS), depth=(5.6, 5.6))
    np.testing.assert_allclose(roi.vertices, expected.vertices, atol=1e-5)
    np.testing.assert_allclose(roi.depth, expected.depth, atol=1e-5)


def drawn(layer, k=0):
    """Where napari draws a shape: the outline in the viewer's coordinates."""
    return np.array([layer.data_to_world(corner) for corner in layer.data[k]])


@pytest.mark.parametrize("turned", ["moved", "scaled", "rotated", "sheared", "swapped", "in um"])
def test_a_region_is_read_where_it_is_drawn(scan, turned):
    layer = layer_of(scan, [Roi("a", CORNERS, depth=(5.6, 5.6))])
    affine = np.eye(4)
    affine[:3, 3] = 0.6, 1.0, -0.5
    angle = np.radians(30)
    affine[1:3, 1:3] = {
        "scaled": np.diag([2.0, 3.0]),
        "rotated": [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]],
        "sheared": [[1, 0.4], [0, 1]],
        "swapped": [[0, 1], [-1, 0]],
    }.get(turned, np.eye(2))
    layer.affine = affine
    mm = 1.0
    if turned == "in um":
        layer.units, mm = "um", 1e-3
    [roi] = read_rois(layer).usable
    np.testing.assert_allclose(roi.vertices, mm * drawn(layer)[:, 1:], atol=1e-9)
    np.testing.assert_allclose(roi.depth, [mm * 6.2] * 2)


@given(
    angle=st.floats(-3, 3),
    sizes=st.tuples(st.floats(0.2, 5), st.floats(0.2, 5)),
    shear=st.floats(-0.9, 0.9),
    shift=st.tuples(*[st.floats(-20, 20)] * 3),
)
def test_regions_lie_where_any_transform_in_the_plane_puts_them(angle, sizes, shear, shift):
    info = ScanInfo(name="s", axes="zyx", voxel_size=(0.6, 0.1, 0.1), origin=(5.0, 0.05, 0.05))
    layer = layer_of(Scan(np.zeros((4, 50, 60), np.float32), info), [Roi("a", CORNERS, depth=(5.6, 5.6))])
    cos, sin = np.cos(angle), np.sin(angle)
    plane = np.array([[cos, -sin], [sin, cos]]) @ np.array([[1, shear], [0, 1]]) @ np.diag(sizes)
    affine = np.eye(4)
    affine[1:3, 1:3], affine[:3, 3] = plane, shift
    layer.affine = affine
    [roi] = read_rois(layer).usable
    np.testing.assert_allclose(roi.vertices, np.array(CORNERS) @ plane.T + shift[1:], atol=1e-3)
    np.testing.assert_allclose(roi.depth, [5.6 + shift[0]] * 2, atol=1e-3)


def test_a_layer_that_leans_out_of_the_slice_is_no_region(scan):
    layer = layer_of(scan, [Roi("a", CORNERS, depth=(5.6, 5.6))])
    affine = np.eye(4)
    affine[0, 1] = 0.5
    layer.affine = affine
    found = read_rois(layer)
    assert found.usable == ()
    assert "several slices" in found.problems[0]


def test_regions_added_to_a_moved_layer_are_drawn_where_they_belong(scan):
    layer = layer_of(scan)
    affine = np.eye(4)
    affine[:3, 3] = 0.2, 1.0, -0.5
    layer.affine = affine
    roi = Roi("a", CORNERS, depth=(5.6, 5.6))
    [(shape, corners, _)] = roi_to_shapes(roi, scan, layer)
    assert corners[0, 0] == round(corners[0, 0])
    layer.add(corners, shape_type=shape)
    np.testing.assert_allclose(drawn(layer)[:, 1:], CORNERS, atol=1e-5)
    assert abs(drawn(layer)[0, 0] - 5.6) <= 0.3 + 1e-9
    with pytest.raises(InputError, match="2 dimensions"):
        roi_to_shapes(roi, scan, Shapes(ndim=2))
