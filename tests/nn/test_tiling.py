"""Piece by piece gives what the whole gives, because nothing sees further than is claimed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from napari_micromri.nn.families.unet.network import UNet, UNetConfig
from napari_micromri.nn.tiling import run_tiled

if TYPE_CHECKING:
    from collections.abc import Callable

CONFIGS = [
    {"features_main": (3,)},
    {"features_main": (3, 4), "upsampling": "bicubic", "downsampling": "conv_strided"},
    {"features_main": (3, 4, 5), "upsampling": "bicubic", "downsampling": "maxpool", "convolutions": 1},
    {"features_main": (3, 4, 5), "upsampling": "upconv", "patch_size": 2},
    {"features_main": (3, 4), "upsampling": "bilinear", "patch_size": 3, "residual": False},
    {"features_main": (3, 4, 4), "upsampling": "nearest", "activation": "elu"},
]


def _seen(network: UNet, size: int, row: int) -> tuple[int, int]:
    """Rows of the input that change the result in one row, by gradient: how far up and down."""
    image = torch.rand(1, 1, size, 8, dtype=torch.float64, requires_grad=True)
    network.double()(image)[..., row, 4].sum().backward()
    [rows] = image.grad.abs().amax(dim=(0, 1, 3)).nonzero(as_tuple=True)
    return row - int(rows.min()), int(rows.max()) - row


@pytest.mark.parametrize("config", CONFIGS)
def test_nothing_sees_further_than_claimed(make_network: Callable[..., UNet], config: dict[str, object]) -> None:
    network = make_network(**config, **({} if "activation" in config else {"activation": "leaky_relu"}))
    claimed = network.config.reach
    multiple = network.config.multiple
    size = -(-(2 * claimed + 40) // multiple) * multiple
    middle = size // 2
    seen = [_seen(network, size, middle + shift) for shift in range(min(multiple, 6))]
    furthest = max(max(pair) for pair in seen)
    assert furthest <= claimed
    assert furthest >= 0.3 * claimed  # a claim far too large would waste most of the work


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("size", [(150, 61), (47, 133)])
def test_tiled_is_whole(make_network: Callable[..., UNet], config: dict[str, object], size: tuple[int, int]) -> None:
    network = make_network(**config)
    image = torch.rand(2, 1, *size)
    with torch.no_grad():
        whole = network(image)
        for tile in (16, 40):
            tiled = run_tiled(network, image, tile, network.config)
            assert (tiled - whole).abs().max() < 1e-4


def test_tiles_are_no_larger_than_asked_for_and_their_margin(make_network: Callable[..., UNet]) -> None:
    network = make_network(features_main=(3, 4), convolutions=1)
    sizes: list[tuple[int, ...]] = []

    def run(piece: torch.Tensor) -> torch.Tensor:
        sizes.append(tuple(piece.shape[-2:]))
        return piece

    image = torch.rand(1, 1, 200, 90)
    assert torch.equal(run_tiled(run, image, 32, network.config), image)
    assert len(sizes) == 7 * 3
    assert max(max(size) for size in sizes) <= 32 + 2 * (network.config.reach + network.config.multiple)


def test_without_a_need_the_image_is_run_whole() -> None:
    calls: list[torch.Tensor] = []
    image = torch.rand(1, 1, 30, 20)
    for tile in (None, 30, 64):
        run_tiled(lambda piece: calls.append(piece) or piece, image, tile, UNetConfig(features_main=(3,)))
    assert all(piece is image for piece in calls)
    assert len(calls) == 3


def test_a_margin_that_is_too_small_would_be_noticed(
    make_network: Callable[..., UNet], monkeypatch: pytest.MonkeyPatch
) -> None:
    network = make_network(features_main=(3, 4, 5))
    image = torch.rand(1, 1, 120, 40)
    monkeypatch.setattr(UNetConfig, "reach", 4)
    with torch.no_grad():
        assert (run_tiled(network, image, 32, network.config) - network(image)).abs().max() > 1e-4
