"""The diffusion model around its network: steps, draws, tiles, units, and its file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from napari_micromri.errors import ModelError
from napari_micromri.nn.checkpoint import save_checkpoint
from napari_micromri.nn.families.apddm.config import ApddmConfig, options_for
from napari_micromri.nn.families.apddm.noise import NoiseSource
from napari_micromri.nn.families.apddm.restorer import ApddmRestorer, noise_strength
from napari_micromri.nn.families.unet.network import UNet, UNetConfig
from napari_micromri.nn.plain_restorer import PlainRestorer
from napari_micromri.nn.registry import load_model
from napari_micromri.nn.restorer import Sampling, SamplingRestorer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_micromri.nn.checkpoint import ModelSpec

CONFIG = ApddmConfig(unet=options_for("residual", UNetConfig(features_main=(4, 6), convolutions=1)), steps=10)
TWO = Sampling(steps=4, draws=3, eta=1.0, seed=5)


@pytest.fixture
def restorer(make_spec: Callable[..., ModelSpec]) -> ApddmRestorer:
    return ApddmRestorer(random_network(CONFIG.unet), spec_of(make_spec), CONFIG)


def random_network(config: UNetConfig) -> UNet:
    torch.manual_seed(0)
    network = UNet(config)
    for name, weight in network.named_parameters():
        if name.startswith(("head", "time.blocks")):
            torch.nn.init.normal_(weight, std=0.1)
    return network


def spec_of(make_spec: Callable[..., ModelSpec]) -> ModelSpec:
    return make_spec(name="path", kind="apddm", config=CONFIG.model_dump())


def slices(count: int = 3) -> torch.Tensor:
    return 100 * torch.rand(count, 1, 9, 11, generator=torch.Generator().manual_seed(1))


def test_it_can_sample_and_a_unet_cannot(restorer: ApddmRestorer, make_spec: Callable[..., ModelSpec]) -> None:
    assert isinstance(restorer, SamplingRestorer)
    assert not isinstance(PlainRestorer(UNet(UNetConfig(features_main=(4,))), make_spec()), SamplingRestorer)


def test_one_step_is_what_restore_gives_and_leaves_no_spread(restorer: ApddmRestorer) -> None:
    sampled = restorer.sample(slices(), Sampling(), range(3))
    assert torch.equal(sampled.image, restorer.restore(slices()))
    assert sampled.image.shape == (3, 1, 18, 22)
    assert not sampled.spread.any()


def test_more_steps_give_another_image_and_chance_only_where_asked(restorer: ApddmRestorer) -> None:
    one, several = restorer.restore(slices()), restorer.sample(slices(), Sampling(steps=5), range(3))
    assert not torch.allclose(one, several.image)
    assert not several.spread.any()
    again = restorer.sample(slices(), Sampling(steps=5, seed=9), range(3))
    assert torch.equal(again.image, several.image)
    random = restorer.sample(slices(), Sampling(steps=5, eta=0.5), range(3))
    assert not torch.allclose(random.image, several.image)


def test_the_same_seed_gives_the_same_image_whatever_the_batch(restorer: ApddmRestorer) -> None:
    whole = restorer.sample(slices(), TWO, [7, 8, 9])
    for at_once in (1, 2, 4, 100):
        other = restorer.sample(slices(), TWO, [7, 8, 9], at_once=at_once)
        torch.testing.assert_close(other.image, whole.image, rtol=1e-4, atol=1e-3)
        torch.testing.assert_close(other.spread, whole.spread, rtol=1e-3, atol=1e-3)
    alone = restorer.sample(slices()[1:2], TWO, [8])
    torch.testing.assert_close(alone.image, whole.image[1:2], rtol=1e-4, atol=1e-3)


def test_another_seed_or_slice_number_gives_other_draws(restorer: ApddmRestorer) -> None:
    same = slices(1).expand(2, -1, -1, -1)
    sampled = restorer.sample(same, TWO, [0, 1])
    assert not torch.allclose(sampled.image[0], sampled.image[1])
    other = restorer.sample(same, Sampling(steps=4, draws=3, eta=1.0, seed=6), [0, 1])
    assert not torch.allclose(other.image, sampled.image)


def test_mean_and_spread_are_those_of_the_single_draws(restorer: ApddmRestorer, monkeypatch) -> None:
    draws: list[torch.Tensor] = []
    draw = ApddmRestorer._draw

    def noted(self: ApddmRestorer, *given: object) -> torch.Tensor:
        draws.append(draw(self, *given))
        return draws[-1]

    monkeypatch.setattr(ApddmRestorer, "_draw", noted)
    given = slices(1)
    sampled = restorer.sample(given, TWO, [0], at_once=1)
    scale = restorer.spec.normalisation.statistics(given)[1]
    stack = torch.cat(draws) * scale
    assert len(stack) == 3
    torch.testing.assert_close(sampled.image[0], stack.mean(dim=0))
    torch.testing.assert_close(sampled.spread[0], stack.std(dim=0, correction=0), rtol=1e-3, atol=1e-4)


def test_several_draws_begin_with_noise_of_beta_and_a_single_one_with_none(
    restorer: ApddmRestorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts: list[tuple[torch.Tensor, torch.Tensor | None]] = []

    def noted(path: object, predict: object, anchor: torch.Tensor, **how: torch.Tensor) -> torch.Tensor:
        starts.append((anchor, how["start_noise"]))
        return anchor

    monkeypatch.setattr("napari_micromri.nn.families.apddm.restorer.sample", noted)
    given = slices(1)
    first = restorer.restore(given)
    restorer.sample(given, Sampling(steps=3, eta=0.5), [4])
    restorer.sample(given, Sampling(steps=3, draws=2, eta=0.0, seed=5), [4], at_once=2)
    (anchor, alone), (_, several) = starts
    assert alone is None
    assert several is not None
    scale = restorer.spec.normalisation.statistics(given)[1]
    drawn = NoiseSource([(5, 4, 0), (5, 4, 1)], (18, 22)).draw()
    expected = CONFIG.beta * drawn * noise_strength(anchor, first / scale)
    torch.testing.assert_close(several, expected)


def test_draws_share_the_first_run_of_the_network(restorer: ApddmRestorer, monkeypatch) -> None:
    runs: list[int] = []
    estimate = ApddmRestorer._estimate

    def noted(self: ApddmRestorer, x: torch.Tensor, *given: object) -> torch.Tensor:
        runs.append(len(x))
        return estimate(self, x, *given)

    monkeypatch.setattr(ApddmRestorer, "_estimate", noted)
    restorer.sample(slices(2), TWO, [0, 1], at_once=6)
    assert runs == [2, 6, 6, 6]


def test_noise_is_laid_where_there_is_structure_and_keeps_its_size() -> None:
    first = torch.zeros(1, 1, 40, 40)
    first[..., 20:] = 1.0
    anchor = first + 0.1 * torch.randn(first.shape, generator=torch.Generator().manual_seed(0))
    strength = noise_strength(anchor, first)
    removed = (anchor - first).square().mean().sqrt()
    assert strength.square().mean().sqrt() == pytest.approx(float(removed), rel=1e-4)
    assert strength[..., 19:21].mean() > 2 * strength[..., :10].mean() > 0
    assert torch.allclose(noise_strength(first, first), torch.zeros(()))
    flat = torch.full((1, 1, 3, 2), 5.0)
    torch.testing.assert_close(noise_strength(flat + 1, flat), torch.ones(1, 1, 3, 2))


@pytest.mark.parametrize("sampling", [Sampling(), TWO])
def test_units_come_back_and_constant_slices_pass_through(restorer: ApddmRestorer, sampling: Sampling) -> None:
    given = torch.cat([slices(1), torch.full((1, 1, 9, 11), 7.0)])
    sampled = restorer.sample(given, sampling, [0, 1])
    assert torch.equal(sampled.image[1], torch.full((1, 18, 22), 7.0))
    assert not sampled.spread[1].any()
    large = restorer.sample(1e6 * given, sampling, [0, 1])
    torch.testing.assert_close(large.image / 1e6, sampled.image, rtol=1e-3, atol=1e-2)
    torch.testing.assert_close(large.spread / 1e6, sampled.spread, rtol=1e-2, atol=1e-2)


def test_tiles_change_nothing(restorer: ApddmRestorer) -> None:
    given = 100 * torch.rand(1, 1, 60, 70, generator=torch.Generator().manual_seed(2))
    whole, tiled = (restorer.sample(given, TWO, [0], tile=tile) for tile in (None, 48))
    torch.testing.assert_close(tiled.image, whole.image, rtol=1e-3, atol=1e-2)
    torch.testing.assert_close(tiled.spread, whole.spread, rtol=1e-2, atol=1e-2)


def test_it_comes_back_from_its_file(
    restorer: ApddmRestorer, make_spec: Callable[..., ModelSpec], tmp_path: Path
) -> None:
    path = save_checkpoint(tmp_path / "path.safetensors", restorer.network.state_dict(), spec_of(make_spec))
    loaded = load_model(path)
    assert isinstance(loaded, SamplingRestorer)
    assert loaded.most_steps == 10
    torch.testing.assert_close(loaded.restore(slices()), restorer.restore(slices()))


def test_files_that_do_not_fit_are_refused(make_spec: Callable[..., ModelSpec], tmp_path: Path) -> None:
    weights = random_network(CONFIG.unet).state_dict()
    wrong = CONFIG.model_dump() | {"steps": -1}
    path = save_checkpoint(tmp_path / "a.safetensors", weights, make_spec(kind="apddm", config=wrong))
    with pytest.raises(ModelError, match="'steps' makes no sense"):
        load_model(path)
    plain = UNet(UNetConfig(features_main=(4, 6))).state_dict()
    path = save_checkpoint(tmp_path / "b.safetensors", plain, spec_of(make_spec))
    with pytest.raises(ModelError, match="don't fit"):
        load_model(path)


def test_a_guided_network_is_no_plain_unet(make_spec: Callable[..., ModelSpec], tmp_path: Path) -> None:
    spec = make_spec(kind="unet", config=CONFIG.unet.model_dump())
    path = save_checkpoint(tmp_path / "c.safetensors", random_network(CONFIG.unet).state_dict(), spec)
    with pytest.raises(ModelError, match="plain UNet"):
        load_model(path)
