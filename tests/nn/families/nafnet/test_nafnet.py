"""A NAFNet: its blocks against what the paper says of them, and the network as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnxruntime
import pytest
import torch
from torch.nn import functional

from napari_micromri.nn.checkpoint import ModelCard, ModelSpec, save_checkpoint
from napari_micromri.nn.families.nafnet.config import NAFNetConfig
from napari_micromri.nn.families.nafnet.network import Block, ChannelAttention, ChannelNorm, Gate, NAFNet
from napari_micromri.nn.onnx_export import export_onnx
from napari_micromri.nn.tiling import run_tiled

if TYPE_CHECKING:
    from pathlib import Path

SMALL = {"features": 4, "levels": 1, "blocks": 1, "middle_blocks": 1}


def randomised(network: torch.nn.Module) -> torch.nn.Module:
    """Give every weight a value, also those that start at zero."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(std=0.3)
    return network


def test_the_norm_is_that_of_torch_over_the_channels_of_each_pixel() -> None:
    norm, image = randomised(ChannelNorm(6)), torch.randn(2, 6, 5, 7)
    assert isinstance(norm, ChannelNorm)
    last = functional.layer_norm(image.permute(0, 2, 3, 1), (6,), norm.scale.flatten(), norm.offset.flatten(), 1e-6)
    torch.testing.assert_close(norm(image), last.permute(0, 3, 1, 2))


def test_the_gate_multiplies_the_halves_of_the_channels() -> None:
    image = torch.arange(8.0).view(1, 4, 1, 2)
    assert Gate()(image).flatten().tolist() == [0 * 4, 1 * 5, 2 * 6, 3 * 7]


def test_channels_are_weighed_by_their_means_over_the_whole_slice() -> None:
    attention, image = ChannelAttention(2), torch.randn(1, 2, 4, 6)
    with torch.no_grad():
        attention.weigh.weight.copy_(torch.tensor([[0.0, 1.0], [2.0, 0.0]]).view(2, 2, 1, 1))
        attention.weigh.bias.zero_()
        wanted = torch.stack([image[0, 0] * image[0, 1].mean(), image[0, 1] * 2 * image[0, 0].mean()])
        torch.testing.assert_close(attention(image)[0], wanted)


def test_a_new_block_passes_on_and_a_new_network_is_the_identity() -> None:
    image = torch.randn(1, 8, 5, 5)
    assert torch.equal(Block(8)(image), image)
    image = torch.rand(2, 1, 9, 13)
    assert torch.equal(NAFNet(NAFNetConfig(**SMALL))(image), image)


@pytest.mark.parametrize("config", [{}, {"patch_size": 1, "levels": 2}, {"patch_size": 3, "residual": False}])
@pytest.mark.parametrize("size", [(17, 30), (5, 7)])
def test_any_size_comes_back_in_its_size(config: dict[str, object], size: tuple[int, int]) -> None:
    network = randomised(NAFNet(NAFNetConfig.model_validate(SMALL | config)))
    with torch.no_grad():
        result = network(torch.rand(2, 1, *size))
    assert result.shape == (2, 1, *size)
    assert bool(result.isfinite().all())


def test_the_noise_is_told_in_a_channel_of_its_own() -> None:
    network = randomised(NAFNet(NAFNetConfig(**SMALL, noise_input=True)))
    image = torch.rand(1, 1, 12, 12)
    quiet, loud = (network(torch.cat([image, torch.full_like(image, told)], dim=1)) for told in (0.1, 0.9))
    assert (quiet - loud).abs().max() > 1e-3


def test_all_of_a_slice_counts_so_it_is_never_cut_into_tiles() -> None:
    network, image = randomised(NAFNet(NAFNetConfig(**SMALL))), torch.rand(1, 1, 64, 64, requires_grad=True)
    assert network.config.reach is None
    network(image)[0, 0, 0, 0].backward()
    assert image.grad is not None
    assert bool((image.grad[0, 0, -1] != 0).any())  # the far side of the slice
    with torch.no_grad():
        assert torch.equal(run_tiled(network, image, 16, network.config), network(image))


def test_exported_it_computes_the_same_for_any_number_and_size(tmp_path: Path) -> None:
    config = NAFNetConfig(**SMALL, noise_input=True)
    network = randomised(NAFNet(config)).eval()
    spec = ModelSpec(name="n", kind="nafnet", config=config.model_dump(mode="json"), card=ModelCard(summary="test"))
    model = save_checkpoint(tmp_path / "n.safetensors", network.state_dict(), spec)
    session = onnxruntime.InferenceSession(str(export_onnx(model, tmp_path / "n.onnx")))
    images = torch.rand(3, 2, 20, 33)
    with torch.no_grad():
        wanted = network(images)
    [found] = session.run(None, {session.get_inputs()[0].name: images.numpy()})
    torch.testing.assert_close(torch.from_numpy(found), wanted, atol=1e-4, rtol=1e-4)
