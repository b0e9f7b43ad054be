"""Steps, draws and the uncertainty map, from the options to the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from apddm_samples import random_apddm
from napari_micromri.errors import CancelledError, InputError, OutputExistsError, WriteError
from napari_micromri.inference import DenoiseOptions, denoise, denoise_to_file, denoise_with_uncertainty
from napari_micromri.inference.sampling import resolve_noise, resolve_sampling
from napari_micromri.io import open_scan
from napari_micromri.nn.error_table import ErrorTable
from napari_micromri.nn.families.apddm.restorer import ApddmRestorer
from napari_micromri.nn.restorer import Noise, Sampling

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_micromri.nn.plain_restorer import PlainRestorer
    from napari_micromri.scan import Scan

    MakeScan = Callable[..., Scan]

T = TypeVar("T")


@pytest.fixture
def apddm() -> ApddmRestorer:
    """Give a diffusion model of random weights that changes its input clearly."""
    return random_apddm(4, 8)


def options(**chosen: Any) -> DenoiseOptions:
    return DenoiseOptions(**({"device": "cpu", "precision": "float32", "draws": 3, "seed": 4} | chosen))


@pytest.mark.parametrize(("axes", "shape"), [("yx", (8, 6)), ("zyx", (4, 8, 6)), ("bzyx", (2, 3, 8, 6))])
def test_the_uncertainty_lies_where_the_result_does(
    make_scan: MakeScan, apddm: ApddmRestorer, axes: str, shape: tuple[int, ...]
) -> None:
    scan = make_scan(shape, axes, b_values=(0.0, 500.0) if "b" in axes else None)
    result, uncertainty = denoise_with_uncertainty(scan, apddm, options())
    assert result.shape == uncertainty.shape
    assert (uncertainty.info.voxel_size, uncertainty.info.origin) == (result.info.voxel_size, result.info.origin)
    assert uncertainty.read().min() >= 0
    assert uncertainty.read().max() > 0
    assert uncertainty.info.name.endswith("[tiny, 5 steps, 3 draws, seed 4] uncertainty")
    assert uncertainty.info.provenance[-1]["step"] == "uncertainty"
    assert result.info.provenance[-1]["sampling"] == {"steps": 5, "draws": 3, "eta": 1.0, "seed": 4}


@pytest.mark.parametrize(
    ("chosen", "most", "expected"),
    [
        ({}, 8, (1, 1, 0.0)),
        ({"steps": 8}, 8, (8, 1, 0.0)),
        ({"steps": 8, "eta": 0.25}, 8, (8, 1, 0.25)),
        ({"draws": 3}, 8, (5, 3, 1.0)),
        ({"draws": 3}, 3, (3, 3, 1.0)),
        ({"draws": 3, "steps": 2, "eta": 0.5}, 8, (2, 3, 0.5)),
    ],
)
def test_what_is_left_open_is_filled_in(
    apddm: ApddmRestorer, chosen: dict[str, Any], most: int, expected: tuple[int, int, float]
) -> None:
    apddm.most_steps = most
    found = resolve_sampling(apddm, DenoiseOptions(**chosen))
    assert found == Sampling(steps=expected[0], draws=expected[1], eta=expected[2], seed=0)


@pytest.mark.parametrize("strength", [0.25, 4.0])
def test_the_strength_has_its_bounds(apddm: ApddmRestorer, monkeypatch: pytest.MonkeyPatch, strength: float) -> None:
    monkeypatch.setattr(ApddmRestorer, "takes_noise", True)
    assert resolve_noise(apddm, DenoiseOptions(strength=strength, noise=7.0)) == Noise(7.0, strength)
    beyond = strength * 1.01 if strength > 1 else strength / 1.01
    with pytest.raises(InputError, match=r"0\.25 .*4"):
        resolve_noise(apddm, DenoiseOptions(strength=beyond))


def test_the_seed_decides_and_the_batch_does_not(make_scan: MakeScan, apddm: ApddmRestorer) -> None:
    scan = make_scan((5, 8, 6))
    first = denoise(scan, apddm, options()).read()
    for size in (1, 2, 7, 16):
        assert_allclose(denoise(scan, apddm, options(batch_size=size)).read(), first, rtol=1e-3, atol=1e-2)
    assert not np.allclose(denoise(scan, apddm, options(seed=5)).read(), first, rtol=1e-3, atol=1e-2)


def test_a_part_of_a_scan_gets_the_draws_of_the_whole(make_scan: MakeScan, apddm: ApddmRestorer) -> None:
    scan = make_scan((2, 4, 8, 6), "bzyx", b_values=(0.0, 500.0))
    whole = denoise(scan, apddm, options()).read()
    part = denoise(scan, apddm, options(select={"b": range(1, 2), "z": range(2, 4)})).read()
    assert_allclose(part, whole[1:, 2:], rtol=1e-3, atol=1e-2)
    across = denoise(scan, apddm, options(slice_axis="y", select={"y": range(3, 5)})).read()
    assert_allclose(across, denoise(scan, apddm, options(slice_axis="y")).read()[:, :, 3:5], rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("endings", [(".ome.zarr", ".zarr"), (".nii.gz", ".nii"), (".ome.zarr", ".nii.gz")])
def test_both_go_to_files(make_scan: MakeScan, apddm: ApddmRestorer, tmp_path: Path, endings: tuple[str, str]) -> None:
    scan = make_scan((3, 8, 6))
    paths = [tmp_path / f"{name}{ending}" for name, ending in zip(("mean", "sd"), endings, strict=True)]
    assert denoise_to_file(scan, apddm, paths[0], options(), uncertainty=paths[1]) == paths[0]
    for path, expected in zip(paths, denoise_with_uncertainty(scan, apddm, options()), strict=True):
        found = open_scan(path)[0]
        assert_allclose(found.read(), expected.read(), rtol=1e-5, atol=1e-4)
        assert found.info.provenance == expected.info.provenance


def test_holes_are_holes_in_both(make_scan: MakeScan, apddm: ApddmRestorer) -> None:
    scan = make_scan((2, 8, 6))
    values = scan.read().astype(np.float32)
    values[1, 2, 3] = np.nan
    for result in denoise_with_uncertainty(type(scan)(values, scan.info), apddm, options()):
        gaps = np.isnan(result.read())
        assert gaps[1, 4:6, 6:8].all()
        assert gaps.sum() == 4


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"steps": 9}, "takes 1 to 8 steps, not 9"),
        ({"steps": 0, "draws": 1}, "takes 1 to 8 steps, not 0"),
        ({"draws": 0}, "1 to 1000 draws, not 0"),
        ({"eta": 1.5}, "between 0 and 1, not 1.5"),
        ({"eta": float("nan")}, "between 0 and 1"),
        ({"seed": -1}, "A seed is a whole number"),
        ({"steps": 1}, "In one step all draws are alike"),
    ],
    ids=str,
)
def test_senseless_wishes_are_refused(
    make_scan: MakeScan, apddm: ApddmRestorer, wish: dict[str, float], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        denoise(make_scan((2, 8, 6)), apddm, options(**wish))


def errors(**changes: Any) -> ErrorTable:
    """Say that 90 % of the errors lie within a tenth of a slice's mean."""
    content = {"coverage": 0.9, "noise": [1.0], "edge": [1.0], "signal": [1.0], "widths": [[[0.1]]]}
    return ErrorTable.model_validate(content | changes)


