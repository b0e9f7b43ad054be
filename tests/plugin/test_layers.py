from __future__ import annotations

from dataclasses import replace

import dask.array as da
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from napari.components import ViewerModel
from napari.layers import Image, Labels

from napari_micromri.errors import InputError
from napari_micromri.plugin.layers import (
    METADATA_KEY,
    Placement,
    layer_to_scan,
    quick_contrast_limits,
    scan_to_layer,
)
from napari_micromri.scan import Scan, ScanInfo

lengths = st.floats(0.01, 10)
positions = st.floats(-100, 100)


def as_layer(scan: Scan) -> Image:
    data, attributes, kind = scan_to_layer(scan)
    assert kind == "image"
    return Image(data, **attributes)


@given(size=st.tuples(lengths, lengths, lengths), origin=st.tuples(positions, positions, positions))
def test_geometry_survives_the_way_to_napari_and_back(size, origin):
    info = ScanInfo(name="scan", axes="zyx", voxel_size=size, origin=origin)
    back = layer_to_scan(as_layer(Scan(np.zeros((2, 3, 4), np.float32), info))).info
    np.testing.assert_allclose(back.voxel_size, size, rtol=1e-6)
    np.testing.assert_allclose(back.origin, origin, rtol=1e-6, atol=1e-9)


def test_everything_known_of_a_scan_comes_back(make_scan):
    scan = make_scan(
        (3, 2, 8, 6),
        "bzyx",
        b_values=(0.0, 100.0, 500.0),
        subject="mouse 7",
        direction=((0, 0, 1), (0, 1, 0), (1, 0, 0)),
        provenance=({"step": "simulate"},),
    )
    assert layer_to_scan(as_layer(scan)).info == scan.info


def test_fast_and_good_scan_of_one_field_of_view_overlay_exactly(make_scan):
    fast = make_scan((3, 12, 10), voxel_size=(0.6, 0.2, 0.2), origin=(1.0, -2.0, 3.0))
    good = Scan(np.zeros((3, 24, 20), np.float32), fast.info.resampled({"y": 2, "x": 2}))
    extents = []
    for scan in (fast, good):
        layer = as_layer(scan)
        half = np.asarray(layer.scale) / 2
        extents.append(layer.extent.world + np.array([-half, half]))
    np.testing.assert_allclose(extents[0], extents[1], atol=1e-12)


def test_every_axis_of_every_layer_has_its_unit_and_label(make_scan):
    viewer = ViewerModel()
    for scan in (make_scan((2, 3, 8, 6), "bzyx"), make_scan((3, 8, 6), "zyx"), make_scan((8, 6), "yx")):
        layer = viewer.add_layer(as_layer(scan))
        assert "".join(layer.axis_labels) == scan.info.axes
    assert [str(unit) for unit in viewer.layers.units] == ["dimensionless", *["millimeter"] * 3]


@pytest.mark.parametrize(("count", "axes"), [(2, "yx"), (3, "zyx"), (4, "tzyx"), (5, "tbzyx")])
def test_a_layer_of_another_plugin_becomes_a_scan(count, axes):
    layer = Image(np.ones((2,) * count), name="mine", scale=[0.5] * count, translate=[3.0] * count)
    info = layer_to_scan(layer).info
    assert (info.name, info.axes) == ("mine", axes)
    assert info.voxel_size == (0.5,) * len(info.spatial)
    assert info.origin == (3.0,) * len(info.spatial)


def test_lengths_are_brought_to_mm():
    layer = Image(np.ones((2, 3, 4)), scale=(600, 100, 50), translate=(1000, 0, 0), units="um")
    info = layer_to_scan(layer).info
    np.testing.assert_allclose(info.voxel_size, (0.6, 0.1, 0.05))
    np.testing.assert_allclose(info.origin, (1, 0, 0))


