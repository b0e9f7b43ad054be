"""Differences in signal quality, on signals whose errors are known one by one."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_micromri.cli import main
from napari_micromri.errors import InputError
from napari_micromri.io import save_scan
from napari_micromri.ivim.signal_quality import compare_scans, signal_quality
from napari_micromri.scan import Scan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_every_figure_of_five_signals() -> None:
    # errors e and corrections f: right and short, right and beyond, far beyond, wrong way, none
    e = np.array([0.4, 0.2, 0.1, -0.3, 0.2])
    f = np.array([-0.3, -0.3, -0.5, -0.1, 0.0])
    clean = np.linspace(1, 2, 5)
    found = signal_quality(clean, clean + e, clean + e + f, edges=[0, 0.3])
    assert found.q_n == pytest.approx(np.mean([0.4, 0.2, 0.1, 0.3, 0.2]))
    assert found.q_p == pytest.approx(np.mean([0.1, 0.1, 0.4, 0.4, 0.2]))
    assert found.eq9 == pytest.approx(2 / 5)
    assert found.eq14 == pytest.approx(3 / 5)
    assert found.overshoot == pytest.approx(1 / 5)
    assert not found.phenomenon_1


def test_bins_are_closed_to_the_left_and_open_to_the_right() -> None:
    found = signal_quality([0, 0, 0, 0], [1, 1, 1, 1], [1.25, 1.5, 0.5, 3.0], edges=[0, 0.5, 1])
    assert [b.count for b in found.bins] == [1, 2, 1]
    assert found.bins[1].recon_error == pytest.approx(1.0)
    assert found.bins[1].gap == pytest.approx(0.0)


def test_averaging_shows_both_phenomena() -> None:
    rng = np.random.default_rng(0)
    noisy = 1 + rng.normal(0, 0.1, 5000)
    found = signal_quality(np.ones(5000), noisy, 1 + 0.2 * (noisy - 1))
    assert found.phenomenon_1
    assert found.q_p == pytest.approx(0.2 * found.q_n)
    assert found.gap_trend == pytest.approx(1)
    assert found.eq9 == found.eq14 == 1


def test_missing_signals_are_counted_and_nonsense_is_refused() -> None:
    assert signal_quality([0, 0], [1, np.nan], [0.5, 0.5]).missing == 1
    with pytest.raises(InputError, match="shape"):
        signal_quality([0, 0], [1], [1])
    with pytest.raises(InputError, match="finite"):
        signal_quality([np.nan], [1.0], [1.0])
    with pytest.raises(InputError, match="rising"):
        signal_quality([0.0], [1.0], [1.0], edges=[1, 0])


def test_scans_are_compared_where_they_lie(make_scan: Callable[..., Scan]) -> None:
    clean = make_scan((2, 24, 20), "zyx")
    noisy = Scan(clean.read() + 5, clean.info)
    part = clean.read()[:, 4:20, 2:18] + 2
    origin = tuple(o + k * s for o, k, s in zip(clean.info.origin, (0, 4, 2), clean.info.voxel_size, strict=True))
    predicted = Scan(part, replace(clean.info, origin=origin))
    found = compare_scans(clean, noisy, predicted)
    assert found.missing == clean.read().size - part.size
    assert found.q_n == pytest.approx(5, rel=1e-4)
    assert found.q_p == pytest.approx(2, rel=1e-2)


def test_the_command_prints_the_figures(make_scan: Callable[..., Scan], tmp_path: Path, capsys) -> None:
    clean = make_scan((2, 24, 20))
    paths = []
    for k, added in enumerate((0, 4, 1)):
        paths.append(str(save_scan(Scan(clean.read() + added, clean.info), tmp_path / f"{k}.nii.gz")))
    assert main(["dsq", *paths, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["phenomenon_1"] is True
    assert told["q_n"] == pytest.approx(4, rel=1e-4)
    assert main(["dsq", *paths, "--edges", "0", "1e6", "2e6"]) == 0
    out = capsys.readouterr().out
    assert "better" in out
    assert "nan" not in out
    assert out.splitlines()[-1].split()[-4:] == ["0", "-", "-", "-"]
