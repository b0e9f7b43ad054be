"""The check against the measurement: quiet where the result is true, loud where it isn't."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import stats

from napari_micromri.errors import CancelledError, InputError
from napari_micromri.inference.deviation import rician_moments, squared_deviation, trust_map
from napari_micromri.inference.trust import check_trust, judge_slice, trust_scan
from napari_micromri.inference.trust_report import SliceTrust, TrustReport, place_list, slice_list
from napari_micromri.measure.noise import estimate_noise
from napari_micromri.scan import Scan, ScanInfo
from napari_micromri.simulation.acquisition import simulate_fast_scan

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHAPE = (96, 80)


def good_volume(slices: int = 3) -> NDArray[np.float32]:
    """Draw discs with soft edges on an empty background."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    distance = np.hypot(y - 48, x - 40)
    disc = 1 / (1 + np.exp((distance - 26) / 1.5))
    return np.stack([disc * (0.8 + 0.1 * k + 0.2 * np.sin(x / 6)) for k in range(slices)]).astype(np.float32)


def scans(snr: float = 15, slices: int = 3) -> tuple[Scan, Scan]:
    good = Scan(good_volume(slices), ScanInfo(name="good", axes="zyx", voxel_size=(1, 1, 1)))
    return simulate_fast_scan(good, snr=snr, seed=1), good


@pytest.mark.parametrize("snr", [8, 15, 30])
def test_the_truth_differs_from_its_measurement_by_the_noise(snr: float) -> None:
    report = check_trust(*scans(snr))
    assert report.chi_square == pytest.approx(1.0, abs=0.15)
    assert report.snr == pytest.approx(snr, rel=0.25)
    assert report.deviating == ()
    assert report.warnings == ()


def test_what_was_darkened_in_one_place_is_found_in_its_slice() -> None:
    fast, good = scans()
    wrong = good.read().copy()
    wrong[1, 40:52, 36:46] *= 0.6
    report = check_trust(fast, Scan(wrong, good.info))
    assert report.deviating == (1,)
    assert "1 of 3 slices" in report.warnings[0]
    found = trust_map(np.asarray(fast.data[1]), wrong[1])
    assert found.shape == (48, 40)
    top = np.unravel_index(found.argmax(), found.shape)
    assert 18 <= top[0] <= 27
    assert 16 <= top[1] <= 24
    assert np.median(found) == pytest.approx(1, abs=0.35)


def test_the_peak_is_the_worst_square_and_alone_enough_to_deviate() -> None:
    fast, good = scans()
    measured, wrong = np.asarray(fast.data[1]), good.read()[1].copy()
    wrong[44:50, 38:44] *= 0.6
    found = judge_slice(measured, wrong, 7)
    square = squared_deviation(measured, wrong, estimate_noise(measured).sigma)
    squares = np.lib.stride_tricks.sliding_window_view(square, (5, 5)).mean((2, 3))
    assert found.peak == pytest.approx(squares.max())
    assert found.chi_square == pytest.approx(square.mean())
    assert found.chi_square < 1.5 < 4 < found.peak
    assert (found.index, found.deviates) == (7, True)


def test_an_snr_unlike_the_training_is_said() -> None:
    report = check_trust(*scans(snr=2.5))
    assert any("SNR is about" in warning and "5 to 40" in warning for warning in report.warnings)
    fast, good = scans(15)
    known = replace(good.info, provenance=({"step": "denoise", "snr_range": [20, 40]},))
    assert "20 to 40" in check_trust(fast, Scan(good.data, known)).warnings[0]


def test_a_choice_of_slices_meets_its_own_measurement() -> None:
    fast, good = scans(slices=5)
    part = Scan(good.data[3:5], good.info)
    right = check_trust(fast, part, select={"z": range(3, 5)})
    wrong = check_trust(fast, part)
    assert right.chi_square < 1.2 < wrong.chi_square
    assert [one.index for one in right.slices] == [3, 4]
    with pytest.raises(InputError, match="more slices"):
        check_trust(fast, part, select={"z": range(4, 6)})


def test_the_order_of_axes_in_a_file_does_not_matter() -> None:
    fast, good = scans()
    weighted = {"axes": "bzyx", "b_values": (0.0,)}
    before = Scan(fast.read()[None], replace(fast.info, **weighted))
    after = Scan(good.read()[:, None], replace(good.info, **weighted | {"axes": "zbyx"}))
    assert check_trust(before, after).chi_square == check_trust(fast, good).chi_square


def test_scans_that_do_not_belong_together_are_refused() -> None:
    fast, good = scans()
    flat = Scan(good.data[:, 0], ScanInfo(name="flat", axes="zx", voxel_size=(1, 1)))
    with pytest.raises(InputError, match="axes differ"):
        check_trust(fast, flat)


def test_slices_without_noise_are_not_judged() -> None:
    empty = np.zeros((2, 24, 20), np.float32)
    info = ScanInfo(name="empty", axes="zyx", voxel_size=(1, 1, 1))
    report = check_trust(Scan(empty, info), Scan(empty.repeat(2, 1).repeat(2, 2), info))
    assert np.isnan(report.chi_square)
    assert "not checked" in report.sentence
    assert report.warnings == ()
    assert report.to_json()["chi_square"] is None
    assert np.isnan(trust_map(empty[0], empty[0].repeat(2, 0).repeat(2, 1))).all()


