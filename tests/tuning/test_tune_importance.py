"""Importances name what matters, and say when they can't."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from napari_micromri.tuning.importance import importances
from napari_micromri.tuning.reading import read_tuning
from tuning_samples import make_full_tuning, make_tuning

if TYPE_CHECKING:
    from pathlib import Path


def test_what_the_figures_depend_on_comes_first(tmp_path: Path) -> None:
    make_full_tuning(tmp_path / "tuning", trials=80, objectives=("mse", "parameters"))
    state = read_tuning(tmp_path / "tuning")
    error, weights = importances(state), importances(state, 1)
    assert next(iter(error.shares)) == "learning_rate"
    assert next(iter(weights.shares)) == "network.features_main.0"
    for found in (error, weights):
        assert sum(found.shares.values()) == pytest.approx(1)
        assert list(found.shares.values()) == sorted(found.shares.values(), reverse=True)
        assert set(found.shares) == set(state.config.space.parameters)
        assert (found.reason, found.caution) == ("", "")


def test_more_can_be_better(tmp_path: Path) -> None:
    # The sample's SSIM follows from its MSE, so the same trials are best.
    shares = []
    for objective in ("mse", "ssim"):
        sample = make_tuning(tmp_path / objective, objectives=("latency", objective), seed=3)
        for _ in range(40):
            sample.add()
        shares.append(importances(read_tuning(tmp_path / objective), 1).shares)
    assert next(iter(shares[0])) == next(iter(shares[1])) == "learning_rate"


def test_too_few_trials_say_nothing_and_some_say_it_carefully(tmp_path: Path) -> None:
    sample = make_full_tuning(tmp_path / "tuning", trials=8)
    found = importances(read_tuning(tmp_path / "tuning"))
    assert found.shares == {}
    assert "need 10 trials that are done; so far 8" in found.reason
    for _ in range(4):
        sample.add()
    found = importances(read_tuning(tmp_path / "tuning"))
    assert found.shares
    assert "12 trials only" in found.caution


def test_equal_figures_say_nothing(tmp_path: Path) -> None:
    sample = make_tuning(tmp_path / "tuning")
    for _ in range(12):
        sample.add(values=(0.5,))
    found = importances(read_tuning(tmp_path / "tuning"))
    assert (dict(found.shares), "same value" in found.reason) == ({}, True)
