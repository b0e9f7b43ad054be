"""The network: every option, every size, and that it learns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from pydantic import ValidationError
from torch.nn import functional

from napari_micromri.nn.families.unet.network import UNet, UNetConfig
from napari_micromri.nn.network import count_parameters
from napari_micromri.training.presets import PRESETS

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES = [(16, 16), (37, 50), (1, 1), (1, 23), (40, 1), (7, 8)]


@pytest.mark.parametrize(("name", "parameters"), [("first-run", 1_862_209), ("tuned", 1_793_921)])
def test_the_presets_are_the_reports_networks(name: str, parameters: int) -> None:
    network = UNet(PRESETS[name].config.network)
    assert count_parameters(network) == parameters
    image = torch.rand(1, 1, 30, 22)
    with torch.no_grad():
        assert network(image).shape == image.shape


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("patch_size", [1, 2])
def test_any_size_stays_the_same(make_network: Callable[..., UNet], patch_size: int, size: tuple[int, int]) -> None:
    network = make_network(features_main=(4, 4, 4), patch_size=patch_size)
    image = torch.rand(2, 1, *size)
    with torch.no_grad():
        result = network(image)
    assert result.shape == image.shape
    assert result.isfinite().all()
    assert not torch.equal(result, image)


@pytest.mark.parametrize(
    "option",
    [
        *({"downsampling": kind} for kind in ("maxpool", "meanpool", "conv_strided")),
        *({"upsampling": kind} for kind in ("upconv", "nearest", "bilinear", "bicubic")),
        *({"activation": kind} for kind in ("relu", "leaky_relu", "elu", "prelu")),
        *({"residual": kind} for kind in (True, False)),
        *({"convolutions": count} for count in (1, 3)),
        *({"features_main": widths} for widths in ((4,), (4, 6, 8), (8, 8, 4))),
    ],
    ids=lambda option: "-".join(f"{key}={value}" for key, value in option.items()),
)
def test_every_option_gives_a_network_whose_every_weight_learns(
    make_network: Callable[..., UNet], option: dict[str, object]
) -> None:
    network = make_network(**option)
    image = torch.randn(4, 1, 21, 18)
    result = network(image)
    assert result.shape == image.shape
    result.square().sum().backward()
    idle = [name for name, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert idle == []


@pytest.mark.parametrize("patch_size", [1, 2, 3])
def test_a_residual_network_starts_as_the_identity(patch_size: int) -> None:
    network = UNet(UNetConfig(features_main=(4, 8), patch_size=patch_size))
    image = torch.rand(2, 1, 19, 31)
    assert torch.equal(network(image), image)
    plain = UNet(UNetConfig(features_main=(4, 8), patch_size=patch_size, residual=False))
    assert not torch.equal(plain(image), image)


@pytest.mark.parametrize("patch_size", [1, 2])
def test_a_few_steps_lower_the_loss(patch_size: int) -> None:
    torch.manual_seed(0)
    network = UNet(UNetConfig(features_main=(8, 16), patch_size=patch_size))
    clean = functional.interpolate(torch.rand(4, 1, 4, 4), (24, 24), mode="bilinear")
    noisy = clean + 0.3 * torch.randn_like(clean)
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    losses = []
    for _ in range(40):
        loss = functional.mse_loss(network(noisy), clean)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]


@pytest.mark.parametrize("patch_size", [1, 2])
def test_moving_the_image_by_whole_cells_moves_the_result(make_network: Callable[..., UNet], patch_size: int) -> None:
    network = make_network(patch_size=patch_size)
    step = network.config.multiple
    image = torch.rand(1, 1, 160, 160)
    with torch.no_grad():
        here, there = network(image), network(image.roll(step, dims=-1))
    inner = slice(60, 100)  # too far inside to see the borders
    torch.testing.assert_close(here[..., inner, inner], there.roll(-step, dims=-1)[..., inner, inner])
    assert not torch.allclose(here, there)


@pytest.mark.parametrize(
    "wrong",
    [
        {"features_main": ()},
        {"features_main": (8, 0)},
        {"features_main": (8, 10**6)},
        {"features_main": (4,) * 9},
        {"patch_size": 0},
        {"convolutions": 0},
        {"activation": "sine"},
        {"dropout": 0.1},
    ],
)
def test_a_senseless_shape_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        UNetConfig(**wrong)