def test_holes_do_not_count() -> None:
    fast, _ = scans(slices=1)
    measured = fast.read()[0].copy()
    whole = judge_slice(measured, good_volume(1)[0])
    measured[5:9, 5:9] = np.nan
    pierced = judge_slice(measured, good_volume(1)[0])
    assert pierced.chi_square == pytest.approx(whole.chi_square, abs=0.05)


@pytest.mark.parametrize("outside", [0.0, np.nan])
def test_a_mask_is_no_deviation_and_hides_none(outside: float) -> None:
    y, x = np.mgrid[:192, :160]
    distance = np.hypot(y - 96, x - 80)
    good = Scan((1 + 0.2 * np.sin(x / 6))[None] * (distance < 74), ScanInfo(name="a", axes="zyx", voxel_size=(1, 1, 1)))
    measured = simulate_fast_scan(good, snr=15, seed=1).read()[0]
    inside = distance < 70  # one mask for both, as a brain is cut out of a scan, through the tissue
    result = np.where(inside, good.read()[0], outside).astype(np.float32)
    measured = np.where(inside[::2, ::2], measured, outside).astype(np.float32)
    found = judge_slice(measured, result)
    assert found.chi_square == pytest.approx(1.0, abs=0.15)
    assert not found.deviates
    result[90:102, 74:86] *= 0.6
    assert judge_slice(measured, result).deviates


def test_a_slice_that_is_nearly_all_mask_is_not_judged() -> None:
    fast, good = scans(slices=1)
    measured = fast.read()[0]
    measured[:, :12] = measured[:, 22:] = 0
    assert not judge_slice(measured, good.read()[0]).deviates
    assert np.isnan(judge_slice(measured, good.read()[0]).chi_square)


@pytest.mark.parametrize("amplitude", [0.0, 0.5, 2.0, 10.0, 30.0])
def test_rician_moments_are_those_of_the_distribution(amplitude: float) -> None:
    mean, spread = rician_moments(np.array(amplitude))
    assert mean == pytest.approx(stats.rice.mean(amplitude), rel=1e-6)
    assert spread == pytest.approx(stats.rice.std(amplitude), rel=1e-3)


def test_a_large_scan_is_looked_at_in_part() -> None:
    tiny = np.random.default_rng(0).rayleigh(size=(200, 24, 20)).astype(np.float32)
    info = ScanInfo(name="many", axes="zyx", voxel_size=(1, 1, 1))
    report = check_trust(Scan(tiny, info), Scan(tiny.repeat(2, 1).repeat(2, 2), info))
    assert (len(report.slices), report.total) == (64, 200)
    assert (report.slices[0].index, report.slices[-1].index) == (0, 199)


def report(*bad: int, count: int = 10, snr: float = 15.0, asked_for: bool = False) -> TrustReport:
    slices = tuple(SliceTrust(k, 2.0 if k in bad else 1.0, 2.0, snr) for k in range(count))
    return TrustReport(slices, count, (5, 40), asked_for=asked_for)


@pytest.mark.parametrize(
    ("found", "begins", "names"),
    [
        (report(), "Fits the scan.", ""),
        (report(4, 5, 6, 8), "Look at", "slices 4–6 and 8"),
        (report(*range(7)), "Don't trust", "most slices"),
        (report(asked_for=True), "Don't trust", "magnitude"),
        (report(snr=2.6), "Fits the scan, but", "SNR is 3"),
        (report(snr=float("nan"), count=0), "Not checked", ""),
    ],
)
def test_the_verdict_says_what_to_do(found: TrustReport, begins: str, names: str) -> None:
    assert found.verdict.startswith(begins)
    assert names in found.verdict
    assert found.to_json()["verdict"] == found.verdict


def test_places_in_several_volumes_are_named_by_both() -> None:
    outer = [("t", 2), ("b", 3), ("z", 6)]
    assert place_list([5, 11, 12 + 4, 12 + 5, 18], outer) == (
        "slice 5 at t 0, b 0; slice 5 at t 0, b 1; slices 4–5 at t 0, b 2; 1 more"
    )
    assert place_list([2 * 4 + 1, 3 * 4 + 1], [("z", 6), ("b", 4)]) == "slices 2–3 at b 1"
    assert place_list([3], [("t", 1), ("z", 6)]) == slice_list([3]) == place_list([3], [])


def test_the_verdict_on_several_volumes_names_the_volume() -> None:
    fast, good = scans()
    info = replace(good.info, axes="tzyx")
    wrong = np.stack([good.read(), good.read()])
    wrong[1, 2, 40:52, 36:46] *= 0.6
    both = Scan(np.stack([fast.read()] * 2), replace(fast.info, axes="tzyx"))
    assert check_trust(both, Scan(wrong, info)).verdict == "Look at slice 2 at t 1."


def test_slices_are_listed_as_a_person_would() -> None:
    assert slice_list([3]) == "slice 3"
    assert slice_list([1, 2, 5, 9]) == "slices 1–2, 5 and 9"
    assert slice_list([0, 2, 4, 6, 8, 10]) == "slices 0, 2, 4, 6 and 2 more places"


def test_the_map_of_a_scan_has_that_of_each_slice() -> None:
    fast, good = scans(slices=5)
    part = Scan(good.data[2:4], good.info)
    found = trust_scan(fast, part, select={"z": range(2, 4)})
    assert (found.info.voxel_size, found.info.origin[0]) == (fast.info.voxel_size, fast.info.origin[0] + 2)
    for k in range(2):
        np.testing.assert_array_equal(found.data[k], trust_map(fast.read()[2 + k], good.read()[2 + k]))
    with pytest.raises(CancelledError):
        trust_scan(fast, part, should_stop=lambda: True)
