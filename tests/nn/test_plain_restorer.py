"""From a coarse slice in the scanner's units to a fine one in the same units."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from napari_micromri.nn.families.unet.network import UNet, UNetConfig
from napari_micromri.nn.plain_restorer import PlainRestorer
from napari_micromri.simulation.resampling import UPSAMPLINGS, upsample

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_micromri.nn.checkpoint import ModelSpec

    MakeSpec = Callable[..., ModelSpec]

CPU = torch.device("cpu")


@pytest.mark.parametrize("factor", [1, 2, 3])
@pytest.mark.parametrize("upsampling", UPSAMPLINGS)
@pytest.mark.parametrize("kind", ["mean", "zscore"])
def test_an_untrained_residual_network_only_upsamples(
    make_spec: MakeSpec, factor: int, upsampling: str, kind: str
) -> None:
    spec = make_spec(factor=factor, upsampling=upsampling, normalisation={"kind": kind})
    restorer = PlainRestorer(UNet(UNetConfig(features_main=(4, 6))), spec)
    slices = 500 * torch.rand(3, 1, 11, 8)
    result = restorer.restore(slices)
    expected = upsample(slices.numpy(), (11 * factor, 8 * factor), upsampling)
    assert result.dtype == torch.float32
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=0.05)


def test_the_unit_comes_back(make_network: Callable[..., UNet], make_spec: MakeSpec) -> None:
    restorer = PlainRestorer(make_network(), make_spec())
    slices = torch.rand(2, 1, 9, 10)
    for unit in (1e-9, 1.0, 1e9):
        torch.testing.assert_close(restorer.restore(slices * unit) / unit, restorer.restore(slices))


def test_a_slice_does_not_depend_on_its_neighbours(make_network: Callable[..., UNet], make_spec: MakeSpec) -> None:
    restorer = PlainRestorer(make_network(), make_spec())
    slices = torch.rand(4, 1, 9, 10) * torch.tensor([1.0, 5.0, 100.0, 0.1]).reshape(4, 1, 1, 1)
    together = restorer.restore(slices)
    for k in range(4):
        torch.testing.assert_close(together[k : k + 1], restorer.restore(slices[k : k + 1]))


@pytest.mark.parametrize("value", [0.0, 12.5, -4.0])
def test_constant_slices_pass_through(make_network: Callable[..., UNet], make_spec: MakeSpec, value: float) -> None:
    restorer = PlainRestorer(make_network(residual=False), make_spec())
    slices = torch.stack([torch.full((1, 6, 5), value), torch.rand(1, 6, 5)])
    result = restorer.restore(slices)
    assert torch.equal(result[0], torch.full((1, 12, 10), value))
    assert not torch.equal(result[1, 0, ::2, ::2], slices[1, 0])


def test_tiles_change_nothing(make_network: Callable[..., UNet], make_spec: MakeSpec) -> None:
    restorer = PlainRestorer(make_network(features_main=(4, 4), patch_size=2), make_spec())
    slices = torch.rand(2, 1, 90, 50)
    torch.testing.assert_close(restorer.restore(slices, tile=32), restorer.restore(slices), atol=1e-4, rtol=0)


def test_lower_precision_is_close_and_gives_float32(make_network: Callable[..., UNet], make_spec: MakeSpec) -> None:
    restorer = PlainRestorer(make_network(), make_spec())
    slices = 1000 * torch.rand(1, 1, 16, 16)
    exact = restorer.restore(slices)
    restorer.prepare(CPU, torch.bfloat16)
    rough = restorer.restore(slices)
    assert rough.dtype == torch.float32
    assert not torch.equal(rough, exact)
    assert (rough - exact).abs().max() < 0.03 * exact.abs().max()
    restorer.prepare(CPU, torch.float32)
    assert torch.equal(restorer.restore(slices), exact)


def test_memory_grows_with_pixels_and_width(make_network: Callable[..., UNet], make_spec: MakeSpec) -> None:
    small = PlainRestorer(make_network(), make_spec()).memory(100, 100)
    assert PlainRestorer(make_network(), make_spec()).memory(200, 100) == pytest.approx(2 * small, rel=1e-6)
    assert PlainRestorer(make_network(features_main=(40, 60)), make_spec()).memory(100, 100) > 4 * small
    assert PlainRestorer(make_network(patch_size=2), make_spec()).memory(100, 100) < small