def with_errors(restorer: T) -> T:
    """Let a model say how large its errors are."""
    restorer.spec = restorer.spec.model_copy(update={"errors": errors()})
    return restorer


def test_without_draws_the_model_s_own_figure_is_the_uncertainty(make_scan: MakeScan, restorer: PlainRestorer) -> None:
    scan = make_scan((2, 8, 6))
    values = scan.read().copy()
    values[1] *= 3
    values[0, 2, 3] = np.nan
    scan = type(scan)(values, scan.info)
    result, width = denoise_with_uncertainty(scan, with_errors(restorer), DenoiseOptions(device="cpu"))
    assert_allclose(result.read(), denoise(scan, restorer, DenoiseOptions(device="cpu")).read())
    assert_allclose(width.read()[1], 0.1 * values[1].mean(), rtol=1e-5)
    assert np.isnan(width.read()[0, 4:6, 6:8]).all()
    assert width.info.provenance[-1]["of"] == "half width that 90% of the errors lie within"


def test_textured_results_have_no_such_figure(make_scan: MakeScan, apddm: ApddmRestorer) -> None:
    for wish in ({"draws": None}, {"draws": None, "steps": 3}):
        with pytest.raises(InputError):
            denoise_with_uncertainty(make_scan((2, 8, 6)), apddm, options(**wish))
    with pytest.raises(InputError, match="1 step"):
        denoise_with_uncertainty(make_scan((2, 8, 6)), with_errors(apddm), options(draws=None, steps=3))
    assert denoise_with_uncertainty(make_scan((2, 8, 6)), apddm, options(draws=None))[1].read().max() > 0


