from __future__ import annotations

from dataclasses import replace

import dask.array as da
import numpy as np
import pytest
from napari.layers import Image

from napari_micromri.inference import DenoiseOptions
from napari_micromri.plugin.denoising import (
    DenoiseResult,
    request_of_layer,
    residual,
    result_layers,
    result_name,
    run_request,
    slice_axes,
    symmetric_limit,
    uncertainty_path,
)
from napari_micromri.plugin.layers import scan_to_layer
from napari_micromri.scan import Scan
from napari_micromri.simulation.resampling import upsample


def as_layer(scan, **more):
    data, attributes, _ = scan_to_layer(scan)
    return Image(data, **(attributes | more))


def finer(scan, data, axes="yx"):
    return Scan(data, scan.info.resampled(dict.fromkeys(axes, 2)))


def test_a_request_is_a_snapshot_of_the_layer(make_scan):
    layer = as_layer(make_scan(name="fast"), contrast_limits=(10, 500))
    request = request_of_layer(layer)
    layer.name, layer.contrast_limits = "changed", (0, 1)
    assert (request.title, request.contrast_limits) == ("Denoising fast", (10, 500))


@pytest.mark.parametrize(
    ("taken", "name"),
    [
        (None, "fast [unet-default]"),
        ({"steps": 1, "draws": 1, "eta": 0.0, "seed": 0}, "fast [unet-default, 1 step]"),
        ({"steps": 5, "draws": 8, "eta": 1.0, "seed": 3}, "fast [unet-default, 5 steps, 8 draws, seed 3]"),
        ({"steps": 20, "draws": 1, "eta": 0.15, "seed": 0}, "fast [unet-default, 20 steps, seed 0]"),
    ],
)
def test_a_result_is_named_by_how_it_was_made(make_scan, taken, name):
    scan = make_scan(name="fast")
    step = {"step": "denoise"} | ({"sampling": taken} if taken else {})
    assert result_name(request_of_layer(as_layer(scan)), Scan(scan.data, scan.info.with_step(step))) == name


def test_the_result_compares_fairly_and_lies_over_its_input(make_scan):
    scan = make_scan(name="fast", origin=(1.0, 2.0, 3.0))
    request = request_of_layer(as_layer(scan, contrast_limits=(10, 500)))
    [(data, attributes, kind)] = result_layers(request, DenoiseResult(finer(scan, np.zeros((3, 48, 40)))))
    result = Image(data, **attributes)
    assert (kind, result.name, result.contrast_limits) == ("image", "fast [unet-default]", [10, 500])
    np.testing.assert_allclose(result.scale, (0.6, 0.05, 0.05))
    np.testing.assert_allclose(result.translate, (1.0, 1.975, 2.975))


def test_one_time_point_is_shown_at_its_own_time(make_scan):
    scan = make_scan((4, 3, 8, 6), "tzyx")
    request = replace(request_of_layer(as_layer(scan)), select={"t": range(2, 3)})
    one = Scan(np.zeros((1, 3, 16, 12)), scan.info.resampled({"y": 2, "x": 2}))
    [(_, attributes, _)] = result_layers(request, DenoiseResult(one))
    assert attributes["translate"][0] == 2


def test_the_residual_is_input_minus_result(make_scan):
    scan = make_scan()
    result = finer(scan, np.full((3, 48, 40), 5, np.float32))
    found = residual(scan, result, {}, "z")
    assert isinstance(found.data, da.Array)
    np.testing.assert_allclose(np.asarray(found.data), upsample(scan.read(), (48, 40)) - 5, atol=1e-3)
    assert found.info.voxel_size == result.info.voxel_size


@pytest.mark.parametrize(
    ("axes", "shape", "select", "slice_axis", "fine"),
    [
        ("yx", (8, 6), {}, "z", (16, 12)),
        ("zyx", (5, 8, 6), {"z": range(2, 4)}, "z", (2, 16, 12)),
        ("zyx", (4, 5, 6), {"y": range(1, 2)}, "y", (8, 1, 12)),
        ("bzyx", (3, 4, 8, 6), {"b": range(1, 2), "z": range(3, 4)}, "z", (1, 1, 16, 12)),
    ],
)
def test_the_residual_takes_the_slices_that_were_denoised(make_scan, axes, shape, select, slice_axis, fine):
    scan = make_scan(shape, axes)
    chosen = scan.data[tuple(slice(select[a].start, select[a].stop) if a in select else slice(None) for a in axes)]
    plane = [k for k, axis in enumerate(axes) if axis in scan.info.spatial and axis != slice_axis]
    moved = np.moveaxis(chosen, plane, (-2, -1))
    exact = np.moveaxis(upsample(moved, tuple(2 * n for n in moved.shape[-2:])), (-2, -1), plane)
    result = Scan(exact, scan.info.resampled({axes[k]: 2 for k in plane}))
    found = residual(scan, result, select, slice_axis)
    assert found.shape == fine
    np.testing.assert_allclose(np.asarray(found.data), 0, atol=1e-3)


