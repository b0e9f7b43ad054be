"""What a model of magnitudes may be given: offsets are undone, spikes stay alone, what is no magnitude is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_micromri.errors import InputError
from napari_micromri.inference import DenoiseOptions, denoise
from napari_micromri.inference.domain import Domain, domain_of, split_spikes
from napari_micromri.inference.trust import check_trust
from napari_micromri.scan import Scan, ScanInfo

if TYPE_CHECKING:
    from napari_micromri.nn.plain_restorer import PlainRestorer

INFO = ScanInfo(name="rat", axes="zyx", voxel_size=(0.6, 0.2, 0.2))
SHAPE = (3, 64, 60)


def options(**chosen: Any) -> DenoiseOptions:
    return DenoiseOptions(**({"device": "cpu", "precision": "float32"} | chosen))


def signal(noise: float = 20.0, seed: int = 0) -> np.ndarray:
    """Give a complex image: an ellipse with structure and a phase, in noise."""
    y, x = (np.linspace(-1, 1, n)[:, None] if k == 0 else np.linspace(-1, 1, n) for k, n in enumerate(SHAPE[1:]))
    body = 500 * (y**2 + x**2 < 0.5) * (1 + 0.4 * np.sin(9 * x) * np.cos(7 * y))
    rng = np.random.default_rng(seed)
    white = rng.normal(0, noise, (2, *SHAPE))
    return body * np.exp(1j * (3 * y + 2 * x)) + white[0] + 1j * white[1]


@pytest.fixture
def magnitude() -> np.ndarray:
    return np.abs(signal())


def scan_of(values: np.ndarray, **about: Any) -> Scan:
    return Scan(values, replace(INFO, **about))


@pytest.mark.parametrize("offset", [-1000, -399, -30, 1000, 32768])
@pytest.mark.parametrize("dtype", [np.int32, np.float64])
def test_an_offset_is_taken_out_and_put_back(
    magnitude: np.ndarray, restorer: PlainRestorer, offset: int, dtype: type
) -> None:
    magnitude = magnitude.astype(dtype) - magnitude.astype(dtype).min()
    plain = denoise(scan_of(magnitude), restorer, options())
    moved = denoise(scan_of(magnitude + dtype(offset)), restorer, options())
    np.testing.assert_allclose(moved.read() - offset, plain.read(), atol=0.02)
    assert moved.info.provenance[-1]["offset"] == offset
    assert "offset" not in plain.info.provenance[-1]
    part = denoise(scan_of(magnitude + dtype(offset)), restorer, options(select={"z": range(1, 2)}))
    np.testing.assert_allclose(part.read()[0], moved.read()[1], atol=0.02)


@given(offset=st.integers(-20_000, 20_000), scale=st.floats(0.01, 50), seed=st.integers(0, 20))
@settings(max_examples=15)
def test_any_offset_is_found_and_nothing_else_is(offset: int, scale: float, seed: int) -> None:
    magnitude = np.abs(signal(seed=seed))
    magnitude = scale * (magnitude - magnitude.min())
    assert domain_of(scan_of(magnitude)) == Domain()
    found = domain_of(scan_of(magnitude + offset))
    # Below zero at any size; above, only where it is no small part of the contrast.
    if offset < -0.2 * magnitude.max() or offset > magnitude.max():
        assert found.problem is None
        assert found.offset == pytest.approx(offset, abs=0.02 * scale * 20)


@pytest.mark.parametrize("part", [0.45, 0.5, 0.55])
def test_an_offset_by_half_of_the_values_is_no_sign(magnitude: np.ndarray, part: float) -> None:
    magnitude = magnitude - magnitude.min()
    domain = domain_of(scan_of(magnitude - part * magnitude.max()))
    assert domain.problem is None
    assert domain.offset == pytest.approx(-part * magnitude.max(), abs=0.02 * 20)


def test_noise_that_never_reaches_zero_changes_next_to_nothing(magnitude: np.ndarray, restorer: PlainRestorer) -> None:
    plain = denoise(scan_of(magnitude), restorer, options()).read()
    moved = denoise(scan_of(magnitude - 1000), restorer, options()).read() + 1000
    assert np.abs(moved - plain).max() < 0.02 * 20  # of the noise


def test_the_trust_check_sees_the_scan_without_its_offset(magnitude: np.ndarray, restorer: PlainRestorer) -> None:
    magnitude = magnitude - magnitude.min()
    reports = []
    for offset in (0, -1000):
        scan = scan_of(magnitude + offset)
        reports.append(check_trust(scan, denoise(scan, restorer, options())))
    assert reports[1].chi_square == pytest.approx(reports[0].chi_square, rel=1e-3)
    assert reports[1].snr == pytest.approx(reports[0].snr, rel=1e-3)
    assert any("-1000" in sentence for sentence in reports[1].warnings)


PHASE = np.angle(np.exp(1j * (np.linspace(-6, 6, 64)[:, None] + np.linspace(-4, 4, 60) + np.zeros(SHAPE))))
FIELD = 80 * np.sin(np.linspace(-3, 3, 64)[:, None] + 0.5) * np.cos(np.linspace(-1, 2, 60)) + np.zeros(SHAPE)

NOT_FOR_MODELS = {
    "real part": lambda: signal().real,
    "imaginary part": lambda: signal().imag,
    "phase": lambda: np.angle(signal()),
    "phase without a sign": lambda: ((np.angle(signal(60)) / np.pi + 1) * 2047.5).astype(np.uint16),
    "masked phase": lambda: np.where(np.abs(signal()) > 200, np.angle(signal()), 0),
    "field map": lambda: np.where(np.abs(signal()) > 200, 80 * np.sin(np.linspace(-3, 3, SHAPE[2])), 0),
    "phase-corrected real part": lambda: (signal(10) * np.exp(-1j * np.angle(signal(0)))).real,
    "masked phase without a sign": lambda: np.where(
        np.abs(signal(0)) > 200, (PHASE / (2 * np.pi) + 0.5) * 4095, 0
    ).round(),
    "masked phase from 0 to two pi": lambda: np.where(np.abs(signal(0)) > 200, PHASE + np.pi, 0),
    "unwrapped phase without a sign": lambda: np.angle(signal()) % (2 * np.pi),
    "field map that was made positive": lambda: np.where(np.abs(signal(0)) > 200, 300 + FIELD, 0),
    "field map without a mask": lambda: 300 + FIELD,
    "noisy B1 map": lambda: np.where(
        np.abs(signal(0)) > 200, 100 + FIELD + np.random.default_rng(2).normal(0, 2, SHAPE), 0
    ),
    "masked phase of few turns around its seam": lambda: np.where(
        np.abs(signal(0)) > 200, np.round(((PHASE * 0.3 + np.pi) % (2 * np.pi)) * 652), 0
    ),
    "masked phase with its air at the lowest value": lambda: np.where(np.abs(signal(0)) > 200, PHASE, -np.pi),
    "labels": lambda: (1 * (np.abs(signal(0)) > 200) + 2 * (np.abs(signal(0)) > 600)).astype(np.uint8),
    "a mask": lambda: (np.abs(signal(0)) > 200).astype(np.int16),
}


@pytest.mark.parametrize("kind", NOT_FOR_MODELS)
def test_what_is_no_magnitude_is_refused_unless_asked_for(kind: str, restorer: PlainRestorer) -> None:
    scan = scan_of(NOT_FOR_MODELS[kind]())
    with pytest.raises(InputError, match=r"'rat' .*magnitude images only"):
        denoise(scan, restorer, options())
    result = denoise(scan, restorer, options(anyway=True))
    assert np.isfinite(result.read()).all()
    assert "anyway" in result.info.provenance[-1]["cautions"][0]


GAPS = {
    "a few pixels": np.s_[:, 5::17, 7::13],
    "a border": np.s_[:, :12, :],
    "a corner": np.s_[:, :30, :25],
}


@pytest.mark.parametrize("kind", [kind for kind in NOT_FOR_MODELS if kind not in ("labels", "a mask")])
def test_gaps_hide_no_other_quantity(kind: str) -> None:
    """Values that are no numbers (NaN) are common where a scan was masked or resampled."""
    values = NOT_FOR_MODELS[kind]().astype(float)
    values[GAPS["a few pixels"]] = np.nan
    assert "rat" in (domain_of(scan_of(values)).problem or "")
    masked = np.where(values == 0, np.nan, values)
    assert "rat" in (domain_of(scan_of(masked)).problem or "")


@pytest.mark.parametrize("gaps", GAPS)
@pytest.mark.parametrize("filtered", [False, True])
def test_a_magnitude_with_gaps_is_a_magnitude(
    gaps: str, filtered: bool, magnitude: np.ndarray, restorer: PlainRestorer
) -> None:
    values = magnitude - 15 * filtered  # a tenth of a filtered scan's air may lie below zero
    values[GAPS[gaps]] = np.nan
    assert domain_of(scan_of(values)).problem is None
    found = denoise(scan_of(values), restorer, options()).read()
    assert np.array_equal(np.isnan(found), np.isnan(values).repeat(2, axis=1).repeat(2, axis=2))


@pytest.mark.parametrize("quantity", ["phase", "real part", "imaginary part", "field map", "map", "labels"])
def test_what_its_header_calls_no_magnitude_is_refused(magnitude: np.ndarray, quantity: str) -> None:
    assert quantity in str(domain_of(scan_of(magnitude, quantity=quantity)).problem)


def test_a_header_that_says_magnitude_is_believed_where_values_only_suggest_a_map() -> None:
    assert domain_of(scan_of(300 + FIELD)).problem is not None
    assert domain_of(scan_of(300 + FIELD, quantity="magnitude")).problem is None


@pytest.mark.parametrize("kind", ["as it is", "sharp", "masked", "ringing", "crop", "empty", "constant"])
def test_ordinary_scans_are_left_alone(magnitude: np.ndarray, kind: str) -> None:
    values = {
        "as it is": magnitude,
        "sharp": np.abs(signal(1)).round(),
        "masked": np.where(magnitude > 200, magnitude, 0),
        "ringing": np.where(magnitude > 200, magnitude, np.random.default_rng(1).normal(0, 5, SHAPE)),
        "crop": magnitude[:, 20:44, 18:42],
        "empty": np.zeros(SHAPE),
        "constant": np.full(SHAPE, -7.0),
    }[kind]
    domain = domain_of(scan_of(values))
    assert (domain.offset, domain.problem, domain.cautions) == (0, None, ())


def test_doubts_are_said(magnitude: np.ndarray) -> None:
    clipped = np.minimum(magnitude, 500).astype(np.int16)
    assert "clipped" in domain_of(scan_of(clipped)).cautions[0]
    again = scan_of(magnitude, provenance=({"step": "denoise"},))
    assert "denoised before" in domain_of(again).cautions[0]


def test_what_cannot_be_read_is_left_to_the_run() -> None:
    class Broken:
        shape, ndim, dtype = SHAPE, 3, np.dtype(np.float32)

        def __getitem__(self, index: object) -> np.ndarray:
            raise OSError("gone")

    assert domain_of(Scan(Broken(), INFO)).problem is None


def test_one_bright_voxel_bends_nothing_far_away(magnitude: np.ndarray, restorer: PlainRestorer) -> None:
    spoilt = magnitude.copy()
    spoilt[1, 30, 30] = 30 * magnitude.max()
    plain, result = (denoise(scan_of(values), restorer, options()).read() for values in (magnitude, spoilt))
    far = np.ones(plain.shape[1:], dtype=bool)
    far[40:82, 40:82] = False
    np.testing.assert_array_equal(result[[0, 2]], plain[[0, 2]])
    assert np.abs(result[1] - plain[1])[far].max() < 0.5  # of a noise of 20
    np.testing.assert_array_equal(result[1, 60:62, 60:62], np.float32(spoilt[1, 30, 30]))
    trust = [
        check_trust(scan_of(v), Scan(r, replace(INFO, voxel_size=(0.6, 0.1, 0.1))))
        for v, r in ((magnitude, plain), (spoilt, result))
    ]
    assert trust[1].slices[1].peak < 1.5 * trust[0].slices[1].peak


def test_ordinary_slices_have_no_spikes(magnitude: np.ndarray) -> None:
    slices = magnitude.astype(np.float32)
    same, spikes = split_spikes(slices)
    assert same is slices
    assert spikes is None
    vessel = slices.copy()
    vessel[0, 5:9, 5:9] = 9 * vessel.max()  # too many pixels for a spike
    assert split_spikes(vessel)[1] is None