@pytest.mark.parametrize(
    ("wish", "names"),
    [
        ({"steps": 5}, "no steps"),
        ({"draws": 2, "eta": 0.1}, "no draws or eta"),
        ({"seed": 0}, "no seed"),
    ],
)
def test_a_unet_refuses_what_means_nothing_to_it(
    make_scan: MakeScan, restorer: Any, wish: dict[str, Any], names: str
) -> None:
    with pytest.raises(InputError, match=names):
        denoise(make_scan((2, 8, 6)), restorer, DenoiseOptions(device="cpu", **wish))
    with pytest.raises(InputError, match="calibrate"):
        denoise_with_uncertainty(make_scan((2, 8, 6)), restorer, DenoiseOptions(device="cpu"))
    once = DenoiseOptions(device="cpu", steps=1, draws=1)
    assert denoise(make_scan((2, 8, 6)), restorer, once).shape == (2, 16, 12)


def test_outputs_that_cannot_be_are_refused_before_the_work(
    make_scan: MakeScan, apddm: ApddmRestorer, tmp_path: Path
) -> None:
    scan, path = make_scan((2, 8, 6)), tmp_path / "out.ome.zarr"
    with pytest.raises(WriteError, match="both"):
        denoise_to_file(scan, apddm, path, options(), uncertainty=path)
    with pytest.raises(WriteError, match="file extension"):
        denoise_to_file(scan, apddm, path, options(), uncertainty=tmp_path / "sd.png")
    (tmp_path / "sd.nii").touch()
    with pytest.raises(OutputExistsError):
        denoise_to_file(scan, apddm, path, options(), uncertainty=tmp_path / "sd.nii")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["sd.nii"]


@pytest.mark.parametrize("keep", [False, True])
def test_a_stopped_run_keeps_both_or_neither(
    make_scan: MakeScan, apddm: ApddmRestorer, tmp_path: Path, keep: bool
) -> None:
    paths = tmp_path / "mean.ome.zarr", tmp_path / "sd.ome.zarr"
    done: list[int] = []

    def run() -> None:
        denoise_to_file(
            make_scan((4, 8, 6)),
            apddm,
            paths[0],
            options(batch_size=1),
            uncertainty=paths[1],
            progress=lambda count, _: done.append(count),
            should_stop=lambda: bool(done) and done[-1] == 2,
            keep_finished=keep,
        )

    if not keep:
        with pytest.raises(CancelledError):
            run()
        assert list(tmp_path.iterdir()) == []
        return
    run()
    assert [open_scan(path)[0].shape for path in paths] == [(2, 16, 12), (2, 16, 12)]


def test_running_out_of_memory_halves_what_is_done_at_once(
    make_scan: MakeScan, apddm: ApddmRestorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = denoise(make_scan((4, 8, 6)), apddm, options()).read()
    sizes: list[int] = []
    estimate = ApddmRestorer._estimate

    def small(self: ApddmRestorer, x: torch.Tensor, *given: Any) -> torch.Tensor:
        sizes.append(len(x))
        if len(x) > 2:
            raise torch.OutOfMemoryError("out of memory")
        return estimate(self, x, *given)

    monkeypatch.setattr(ApddmRestorer, "_estimate", small)
    found = denoise(make_scan((4, 8, 6)), apddm, options(batch_size=16)).read()
    assert max(sizes) > 2
    assert_allclose(found, expected, rtol=1e-3, atol=1e-2)


def test_a_run_stops_within_one_call_of_the_network(make_scan: MakeScan, apddm: ApddmRestorer) -> None:
    """One batch of many draws and steps is many calls."""
    calls: list[int] = []
    handle = apddm.network.register_forward_hook(lambda *_: calls.append(1))
    scan = make_scan((2, 8, 6))
    with pytest.raises(CancelledError):
        denoise(scan, apddm, options(draws=8, batch_size=4), should_stop=lambda: len(calls) >= 3)
    assert len(calls) == 3
    denoise(scan, apddm, options(draws=8, batch_size=4))
    assert len(calls) > 15
    handle.remove()
    assert not apddm.network._forward_pre_hooks