def test_a_voxel_size_that_stands_in_affine_alone_is_read():
    affine = np.diag([0.6, 0.1, 0.1, 1.0])
    affine[:3, 3] = 5.0, -2.0, 1.0
    layer = Image(np.ones((2, 3, 4)), affine=affine, units="mm")
    info = layer_to_scan(layer).info
    np.testing.assert_allclose(info.voxel_size, (0.6, 0.1, 0.1))
    np.testing.assert_allclose(info.origin, (5.0, -2.0, 1.0))
    placement = Placement.of_layer(layer.as_layer_data_tuple()[1], layer_to_scan(layer))
    assert (placement.scale, placement.translate) == (info.voxel_size, info.origin)


@pytest.mark.filterwarnings("ignore:Non-orthogonal")  # napari's, about how it draws permuted axes
@given(
    order=st.permutations(range(3)),
    signs=st.tuples(*[st.sampled_from((-1, 1))] * 3),
    size=st.tuples(lengths, lengths, lengths),
    moved=st.tuples(positions, positions, positions),
    unit=st.sampled_from(("mm", "um")),
)
def test_every_grid_along_the_axes_is_read_where_it_is_drawn(order, signs, size, moved, unit):
    data = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    affine = np.eye(4)
    affine[:3, :3] = np.eye(3)[list(order)] * signs
    affine[:3, 3] = moved
    # The affine is smaller than the layer: napari lets it leave time alone.
    layer = Image(np.stack([data, data + 100]), scale=(1, *size), translate=(0, 1, 2, 3), affine=affine, units=unit)
    scan = layer_to_scan(layer)
    assert scan.info.axes == "tzyx"
    mm = 1 if unit == "mm" else 1e-3
    for index in np.ndindex(scan.shape):
        world = [
            index[0],
            *(o + k * s for o, k, s in zip(scan.info.origin, index[1:], scan.info.voxel_size, strict=True)),
        ]
        at = np.round(layer.world_to_data([world[0], *(np.array(world[1:]) / mm)])).astype(int)
        assert scan.data[index] == layer.data[tuple(at)]


def test_a_lazy_image_that_is_mirrored_stays_lazy():
    layer = Image(da.ones((2, 8, 8), chunks=(1, 8, 8)), scale=(-0.6, 0.1, 0.1))
    scan = layer_to_scan(layer)
    assert isinstance(scan.data, da.Array)
    np.testing.assert_allclose(scan.info.origin, (-0.6, 0, 0))


def test_what_the_person_changed_on_the_layer_wins(make_scan):
    layer = as_layer(make_scan(subject="mouse 7"))
    layer.name, layer.scale, layer.translate = "renamed", (1, 0.3, 0.3), (5, 6, 7)
    info = layer_to_scan(layer).info
    assert (info.name, info.subject) == ("renamed", "mouse 7")
    assert (info.voxel_size, info.origin) == ((1.0, 0.3, 0.3), (5.0, 6.0, 7.0))


def test_metadata_that_no_longer_fits_the_data_is_left_out(make_scan):
    info = make_scan((3, 2, 8, 6), "bzyx", b_values=(0.0, 100.0, 500.0)).info
    kept = layer_to_scan(Image(np.ones((2, 2, 8, 6)), metadata={METADATA_KEY: info})).info
    assert (kept.axes, kept.b_values) == ("bzyx", None)
    assert layer_to_scan(Image(np.ones((8, 6)), metadata={METADATA_KEY: info})).info.axes == "yx"


def test_a_multiscale_layer_gives_its_finest_level():
    levels = [np.ones((2, 16, 16)), np.ones((2, 8, 8))]
    assert layer_to_scan(Image(levels, multiscale=True)).shape == (2, 16, 16)


class Lazy:
    """An array that is neither NumPy's nor dask's."""

    def __init__(self, shape):
        self.shape, self.ndim, self.dtype, self.read = shape, len(shape), np.dtype(np.float32), 0

    def __getitem__(self, index):
        self.read += 1
        return np.ones(self.shape, self.dtype)[index]


def test_an_array_of_another_library_stays_lazy():
    class Layer:
        def __init__(self):
            self.data = Lazy((4, 6, 6))

        def as_layer_data_tuple(self):
            return self.data, {"name": "lazy"}, "image"

    layer = Layer()
    scan = layer_to_scan(layer)
    assert layer.data.read == 0
    assert np.asarray(scan.data[1]).shape == (6, 6)


