"""Each figure of a slice answers to the fault that it is for, and is finite whatever the slice."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import dask.array as da
import numpy as np
import pytest

from napari_micromri.errors import InputError
from napari_micromri.simulation import faults
from napari_micromri.simulation.acquisition import truncate_k_space
from napari_micromri.study import slice_faults, slice_match
from napari_micromri.study.quality import measure_slices

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Volume = NDArray[np.float32]

SPOILT = 4
COUNT, SIZE = 8, 96


@pytest.fixture(scope="module")
def clean() -> tuple[Volume, Volume]:
    """Slices (8, 96, 96) of a body whose organs move from slice to slice, and the same (8, 48, 48), SNR 20 and 40."""
    rng = np.random.default_rng(0)
    y, x = np.meshgrid(np.linspace(-1, 1, SIZE), np.linspace(-1, 1, SIZE), indexing="ij")
    volume = np.zeros((COUNT, SIZE, SIZE))
    for k in range(COUNT):
        volume[k] = 100.0 * (y**2 / 0.25 + x**2 / 0.16 < 1)
        for organ in range(8):
            centre = 0.25 * np.array([np.sin(2 * organ + 0.4 * k), np.cos(3 * organ + 0.3 * k)])
            volume[k] += (40 if organ % 2 else -40) * ((y - centre[0]) ** 2 + (x - centre[1]) ** 2 < 0.01)
    hr = np.stack([faults.noise_burst(image, 2.5, rng) for image in volume])
    lr = np.stack([faults.noise_burst(np.abs(truncate_k_space(image, (48, 48))), 5, rng) for image in volume])
    return lr, hr


def measured(lr: Volume, hr: Volume, name: str) -> NDArray[np.float64]:
    return np.array([figures[name] for figures in measure_slices(lr, hr)])


def outlier(values: NDArray[np.float64], index: int = SPOILT) -> float:
    """How far one value lies off the others' median, over their range."""
    others = np.delete(values, index)
    return float((values[index] - np.median(others)) / (np.ptp(others) + 1e-9))


def spoil(volume: Volume, image: Volume) -> Volume:
    result = volume.copy()
    result[SPOILT] = image
    return result


def test_noise_and_snr_are_those_that_were_made(clean: tuple[Volume, Volume]) -> None:
    figures = measure_slices(*clean)
    assert np.median([f["hr_noise"] for f in figures]) == pytest.approx(2.5, rel=0.2)
    assert np.median([f["lr_noise"] for f in figures]) == pytest.approx(5, rel=0.2)
    assert np.median([f["lr_snr"] for f in figures]) == pytest.approx(20, rel=0.25)


def test_foreground_is_the_part_of_the_image_that_is_animal(clean: tuple[Volume, Volume]) -> None:
    found = measured(*clean, "hr_foreground")  # on the grid of LR, where smoothing widens it by a pixel or two
    assert np.pi * 0.5 * 0.4 / 4 < found.min() and found.max() < np.pi * 0.59 * 0.49 / 4


def test_noise_answers_to_a_burst(clean: tuple[Volume, Volume]) -> None:
    lr, hr = clean
    noise = measured(lr, spoil(hr, faults.noise_burst(hr[SPOILT], 7, np.random.default_rng(1))), "hr_noise")
    assert noise[SPOILT] > 2 * np.delete(noise, SPOILT).max()


@pytest.mark.parametrize("parts", [2, 3])
@pytest.mark.parametrize("axis", [0, 1])
def test_ghost_answers_to_a_displaced_copy(clean: tuple[Volume, Volume], parts: int, axis: int) -> None:
    lr, hr = clean
    ghosts = measured(lr, spoil(hr, faults.ghost(hr[SPOILT], 0.25, parts=parts, axis=axis)), "hr_ghost")
    assert ghosts[SPOILT] == pytest.approx(10, rel=0.6)  # 0.25 x 100 over a sigma of 2.5
    assert np.delete(ghosts, SPOILT).max() < 2.5


def test_a_ghost_that_both_scans_show_in_one_slice_is_not_taken_for_the_animal(clean: tuple[Volume, Volume]) -> None:
    lr, hr = (spoil(scan, faults.ghost(scan[SPOILT], 0.4, axis=1)) for scan in clean)
    for name in ("lr_ghost", "hr_ghost"):
        assert outlier(measured(lr, hr, name)) > 2


def test_lines_answer_to_lost_rows_and_columns(clean: tuple[Volume, Volume]) -> None:
    lr, hr = clean
    for axis in (0, 1):
        assert outlier(measured(lr, spoil(hr, faults.dead_lines(hr[SPOILT], [50], axis=axis)), "hr_lines")) > 1.5


def test_spike_answers_to_one_wrong_sample_of_k_space(clean: tuple[Volume, Volume]) -> None:
    lr, hr = clean
    assert outlier(measured(spoil(lr, faults.spike(lr[SPOILT], 20, at=(9, -7))), hr, "lr_spike")) > 3


def test_correlation_residual_and_partner_answer_to_swapped_slices(clean: tuple[Volume, Volume]) -> None:
    lr, hr = clean
    swapped = lr.copy()
    swapped[[2, 5]] = swapped[[5, 2]]
    figures = measure_slices(swapped, hr)
    assert [figures[k]["lr_match"] for k in (2, 5)] == [5, 2]
    assert [figures[k]["hr_match"] for k in (2, 5)] == [5, 2]
    gains = np.array([figure["lr_match_gain"] for figure in figures])
    assert gains[[2, 5]].min() > 0.5 and np.delete(gains, [2, 5]).max() < 0
    residual = np.array([figure["residual"] for figure in figures])
    assert residual[[2, 5]].min() > 1.5 * np.delete(residual, [2, 5]).max()
    correlation = np.array([figure["correlation"] for figure in figures])
    assert correlation[[2, 5]].max() < np.delete(correlation, [2, 5]).min()


