"""Scaling slices for the network and back."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_micromri.nn.normalisation import Normalisation
from napari_micromri.nn.preparation import Scaling

KINDS = ["mean", "zscore"]
PIXELS = st.lists(st.floats(0, 1000, width=32), min_size=12, max_size=12)


def normalise(slices: torch.Tensor, statistics: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    return Scaling(*statistics, noise=None).normalise(slices)


def _slices(pixels: list[float]) -> torch.Tensor:
    return torch.tensor(pixels).reshape(1, 1, 3, 4)


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None)  # the first slice waits for torch
@given(pixels=PIXELS, unit=st.sampled_from([1e-30, 1e-6, 1.0, 1e6, 1e30]), offset=st.sampled_from([0.0, -500.0]))
def test_restoring_undoes_normalising_in_any_unit(kind: str, pixels: list[float], unit: float, offset: float) -> None:
    slices = (_slices(pixels) + offset) * unit
    statistics = Normalisation(kind=kind).statistics(slices)
    scaled = normalise(slices, statistics)
    assert scaled.isfinite().all()
    back = Scaling(*statistics, noise=None).restore(scaled)
    peak = slices.abs().max()
    assert (back - slices).abs().max() <= 1e-5 * peak


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None)  # the first slice waits for torch
@given(pixels=PIXELS, unit=st.sampled_from([2.0**-100, 2.0**-30, 2.0**30, 2.0**100]))
def test_the_network_sees_the_same_in_any_unit(kind: str, pixels: list[float], unit: float) -> None:
    policy, slices = Normalisation(kind=kind), _slices([round(pixel) for pixel in pixels])
    if slices.min() == slices.max():
        slices[..., 0, 0] += 1
    here = normalise(slices, policy.statistics(slices))
    there = normalise(slices * unit, policy.statistics(slices * unit))
    torch.testing.assert_close(here, there)


def test_the_statistics_are_the_reports() -> None:
    slices = torch.rand(3, 1, 9, 7) * torch.tensor([1.0, 10.0, 1000.0]).reshape(3, 1, 1, 1)
    offset, scale = Normalisation(kind="mean").statistics(slices)
    assert offset.shape == scale.shape == (3, 1, 1, 1)
    assert not offset.any()
    torch.testing.assert_close(scale.flatten(), slices.mean(dim=(1, 2, 3)))

    statistics = Normalisation(kind="zscore").statistics(slices)
    torch.testing.assert_close(statistics[0].flatten(), slices.mean(dim=(1, 2, 3)))
    scaled = normalise(slices, statistics)
    torch.testing.assert_close(scaled.mean(dim=(1, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(scaled.square().mean(dim=(1, 2, 3)), torch.ones(3))


def test_each_slice_has_statistics_of_its_own() -> None:
    slices = torch.rand(4, 1, 8, 8)
    together = Normalisation().statistics(slices)[1]
    alone = torch.cat([Normalisation().statistics(slices[k : k + 1])[1] for k in range(4)])
    assert torch.equal(together, alone)


def test_an_image_around_zero_is_not_blown_up() -> None:
    slices = torch.tensor([-3.0, 3.0, -1.0, 1.0001]).reshape(1, 1, 2, 2)
    scaled = normalise(slices, Normalisation(kind="mean").statistics(slices))
    assert scaled.abs().max() < 2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [0.0, 7.5, -3.0, 3e38])
def test_a_constant_slice_passes_unchanged(kind: str, value: float) -> None:
    slices = torch.full((1, 1, 5, 6), value)
    statistics = Normalisation(kind=kind).statistics(slices)
    assert torch.equal(normalise(slices, statistics), slices)


def test_one_constant_slice_leaves_the_others_alone() -> None:
    slices = torch.stack([torch.zeros(1, 4, 4), torch.arange(16.0).reshape(1, 4, 4)])
    _, scale = Normalisation().statistics(slices)
    assert scale.flatten().tolist() == [1.0, 7.5]