@pytest.mark.parametrize(
    ("layer", "says"),
    [
        (lambda: Labels(np.ones((4, 4), int), name="L"), "'L' is a labels layer. Choose an image layer."),
        (lambda: Image(np.ones((4, 4, 3)), rgb=True, name="L"), "'L' is a colour picture"),
        (lambda: Image(np.ones((4, 4)), rotate=30, name="L"), "'L' is rotated or sheared"),
        (lambda: Image(np.ones((4, 4)), shear=[0.5], name="L"), "'L' is rotated or sheared"),
        (lambda: Image(np.ones((4, 4)), affine=[[1, 0.5, 0], [0, 1, 0], [0, 0, 1]], name="L"), "rotated or sheared"),
        (lambda: Image(np.ones((4, 4)), affine=[[1, 0, 0], [1, 0, 0], [0, 0, 1]], name="L"), "rotated or sheared"),
        (lambda: Image(np.ones((2, 2, 4, 4)), scale=(-1, 1, 1, 1), name="L"), "moves time"),
        (lambda: Image(np.ones((2,) * 6), name="L"), "'L' has 6 dimensions"),
        (lambda: Image(np.ones((4, 4)), axis_labels=("x", "y"), name="L"), "order zyx"),
    ],
)
def test_what_is_no_scan_is_refused_in_a_sentence(layer, says):
    with pytest.raises(InputError, match=says):
        layer_to_scan(layer())


def test_contrast_limits_leave_outliers_out_and_need_only_three_slices():
    read = []

    def block(block_info=None):
        read.append(1)
        image = np.random.default_rng(0).normal(100, 10, (1, 64, 64))
        image[0, 0, 0] = 1e6
        return image

    data = da.map_blocks(block, chunks=((1,) * 1000, (64,), (64,)), dtype=float, meta=np.empty((0, 0, 0)))
    low, high = quick_contrast_limits(data)
    assert 60 < low < 80
    assert 120 < high < 140
    assert len(read) <= 4


@pytest.mark.parametrize(
    ("image", "limits"),
    [(np.full((4, 4), np.nan), (0, 1)), (np.full((4, 4), 7), (7, 8)), (np.zeros((0, 4, 4)), (0, 1))],
)
def test_contrast_limits_of_images_without_contrast(image, limits):
    assert quick_contrast_limits(image) == limits


def test_a_point_of_the_viewer_finds_its_element():
    placement = Placement("tzyx", ("dimensionless", *["micrometer"] * 3), (2, 600, 100, 100), (0, 1200, 0, 0))
    shape = (5, 10, 20, 20)
    at = placement.indices_at((4, 1200 + 3 * 600, 510, 0), None, shape)
    assert at == {"t": 2, "z": 3, "y": 5, "x": 0}
    in_mm = placement.indices_at((9, 4, 3.0, 0.51, 5), ("dimensionless", "dimensionless", *["millimeter"] * 3), shape)
    assert in_mm == {"t": 2, "z": 3, "y": 5, "x": 19}
    assert placement.indices_at((0, -99, 0, 0), None, shape)["z"] == 0
    assert placement.indices_at((0.5, 0.5), None, shape)["z"] == 0


def test_a_result_lies_over_its_input_whatever_units_that_has(make_scan):
    layer = Image(np.ones((4, 3, 8, 8)), scale=(2, 600, 100, 100), translate=(10, 0, 50, 50), units=("s", *["um"] * 3))
    scan = layer_to_scan(layer)
    placement = Placement.of_layer(layer.as_layer_data_tuple()[1], scan)
    fine = replace(scan.info.resampled({"y": 2, "x": 2}), origin=(0.6, 0.025, 0.025))
    over = placement.with_info(fine, {"t": 3, "z": 1})
    np.testing.assert_allclose(over.scale, (2, 600, 50, 50))
    np.testing.assert_allclose(over.translate, (16, 600, 25, 25))
