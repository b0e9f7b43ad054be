"""A network that is told a time, and guided by a second channel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from napari_micromri.nn.families.unet.network import UNet, UNetConfig
from napari_micromri.nn.families.unet.time_embedding import TimeEmbedding, modulate, waves

if TYPE_CHECKING:
    from collections.abc import Callable


def test_a_new_embedding_changes_nothing_whatever_the_time(make_network: Callable[..., UNet]) -> None:
    plain = make_network(features_main=(4, 6, 8))
    told = UNet(plain.config.model_copy(update={"time_embedding": True}))
    told.load_state_dict(told.state_dict() | plain.state_dict())
    image = torch.rand(3, 1, 21, 18)
    with torch.no_grad():
        assert torch.equal(told(image, torch.tensor([0.0, 0.3, 1.0])), plain(image))


def test_every_weight_of_the_embedding_learns_after_the_first_step() -> None:
    torch.manual_seed(0)
    network = UNet(UNetConfig(features_main=(4, 6), guided=True, time_embedding=True))
    torch.nn.init.normal_(network.head.weight, std=0.1)
    optimizer = torch.optim.SGD(network.parameters(), 0.01)
    for _ in range(2):
        optimizer.zero_grad()
        network(torch.randn(4, 2, 12, 12), torch.rand(4)).square().sum().backward()
        optimizer.step()
    assert [name for name, weight in network.named_parameters() if not weight.grad.any()] == []


def test_each_image_hears_its_own_time() -> None:
    torch.manual_seed(0)
    network = UNet(UNetConfig(features_main=(4, 6), time_embedding=True)).eval()
    for weight in network.parameters():
        torch.nn.init.normal_(weight, std=0.2)
    image, times = torch.rand(3, 1, 8, 8), torch.tensor([0.1, 0.5, 0.9])
    with torch.no_grad():
        together = network(image, times)
        for k in range(3):
            torch.testing.assert_close(together[k : k + 1], network(image[k : k + 1], times[k : k + 1]))
        assert not torch.allclose(together, network(image, times.flip(0)))


def test_waves_tell_all_times_of_a_path_apart() -> None:
    found = waves(torch.arange(1, 51) / 50)
    distance = torch.cdist(found, found) + 10 * torch.eye(50)
    assert found.shape == (50, 64)
    assert found.abs().max() <= 1
    assert distance.min() > 0.1


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_modulating_scales_and_shifts_channels_in_their_own_type(dtype: torch.dtype) -> None:
    image = torch.ones(1, 2, 3, 3, dtype=dtype)
    told = torch.tensor([0.5, 0.0, 0.0, 2.0])[None, :, None, None]
    result = modulate(image.clone(), told)
    with torch.no_grad():
        assert torch.equal(modulate(image.clone(), told), result)
    assert result.dtype == dtype
    assert result[0, :, 0, 0].tolist() == [1.5, 3.0]
    assert modulate(image, None) is image


def test_an_embedding_gives_one_scale_and_shift_for_each_block() -> None:
    shapes = [tuple(told.shape) for told in TimeEmbedding((4, 6, 4))(torch.rand(2))]
    assert shapes == [(2, 8, 1, 1), (2, 12, 1, 1), (2, 8, 1, 1)]
