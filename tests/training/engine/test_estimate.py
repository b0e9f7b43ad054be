"""An estimate comes from real steps, grows with what it should, and leaves nothing behind."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from napari_micromri.errors import TrainingError
from napari_micromri.training.engine.estimate import estimate

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_micromri.training.config import TrainConfig
    from napari_micromri.training.data import TrainingData


def test_memory_grows_with_batch_and_network(make_config: Callable[..., TrainConfig], data: TrainingData) -> None:
    small = estimate(make_config(batch_size=2), data)
    wide = estimate(make_config(batch_size=2, network={"features_main": [16, 24]}), data)
    large = estimate(make_config(batch_size=8), data)
    assert 0 < small.memory < wide.memory
    assert 2 * small.memory < large.memory < 5 * small.memory
    assert small.device == "cpu"
    assert small.seconds_per_epoch > 0


def test_a_network_without_memory_for_its_activations_would_be_less_than_estimated(
    make_config: Callable[..., TrainConfig], data: TrainingData
) -> None:
    # The first convolution alone keeps four maps of 32 x 24 pixels, for each of ten slices.
    assert estimate(make_config(batch_size=10), data).memory > 10 * 4 * 32 * 24 * 4


def test_what_training_would_refuse_the_estimate_refuses(
    make_config: Callable[..., TrainConfig], data: TrainingData
) -> None:
    with pytest.raises(TrainingError, match="no slices"):
        estimate(make_config(), replace(data, validation=[]))
