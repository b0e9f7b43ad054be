"""Quality best: the mean over flips and turns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from apddm_samples import random_apddm
from napari_micromri.errors import CancelledError, InputError
from napari_micromri.inference import DenoiseOptions, denoise, denoise_to_file, denoise_with_uncertainty
from napari_micromri.io import open_scan
from napari_micromri.scan import Scan, ScanInfo

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_micromri.nn.plain_restorer import PlainRestorer
    from napari_micromri.nn.restorer import Restorer

    MakeScan = Callable[..., Scan]
    Array = NDArray[Any]

SAMPLINGS = [{}, {"steps": 4}, {"steps": 3, "draws": 2, "seed": 5}]


def options(**chosen: Any) -> DenoiseOptions:
    return DenoiseOptions(**({"device": "cpu", "precision": "float32"} | chosen))


def stack(array: Array) -> Scan:
    return Scan(np.ascontiguousarray(array), ScanInfo(name="test", axes="zyx", voxel_size=(1, 1, 1)))


def eight_positions(array: Array) -> list[tuple[Array, Callable[[Array], Array]]]:
    """Lay slices (N, h, w) into all positions, by transposing and reversing axes, each with the way back."""
    positions: list[tuple[Array, Callable[[Array], Array]]] = []
    for transposed in (False, True):
        for rows in (1, -1):
            for columns in (1, -1):

                def back(image: Array, rows: int = rows, columns: int = columns, t: bool = transposed) -> Array:
                    image = image[:, ::rows, ::columns]
                    return image.transpose(0, 2, 1) if t else image

                there = array.transpose(0, 2, 1) if transposed else array
                positions.append((there[:, ::rows, ::columns], back))
    return positions


@pytest.fixture(params=[None, *SAMPLINGS], ids=["unet", "apddm", "steps", "draws"])
def model_and_sampling(request: pytest.FixtureRequest, restorer: PlainRestorer) -> tuple[Restorer, dict[str, Any]]:
    return (restorer, {}) if request.param is None else (random_apddm(4, 8), request.param)


def test_best_is_the_mean_of_eight_results(
    make_scan: MakeScan, model_and_sampling: tuple[Restorer, dict[str, Any]]
) -> None:
    model, sampling = model_and_sampling
    given = make_scan((2, 10, 14)).read()
    each = [back(denoise(stack(one), model, options(**sampling)).read()) for one, back in eight_positions(given)]
    assert np.ptp(each, axis=0).max() > 1  # else any of them would pass
    found = denoise(stack(given), model, options(quality="best", **sampling)).read()
    assert_allclose(found, np.mean(each, axis=0), rtol=1e-4, atol=0.01)


def test_best_flips_and_turns_with_the_scan(
    make_scan: MakeScan, model_and_sampling: tuple[Restorer, dict[str, Any]]
) -> None:
    model, sampling = model_and_sampling
    given = make_scan((1, 10, 14)).read()
    best = options(quality="best", **sampling)
    expected = denoise(stack(given), model, best).read()
    for one, back in eight_positions(given):
        assert_allclose(back(denoise(stack(one), model, best).read()), expected, rtol=1e-4, atol=0.01)


def test_the_uncertainty_is_that_over_all_draws_of_all_positions(make_scan: MakeScan) -> None:
    model, given = random_apddm(4, 8), make_scan((1, 8, 12)).read()
    sampling = {"steps": 3, "draws": 4, "seed": 1}
    means, variances = [], []
    for one, back in eight_positions(given):
        mean, spread = denoise_with_uncertainty(stack(one), model, options(**sampling))
        means.append(back(mean.read()).astype(float))
        variances.append(back(spread.read()).astype(float) ** 2)
    expected = np.sqrt(np.mean(variances, axis=0) + np.var(means, axis=0))
    _, found = denoise_with_uncertainty(stack(given), model, options(quality="best", **sampling))
    assert_allclose(found.read(), expected, rtol=1e-3, atol=0.05)


def test_the_result_says_so_also_in_a_file(make_scan: MakeScan, restorer: PlainRestorer, tmp_path: Path) -> None:
    scan = make_scan((3, 8, 12))
    whole = denoise(scan, restorer, options(quality="best"))
    assert whole.info.name.endswith("[tiny, best]")
    assert whole.info.provenance[-1]["quality"] == "best"
    assert "quality" not in denoise(scan, restorer, options()).info.provenance[-1]
    path = denoise_to_file(scan, restorer, tmp_path / "best.ome.zarr", options(quality="best"))
    assert_allclose(open_scan(path)[0].read(), whole.read(), rtol=1e-5)


@pytest.mark.parametrize("calls", [1, 5])
def test_it_stops_before_the_next_call_of_the_network(make_scan: MakeScan, restorer: PlainRestorer, calls: int) -> None:
    run: list[int] = []
    handle = restorer.network.register_forward_hook(lambda *_: run.append(1))
    with pytest.raises(CancelledError):
        denoise(make_scan((1, 8, 6)), restorer, options(quality="best"), should_stop=lambda: len(run) >= calls)
    handle.remove()
    assert len(run) == calls


def test_progress_comes_as_often_as_without(make_scan: MakeScan, restorer: PlainRestorer) -> None:
    seen: list[int] = []
    denoise(
        make_scan((5, 8, 6)),
        restorer,
        options(quality="best", batch_size=16),
        progress=lambda done, _: seen.append(done),
    )
    assert seen == [0, 2, 4, 5]


def test_memory_holds_no_more_images_at_once(make_scan: MakeScan, nearest: Any) -> None:
    model = nearest(room=4 * 12 * 8 * 2)  # two slices
    found = denoise(make_scan((4, 12, 8)), model, options(quality="best", batch_size=16))
    assert max(model.batches) <= 2
    assert found.shape == (4, 24, 16)


def test_another_quality_is_refused(make_scan: MakeScan, restorer: PlainRestorer) -> None:
    with pytest.raises(InputError, match="better"):
        denoise(make_scan((1, 8, 6)), restorer, options(quality="better"))
