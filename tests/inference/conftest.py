"""Small models for the tests of inference: a random network, and one that runs out of memory on demand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from napari_micromri.nn.checkpoint import ModelCard, ModelSpec
from napari_micromri.nn.families.unet.network import UNet, UNetConfig
from napari_micromri.nn.plain_restorer import PlainRestorer
from napari_micromri.nn.restorer import MEASURED, Noise

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

CONFIG = UNetConfig(features_main=(4, 8), convolutions=1)
SPEC = ModelSpec(name="tiny", kind="unet", config=CONFIG.model_dump(), card=ModelCard(summary="random weights"))


@pytest.fixture
def restorer() -> PlainRestorer:
    """Give a network of random weights that changes its input clearly."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = UNet(CONFIG)
        torch.nn.init.normal_(network.head.weight, std=0.05)
    return PlainRestorer(network, SPEC, "0123456789abcdef")


class Nearest:
    """A `Restorer` that repeats pixels, notes what it was given, and can't hold more than ``room`` fine pixels."""

    def __init__(self, room: float = float("inf"), error: Callable[[str], BaseException] = torch.OutOfMemoryError):
        self.spec, self.fingerprint, self.room, self.error = SPEC, "nearest", room, error
        self.batches: list[int] = []
        self.tiles: list[int | None] = []
        self.noises: list[Noise] = []
        self.prepared: list[tuple[str, torch.dtype]] = []

    def prepare(self, device: torch.device, dtype: torch.dtype) -> None:
        self.prepared.append((device.type, dtype))

    takes_noise = False

    def restore(self, slices: Tensor, tile: int | None = None, noise: Noise = MEASURED) -> Tensor:
        self.batches.append(len(slices))
        self.tiles.append(tile)
        self.noises.append(noise)
        count, _, height, width = slices.shape
        side = float("inf") if tile is None else tile
        if count * min(2 * height, side) * min(2 * width, side) > self.room:
            raise self.error("out of memory")
        return slices.repeat_interleave(2, 2).repeat_interleave(2, 3)

    def memory(self, height: int, width: int) -> int:
        return 1


@pytest.fixture
def nearest() -> type[Nearest]:
    """Give the class, to be told its room."""
    return Nearest
