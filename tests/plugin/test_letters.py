"""Letters at the canvas's edges: worked out from unit vectors written by hand."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_micromri.plugin.layers import scan_to_layer
from napari_micromri.plugin.letters import flip, letters_of, show_letters

# Rows z, y, x in RAS+: slices to the head, rows to the back, columns to the left, as radiologists look at a patient.
AXIAL = ((0.0, 0.0, 1.0), (0.0, -1.0, 0.0), (-1.0, 0.0, 0.0))


@pytest.fixture
def viewer(make_scan):
    viewer = ViewerModel()
    data, attributes, _ = scan_to_layer(make_scan(direction=AXIAL))
    viewer.add_image(data, **attributes)
    show_letters(viewer)
    return viewer


def shown(viewer) -> dict[str, str]:
    overlays = {edge: viewer.canvas.overlays[f"micromri_{edge}"] for edge in ("top", "bottom", "left", "right")}
    return {edge: overlay.text for edge, overlay in overlays.items() if overlay.visible}


def test_an_axial_slice_as_a_radiologist_sees_it(viewer):
    assert shown(viewer) == {"top": "A", "bottom": "P", "left": "R", "right": "L"}


def test_they_follow_the_order_of_the_axes(viewer):
    viewer.dims.order = (1, 0, 2)
    assert shown(viewer) == {"top": "I", "bottom": "S", "left": "R", "right": "L"}
    viewer.dims.order = (2, 1, 0)
    assert shown(viewer) == {"top": "A", "bottom": "P", "left": "I", "right": "S"}


def test_a_flip_of_the_view_turns_them_and_leaves_the_layer_alone(viewer):
    layer = viewer.layers[0]
    before, where = (
        np.array(layer.data),
        layer.affine.affine_matrix.copy(),
    )
    flip(viewer, horizontally=True)
    assert shown(viewer) == {"top": "A", "bottom": "P", "left": "L", "right": "R"}
    flip(viewer, horizontally=False)
    assert shown(viewer) == {"top": "P", "bottom": "A", "left": "L", "right": "R"}
    flip(viewer, horizontally=True)
    flip(viewer, horizontally=False)
    assert shown(viewer) == {"top": "A", "bottom": "P", "left": "R", "right": "L"}
    np.testing.assert_array_equal(layer.data, before)
    np.testing.assert_array_equal(layer.affine.affine_matrix, where)


def test_a_layer_that_is_mirrored_by_its_transform_is_lettered_as_it_is_seen(viewer):
    viewer.layers[0].scale = (0.6, 0.1, -0.1)
    assert shown(viewer) == {"top": "A", "bottom": "P", "left": "L", "right": "R"}


def test_there_are_none_where_there_is_nothing_to_say(viewer, make_scan):
    viewer.dims.ndisplay = 3
    assert shown(viewer) == {}
    viewer.dims.ndisplay = 2
    assert len(shown(viewer)) == 4
    viewer.layers[0].visible = False
    assert shown(viewer) == {}
    viewer.layers[0].visible = True
    viewer.layers[0].affine = [[1, 0, 0, 0], [0, 0.8, -0.6, 0], [0, 0.6, 0.8, 0], [0, 0, 0, 1]]
    assert shown(viewer) == {}
    viewer.layers.clear()
    assert shown(viewer) == {}
    data, attributes, _ = scan_to_layer(make_scan())
    viewer.add_image(data, **attributes)
    assert shown(viewer) == {}


def test_the_active_layer_goes_first_and_regions_take_those_of_the_scan_below(viewer, make_scan):
    sagittal = ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0), (0.0, 1.0, 0.0))
    data, attributes, _ = scan_to_layer(make_scan(direction=sagittal))
    viewer.add_image(data, **attributes)
    assert shown(viewer) == {"top": "S", "bottom": "I", "left": "P", "right": "A"}
    viewer.layers.selection.active = viewer.layers[0]
    assert shown(viewer) == {"top": "A", "bottom": "P", "left": "R", "right": "L"}
    viewer.add_shapes(ndim=3)
    assert shown(viewer) == {"top": "S", "bottom": "I", "left": "P", "right": "A"}


def test_animals_have_heads_and_feet_and_oblique_slices_two_letters(make_scan):
    data, attributes, _ = scan_to_layer(make_scan(direction=AXIAL, quadruped=True))
    layer = ViewerModel().add_image(data, **attributes)
    assert letters_of(layer, (0, 2), 3) == {0: ("F", "H"), 2: ("R", "L")}
    tilted = ((0.0, 0.6, 0.8), (0.0, -0.8, 0.6), (-1.0, 0.0, 0.0))
    data, attributes, _ = scan_to_layer(make_scan(direction=tilted))
    layer = ViewerModel().add_image(data, **attributes)
    assert letters_of(layer, (1, 2), 3) == {1: ("AI", "PS"), 2: ("R", "L")}


def test_a_series_has_letters_in_its_planes_only(make_scan):
    data, attributes, _ = scan_to_layer(make_scan((2, 3, 8, 6), "tzyx", direction=AXIAL))
    layer = ViewerModel().add_image(data, **attributes)
    assert letters_of(layer, (2, 3), 4) == {2: ("A", "P"), 3: ("R", "L")}
    assert letters_of(layer, (0, 3), 4) is None