def test_offset_is_measured_in_pixels_of_the_good_scan(clean: tuple[Volume, Volume]) -> None:
    lr, hr = clean
    figures = measure_slices(spoil(lr, faults.shift(lr[SPOILT], (1.5, -2))), hr)
    assert figures[SPOILT]["offset_y"] == pytest.approx(-3, abs=0.4)
    assert figures[SPOILT]["offset_x"] == pytest.approx(4, abs=0.4)
    assert figures[SPOILT]["offset_gain"] > 0.5
    others = [figure for k, figure in enumerate(figures) if k != SPOILT]
    assert max(abs(figure["offset_y"]) + abs(figure["offset_x"]) for figure in others) < 0.6
    assert max(figure["offset_gain"] for figure in others) < 0.1


def test_continuity_answers_to_a_slice_from_elsewhere(clean: tuple[Volume, Volume]) -> None:
    lr, hr = clean
    before = measured(lr, hr, "hr_continuity")
    after = measured(lr, spoil(hr, hr[SPOILT, ::-1, ::-1]), "hr_continuity")
    assert after.argmin() == SPOILT and after[SPOILT] < before[SPOILT] - 0.1


def test_an_empty_slice_has_no_foreground(clean: tuple[Volume, Volume]) -> None:
    lr, hr = clean
    empty = spoil(hr, faults.only_noise((SIZE, SIZE), 2.5, np.random.default_rng(3)))
    assert measured(lr, empty, "hr_foreground")[SPOILT] < 0.005


ODD_SLICES = {
    "nan": np.full((3, 20, 20), np.nan),
    "zeros": np.zeros((3, 20, 20)),
    "constant": np.full((3, 20, 20), 5),
    "infinite": np.full((3, 20, 20), np.inf),
    "negative": -np.ones((3, 20, 20)),
    "huge": np.full((3, 20, 20), 3e38),
    "one pixel": np.ones((3, 1, 1)),
    "one row": np.random.default_rng(0).random((3, 1, 30)),
    "tiny": np.random.default_rng(0).random((3, 3, 5)),
    "one slice": np.random.default_rng(0).random((1, 40, 40)),
    "integers": np.random.default_rng(0).integers(0, 4000, (3, 32, 32), dtype=np.uint16),
    "masked": np.pad(np.random.default_rng(0).random((3, 16, 16)), ((0, 0), (10, 10), (10, 10))),
}


@pytest.mark.parametrize("hr", ODD_SLICES)
@pytest.mark.parametrize("lr", ["zeros", "tiny", "integers"])
def test_figures_are_finite_and_json_for_odd_slices(lr: str, hr: str) -> None:
    good = ODD_SLICES[hr]
    fast = ODD_SLICES[lr][: len(good)]
    figures = measure_slices(fast, good)
    assert len(figures) == len(good)
    assert json.loads(json.dumps(figures, allow_nan=False)) == list(figures)
    assert len({tuple(figure) for figure in figures}) == 1


def test_a_lazy_volume_gives_the_same_as_an_array(clean: tuple[Volume, Volume]) -> None:
    lr, hr = (scan[:3] for scan in clean)
    lazy = [da.from_array(scan, chunks=(1, -1, -1)) for scan in (lr, hr)]
    assert measure_slices(*lazy) == measure_slices(lr, hr)


@pytest.mark.parametrize("factor", [1e-6, 1e4])
def test_figures_without_a_unit_do_not_depend_on_the_scanners_scale(
    clean: tuple[Volume, Volume], factor: float
) -> None:
    lr, hr = (scan[:4] for scan in clean)
    plain, scaled = measure_slices(lr, hr), measure_slices(lr * np.float32(factor), hr * np.float32(factor))
    for name in plain[0]:
        unit = factor if name.endswith(("_noise", "_signal")) else 1
        assert [f[name] for f in scaled] == pytest.approx([unit * f[name] for f in plain], rel=1e-2, abs=1e-3 * unit)


def test_what_is_not_a_pair_of_volumes_is_refused() -> None:
    volume = np.ones((3, 8, 8))
    with pytest.raises(InputError, match="3 and 2"):
        measure_slices(volume, volume[:2])
    for wrong in (volume[0], volume.astype(complex), np.ones((0, 8, 8))):
        with pytest.raises(InputError, match="HR"):
            measure_slices(volume, wrong)


def test_the_background_keeps_away_from_the_animal() -> None:
    mask = np.zeros((5, 40, 40), bool)
    mask[:, 10:20, 10:20] = True
    background = slice_faults.backgrounds(mask, mask)
    assert not background[:, 9:21, 9:21].any() and background[:, :8].all()


def test_identical_slices_correlate_and_constant_ones_do_not() -> None:
    image = np.random.default_rng(0).random((9, 9))
    assert slice_match.correlation(image, 3 * image + 1) == pytest.approx(1)
    assert slice_match.residual(image, 3 * image + 1) == pytest.approx(0, abs=1e-6)
    assert slice_match.correlation(image, np.ones((9, 9))) == 0
