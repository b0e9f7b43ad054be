"""Small pairs to train on: blobs, each as a noisy coarse slice and a clean fine one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_micromri.training.config import TrainConfig, parse_config
from napari_micromri.training.data import TrainingData

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Slices:
    """As a study gives them."""

    lr: NDArray[np.float32]
    hr: NDArray[np.float32]
    key: str = "mouse 1/head/coronal"
    index: int = 0
    lr_voxel_size: tuple[float, float] = (0.2, 0.2)
    hr_voxel_size: tuple[float, float] = (0.1, 0.1)
    corner: tuple[int, int] = (0, 0)

    @property
    def where(self) -> str:
        return str(self.index)

    @property
    def whole(self) -> NDArray[np.float32]:
        return self.lr


def make_slice(shape: tuple[int, int] = (32, 24), *, seed: int = 0, noise: float = 60.0) -> Slices:
    rng = np.random.default_rng(seed)
    y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    cy, cx = rng.uniform(-0.3, 0.3, 2)
    hr = 1000 * np.clip(1.2 - 1.5 * ((y - cy) ** 2 + (x - cx) ** 2), 0, 1) + 200 * np.sin(8 * x) ** 2 + 20
    lr = hr.reshape(shape[0] // 2, 2, shape[1] // 2, 2).mean((1, 3))
    lr = np.abs(lr + rng.normal(0, noise, lr.shape))
    return Slices(lr.astype(np.float32), hr.astype(np.float32), index=seed)


@pytest.fixture
def make_pair() -> Callable[..., Slices]:
    return make_slice


@pytest.fixture
def data() -> TrainingData:
    """Ten slices to learn from and three to judge by."""
    return TrainingData(
        train=[make_slice(seed=k) for k in range(10)],
        validation=[make_slice(seed=100 + k) for k in range(3)],
        source="blobs",
        fingerprint="f00d",
        split={"train": ["mouse 1"], "validation": ["mouse 2"]},
    )


@pytest.fixture
def make_config() -> Callable[..., TrainConfig]:
    """A configuration that learns in a second; any field can be given."""

    def make(**fields: object) -> TrainConfig:
        small: dict[str, object] = {
            "network": {"features_main": [4, 6]},
            "upsampling": "sinc",
            "epochs": 3,
            "batch_size": 4,
            "optimizer": "adamw",
            "learning_rate": 3e-3,
            "scheduler": "none",
            "device": "cpu",
            "threads": 1,
            "workers": 0,
        }
        return parse_config(small | fields)

    return make
