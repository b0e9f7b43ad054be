"""Do two scans belong together? Planted shifts, turns, exchanged slices and other faults are found and named."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy.ndimage import fourier_shift

from napari_micromri.errors import StudyError
from napari_micromri.io import open_scan
from napari_micromri.scan import Scan
from napari_micromri.simulation.acquisition import simulate_fast_scan
from napari_micromri.study.agreement import alignment, compare, stated_shift

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_micromri.study.model import PairReport

Offset = tuple[float, float]
REAL = {"mouse": "t2w_mouse_trunk/mouse_trunk_T2w.nii.gz", "rat": "t2w_rat_head/rat_head_T2w.nii.gz"}
MOUSE, RAT = REAL.values()


@pytest.fixture(scope="module")
def real(data_dir: Path) -> dict[str, Scan]:
    """Every second slice of the real scans, in memory."""

    def load(name: str) -> Scan:
        scan = open_scan(data_dir / REAL[name])[0]
        return Scan(np.asarray(scan.data[4:20:2], np.float32), scan.info)

    return {name: load(name) for name in REAL}


def fast(hr: Scan, change: Callable[[NDArray[Any]], NDArray[Any]] = np.asarray, *, snr: float = 15.0) -> Scan:
    """Simulate LR and change its pixels."""
    lr = simulate_fast_scan(hr, snr=snr, seed=3)
    return Scan(np.ascontiguousarray(change(lr.read())), lr.info)


def errors(report: PairReport) -> list[str]:
    return [finding.text for finding in report.findings if finding.error]


def warnings(report: PairReport) -> list[str]:
    return [finding.text for finding in report.findings if not finding.error]


class TestRealScans:
    """Simulated pairs of the two real scans."""

    @pytest.mark.parametrize(("name", "snr"), [("mouse", 15.0), ("rat", 5.0), ("rat", 15.0)])
    def test_simulated_pairs_agree(self, real: dict[str, Scan], name: str, snr: float) -> None:
        hr = real[name]
        report = compare(fast(hr, snr=snr), hr)
        assert report.findings == ()
        assert np.abs(np.array(report.shift) / (2 * hr.info.voxel_size[1])).max() <= 0.05
        assert alignment(report, fast(hr).info.voxel_size) == (0.0, 0.0)
        assert report.extent_difference == pytest.approx(0, abs=1e-6)
        assert 0.9 < report.intensity_ratio < 1.05
        assert report.correlation > 0.7

    @pytest.mark.parametrize(
        ("name", "planted"), [("mouse", (0.5, -0.8)), ("mouse", (-0.12, 0.0)), ("rat", (1.3, 0.25))]
    )
    def test_a_planted_shift_is_found_and_undone(
        self, real: dict[str, Scan], name: str, planted: tuple[float, float]
    ) -> None:
        hr = real[name]
        moved = np.stack([np.fft.ifft2(fourier_shift(np.fft.fft2(s), 2 * np.array(planted))) for s in hr.data])
        lr = fast(Scan(np.abs(moved).astype(np.float32), hr.info))
        report = compare(lr, hr)
        pixels = np.array(report.shift) / lr.info.voxel_size[1:]
        np.testing.assert_allclose(pixels, planted, atol=0.05)
        assert alignment(report, lr.info.voxel_size) == report.shift
        assert any("undone" in text for text in warnings(report)) == (max(np.abs(planted)) > 0.5)

    @pytest.mark.parametrize(
        ("planted", "stated", "undone"),
        [
            ((0.06, 0.0), (0.06, 0.0), (0.06, 0.0)),  # too little to be believed by the pixels alone
            ((0.4, -0.3), (0.4, -0.3), (0.4, -0.3)),
            ((0.0, 0.0), (0.5, 0.5), (0.0, 0.0)),  # a file that means something else by its position
        ],
    )
    def test_headers_are_exact_where_the_pixels_agree(
        self,
        real: dict[str, Scan],
        planted: tuple[float, float],
        stated: tuple[float, float],
        undone: tuple[float, float],
    ) -> None:
        hr = real["mouse"]
        moved = np.stack([np.fft.ifft2(fourier_shift(np.fft.fft2(s), 2 * np.array(planted))) for s in hr.data])
        lr = fast(Scan(np.abs(moved).astype(np.float32), hr.info))
        size = np.array(lr.info.voxel_size[1:])
        z, y, x = lr.info.origin
        off = stated * size
        lr = Scan(lr.data, replace(lr.info, origin=(z, y - off[0], x - off[1])))
        found = alignment(compare(lr, hr), lr.info.voxel_size, stated_shift(lr, hr))
        np.testing.assert_allclose(found / size, undone, atol=1e-6)

    @pytest.mark.parametrize(("name", "snr"), [("mouse", 15.0), ("rat", 4.0)])
    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (lambda v: v[:, :, ::-1], "LR looks mirrored left to right"),
            (lambda v: v[:, ::-1], "LR looks mirrored top to bottom"),
            (lambda v: np.rot90(v, -1, (1, 2)), "LR looks turned by 90°"),
            (lambda v: v[::-1], "LR looks as if its slices came in reverse order"),
            (lambda v: np.roll(v, 1, 0), "LR looks as if its slices came one slice late"),
            (lambda v: np.roll(v, 4, 0), "LR and HR hardly look alike"),
        ],
    )
    def test_turned_and_exchanged_slices_are_errors(
        self, real: dict[str, Scan], name: str, snr: float, change: Callable[[NDArray[Any]], NDArray[Any]], words: str
    ) -> None:
        hr = real[name]
        report = compare(fast(hr, change, snr=snr), hr)
        assert [text.startswith(words) for text in errors(report)] == [True]
        assert alignment(report, hr.info.voxel_size) == (0.0, 0.0)

    def test_another_animal_is_an_error(self, real: dict[str, Scan]) -> None:
        mouse, rat = real["mouse"], real["rat"]
        report = compare(Scan(fast(mouse).data, fast(rat).info), rat)
        assert any("another animal" in text for text in errors(report))


class TestHeaders:
    """What the headers say; pixels agree."""

    def hr(self, make_scan: Callable[..., Scan]) -> Scan:
        rows = ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0))
        return make_scan((4, 64, 48), direction=rows, subject="m1")

    def compare(self, make_scan: Callable[..., Scan], **info: Any) -> PairReport:
        hr = self.hr(make_scan)
        lr = fast(hr)
        return compare(Scan(lr.data, replace(lr.info, **info)), hr)

    def test_another_subject(self, make_scan: Callable[..., Scan]) -> None:
        [told] = errors(self.compare(make_scan, subject="m2"))
        assert "'m2'" in told
        assert "'m1'" in told
        assert errors(self.compare(make_scan, subject=None)) == []

    def test_no_overlap_and_small_difference(self, make_scan: Callable[..., Scan]) -> None:
        far = self.compare(make_scan, origin=(0.0, 50.0, 0.05))
        assert any("overlap" in text for text in errors(far))
        near = self.compare(make_scan, origin=(0.0, 0.05 + 0.14, 0.05))
        assert errors(near) == []
        assert any("edges" in text and "0.14 mm" in text for text in warnings(near))
        assert near.extent_difference == pytest.approx(0.14)

    def test_first_centres_in_one_place_are_within_tolerance(self, make_scan: Callable[..., Scan]) -> None:
        report = self.compare(make_scan, origin=(0.0, 0.0, 0.0))
        assert report.extent_difference == pytest.approx(0.05)
        assert not any("edges" in text for text in warnings(report))

    def test_other_directions_and_slices(self, make_scan: Callable[..., Scan]) -> None:
        turned = self.compare(make_scan, direction=((0.0, 0.0, 1.0), (0.0, -1.0, 0.0), (1.0, 0.0, 0.0)))
        assert "rows" in errors(turned)[0]
        assert "opposite" in errors(turned)[0]
        apart = self.compare(make_scan, origin=(0.3, 0.05, 0.05))
        assert "0.3 mm apart" in errors(apart)[0]
        unknown = self.compare(make_scan, direction=None)
        assert errors(unknown) == []
        assert "orientation" in warnings(unknown)[0]
        elsewhere = self.compare(make_scan, direction=None, origin=(0.0, 90.0, 0.0))
        assert errors(elsewhere) == []


class TestValues:
    """Faults in the pixels."""

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (lambda v: v * np.float32("nan"), "LR holds no finite value."),
            (lambda v: v * 0, "LR is empty: no value is above 0."),
        ],
    )
    def test_nothing_to_compare(
        self, make_scan: Callable[..., Scan], change: Callable[[NDArray[Any]], NDArray[Any]], words: str
    ) -> None:
        hr = make_scan((4, 64, 48))
        report = compare(fast(hr, change), hr)
        assert errors(report) == [words]
        assert np.isnan([*report.shift, report.correlation, report.lr_snr]).all()
        assert alignment(report, hr.info.voxel_size) == (0.0, 0.0)

    def test_a_flat_field_is_an_error(self, make_scan: Callable[..., Scan]) -> None:
        hr = make_scan((4, 64, 48))
        report = compare(fast(hr), Scan(np.full(hr.shape, 7, np.int16), hr.info))
        [told] = errors(report)
        assert "flat field" in told

    def test_some_nan_saturation_and_scale_are_warnings(self, make_scan: Callable[..., Scan]) -> None:
        hr = make_scan((4, 64, 48))

        def spoil(volume: NDArray[Any]) -> NDArray[Any]:
            cut = np.minimum(volume, np.quantile(volume, 0.9)) * 10
            cut[0, 0, :5] = np.nan
            return cut

        told = " ".join(warnings(compare(fast(hr, spoil), hr)))
        assert "LR has 5 values" in told
        assert "saturated: 10.0 %" in told
        assert "times that of LR" in told

    def test_noise_is_a_warning(self, make_scan: Callable[..., Scan]) -> None:
        hr = make_scan((4, 96, 80))
        assert any(text.startswith("LR is very noisy") for text in warnings(compare(fast(hr, snr=1.5), hr)))

    def test_unequal_counts_are_refused(self, make_scan: Callable[..., Scan]) -> None:
        with pytest.raises(StudyError, match=r"3 slices.* 4"):
            compare(make_scan((3, 8, 8)), make_scan((4, 16, 16)))
        with pytest.raises(StudyError, match="exchanged"):
            compare(make_scan((3, 16, 16)), make_scan((3, 8, 8)))
        with pytest.raises(StudyError, match="magnitude"):
            compare(make_scan((2, 3, 8, 8), "tzyx"), make_scan((3, 8, 8)))

    def test_one_slice_and_other_ratios_are_measured(self, make_scan: Callable[..., Scan]) -> None:
        hr = make_scan((1, 90, 66))
        lr = simulate_fast_scan(hr, factor=1.5)
        assert errors(compare(lr, hr)) == []
        assert compare(make_scan((2, 32, 32)), make_scan((2, 32, 32))).correlation == pytest.approx(1)
