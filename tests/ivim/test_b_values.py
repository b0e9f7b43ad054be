"""b-values: what is understood, what is refused, and how repeats are averaged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_micromri.errors import InputError, ReadError
from napari_micromri.ivim.b_values import average_repeats, b_values_of, check_b_values, parse_b_values, read_b_values

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_micromri.scan import Scan


@pytest.mark.parametrize("text", ["0 20 800", "0\n20\n800\n", "0, 20; 800", "0,20,800"])
def test_typed_values_and_fsl_text_are_understood(text: str, tmp_path: Path) -> None:
    assert parse_b_values(text) == (0, 20, 800)
    for encoding in ("utf-8", "utf-8-sig"):  # with the mark that Notepad and Excel put in front
        (tmp_path / "dwi.bval").write_text(text, encoding=encoding)
        assert read_b_values(tmp_path / "dwi.bval") == (0, 20, 800)


@pytest.mark.parametrize("content", [b"", b"zero 20", b"\xff\xfe\x00"])
def test_a_file_of_something_else_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "dwi.bval").write_bytes(content)
    with pytest.raises(ReadError, match=r"dwi\.bval"):
        read_b_values(tmp_path / "dwi.bval")


def test_a_scan_without_them_says_what_is_missing(make_scan: Callable[..., Scan]) -> None:
    assert b_values_of(make_scan((2, 3, 8, 8), "bzyx", b_values=(0.0, 500.0))) == (0, 500)
    with pytest.raises(InputError, match="one volume"):
        b_values_of(make_scan())
    with pytest.raises(InputError, match="typed"):
        b_values_of(make_scan((4, 3, 8, 8), "tzyx"))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([0, 50, 500], "3 b-values for 6 volumes"),
        ([800] * 6, "All b-values are 800"),
        ([0, 10, -20, 50, 300, 800], "-20"),
        ([0, 10, np.nan, 50, 300, 800], "nan"),
        ([0, 0, 50, 50, 800, 800], "there are 3"),
        ([0, 200, 300, 500, 700, 900], "below 100"),
        ([150, 200, 300, 500, 700, 900], "below 100"),
        ([0, 0.01, 0.02, 0.05, 0.3, 0.8], "ms/µm².*1000 times"),
        ([0, 1, 2, 3, 4, 5], "ms/µm²"),
        ([0, 1e7, 2e7, 5e7, 3e8, 8e8], "s/m²"),
    ],
)
def test_values_that_a_method_cannot_use_are_refused(values: list[float], said: str) -> None:
    with pytest.raises(InputError, match=said):
        check_b_values(values, 6)


def test_one_exponential_needs_less() -> None:
    check_b_values([0, 800], 2, perfusion=False)


def test_unsorted_repeats_are_averaged_per_b_value() -> None:
    signals = np.array([[8.0], [100.0], [2.0], [90.0]])
    found = average_repeats(signals, [800.3, 0, 799.8, 0])
    np.testing.assert_allclose(found.b_values, [0, 800.05])
    np.testing.assert_allclose(found.signals, [[95], [5]])
    assert found.counts.tolist() == [2, 2]
    np.testing.assert_allclose(average_repeats(signals, [800, 0, 800, 0], "geometric").signals[1], 4)


def test_a_geometric_mean_of_a_negative_signal_is_missing() -> None:
    found = average_repeats(np.array([[8.0], [100.0], [-2.0]]), [800, 0, 800], "geometric")
    assert np.isnan(found.signals[1, 0])


def test_b_values_in_small_steps_are_not_taken_for_one() -> None:
    b = np.arange(0, 1001, 10.0)
    signal = 1000 * (0.2 * np.exp(-0.03 * b) + 0.8 * np.exp(-0.001 * b))
    found = average_repeats(signal[:, None], b)
    expected = 1000 * (0.2 * np.exp(-0.03 * found.b_values) + 0.8 * np.exp(-0.001 * found.b_values))
    np.testing.assert_allclose(found.signals[:, 0], expected, rtol=1e-4)
    assert found.counts.sum() == 101
    # As of a scanner: six directions, whose effective b-values differ by 4 %.
    assert average_repeats(np.ones((7, 1)), [0, 980, 990, 1000, 1000, 1010, 1020]).counts.tolist() == [1, 6]