def test_the_residual_of_a_stopped_run_is_as_short_as_its_result(make_scan):
    scan = make_scan((5, 8, 6))
    part = Scan(upsample(scan.data[1:3], (16, 12)), scan.info.resampled({"y": 2, "x": 2}))
    found = residual(scan, part, {"z": range(1, 5)}, "z")
    np.testing.assert_allclose(np.asarray(found.data), 0, atol=1e-3)


def test_residual_layers_have_one_limit_for_both_signs(make_scan):
    scan = make_scan()
    request = request_of_layer(as_layer(scan))
    result = finer(scan, np.zeros((3, 48, 40), np.float32))
    removed = residual(scan, result, {}, "z")
    layers = result_layers(request, DenoiseResult(result, removed, 12.5))
    assert [attributes["name"] for _, attributes, _ in layers] == [
        "test scan [unet-default] residual",
        "test scan [unet-default]",
    ]
    assert layers[0][1]["contrast_limits"] == (-12.5, 12.5)


@pytest.mark.parametrize(("data", "limit"), [(np.array([[-3.0, 1.0]]), 3), (np.zeros((4, 4)), 1)])
def test_the_limit_of_a_residual_covers_the_larger_sign(data, limit):
    assert symmetric_limit(data) == pytest.approx(limit, rel=0.05)


@pytest.mark.parametrize(("axes", "expected"), [("zyx", ("z", "y", "x")), ("yx", ("z",)), ("zx", ("y",))])
def test_slices_are_stacked_along_what_is_not_in_the_plane(make_scan, axes, expected):
    assert slice_axes(make_scan((3, 4, 5)[-len(axes) :], axes)) == expected


def test_a_run_passes_on_what_was_asked_for(make_scan, monkeypatch, tmp_path):
    calls = []

    def denoise(scan, model, options, **how):
        calls.append((model, options, how))
        return Scan(scan.data[1:2], scan.info)

    def denoise_to_file(scan, model, path, options, **how):
        from napari_micromri.io import save_scan

        calls.append((model, options, how))
        return save_scan(Scan(scan.data[1:2], scan.info), path)

    monkeypatch.setattr("napari_micromri.inference.denoise", denoise)
    monkeypatch.setattr("napari_micromri.inference.denoise_to_file", denoise_to_file)
    scan = make_scan()
    request = replace(request_of_layer(as_layer(scan)), select={"z": range(1, 2)}, device="cpu", keep_finished=True)
    assert run_request(request).scan is not None
    to_file = run_request(replace(request, path=tmp_path / "out.ome.zarr"))
    assert isinstance(to_file.scan.data, da.Array)
    np.testing.assert_array_equal(to_file.scan.read(), scan.data[1:2])
    for model, options, how in calls:
        assert (model, options) == ("unet-default", DenoiseOptions(select={"z": range(1, 2)}, device="cpu"))
        assert how["keep_finished"]


@pytest.mark.parametrize(("draws", "of"), [(8, "SD"), (None, "90 % of errors"), (1, "90 % of errors")])
def test_the_uncertainty_is_a_layer_of_its_own_below_the_result(make_scan, draws, of):
    scan = make_scan(name="fast")
    spread = finer(scan, np.linspace(0, 5, 3 * 48 * 40).reshape(3, 48, 40))
    result = DenoiseResult(finer(scan, np.zeros((3, 48, 40))), uncertainty=spread, uncertainty_limit=4.5)
    layers = [
        Image(data, **attributes)
        for data, attributes, _ in result_layers(replace(request_of_layer(as_layer(scan)), draws=draws), result)
    ]
    assert [layer.name for layer in layers] == [f"fast [unet-default] uncertainty ({of})", "fast [unet-default]"]
    assert (layers[0].colormap.name, layers[0].visible, layers[0].contrast_limits) == ("inferno", False, [0, 4.5])
    assert layers[0].units == layers[1].units
    np.testing.assert_allclose(layers[0].scale, layers[1].scale)


@pytest.mark.parametrize(
    ("name", "beside"),
    [("a.ome.zarr", "a_uncertainty.ome.zarr"), ("b.zarr", "b_uncertainty.zarr"), ("c", "c_uncertainty")],
)
def test_the_uncertainty_is_saved_beside_the_result(tmp_path, name, beside):
    assert uncertainty_path(tmp_path / name) == tmp_path / beside


def test_steps_draws_and_the_map_are_passed_on(make_scan, monkeypatch):
    calls = []

    def sampled(scan, model, options, **how):
        calls.append(options)
        return scan, Scan(np.full(scan.shape, 3.0), scan.info)

    monkeypatch.setattr("napari_micromri.inference.denoise_with_uncertainty", sampled)
    request = replace(request_of_layer(as_layer(make_scan())), steps=5, draws=8, uncertainty=True)
    result = run_request(request)
    assert [(options.steps, options.draws) for options in calls] == [(5, 8)]
    assert result.uncertainty.read().max() == 3
    assert result.uncertainty_limit == 4  # of a constant image
    assert result.trust.total == result.scan.shape[0]
