"""One slice is prepared in the same way for training, validation, evaluation and inference."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import nn

from napari_micromri.inference import DenoiseOptions
from napari_micromri.inference.slices import SliceDenoiser
from napari_micromri.measure.noise import estimate_noise
from napari_micromri.nn.checkpoint import ModelCard, ModelSpec
from napari_micromri.nn.families.unet.config import UNetConfig
from napari_micromri.nn.families.unet.network import UNet
from napari_micromri.nn.plain_restorer import PlainRestorer
from napari_micromri.nn.preparation import NOISE_GAIN
from napari_micromri.scan import Scan, ScanInfo
from napari_micromri.training.engine.batches import training_batches, validation_batches

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Slices
    from napari_micromri.training.config import TrainConfig

NETWORK = UNetConfig(features_main=(4, 6), noise_input=True)
BOX = (slice(8, 40), slice(12, 44))


class Listening(UNet):
    """Keeps what it is given."""

    heard: torch.Tensor

    def forward(self, image: torch.Tensor, time: torch.Tensor | None = None) -> torch.Tensor:
        self.heard = image.clone()
        return super().forward(image, time)


@pytest.fixture
def whole(make_pair: Callable[..., Slices]) -> Slices:
    return make_pair((64, 56), noise=30)


@pytest.fixture
def cropped(whole: Slices) -> Any:
    """The same slice as a study with a crop gives it."""

    class Cropped:
        key, index, corner = whole.key, whole.index, (BOX[0].start, BOX[1].start)
        hr = whole.hr[BOX]
        lr = whole.lr[4:20, 6:22]

    Cropped.whole = whole.lr
    return Cropped()


@pytest.fixture
def model() -> PlainRestorer:
    spec = ModelSpec(
        name="m", kind="unet", config=NETWORK.model_dump(), upsampling="sinc", card=ModelCard(summary="for tests")
    )
    return PlainRestorer(Listening(NETWORK), spec)


def test_training_validation_evaluation_and_inference_see_one_slice_alike(
    whole: Slices, cropped: Any, model: PlainRestorer, make_config: Callable[..., TrainConfig]
) -> None:
    config = make_config(network=NETWORK.model_dump(), flips=False)
    network: Any = model.network

    [learned] = training_batches([cropped], config, 1)
    [judged] = validation_batches([cropped], config)
    with SliceDenoiser(model, DenoiseOptions(device="cpu", precision="float32")) as denoiser:
        denoiser.denoise(whole.lr[None])
    used = network.heard
    from napari_micromri.inference import denoise

    scan = Scan(whole.lr[None], ScanInfo(name="s", axes="zyx", voxel_size=(1.0, 0.2, 0.2)))
    denoise(scan, model, DenoiseOptions(device="cpu", precision="float32")).read()
    torch.testing.assert_close(network.heard, used)

    for batch in (learned, judged):
        torch.testing.assert_close(batch.given, used[:, :1, BOX[0], BOX[1]], rtol=1e-5, atol=1e-5)
        assert batch.noise is not None
        torch.testing.assert_close(batch.noise.flatten(), used[:, 1, 0, 0])
    mean = np.abs(whole.lr).mean()
    np.testing.assert_allclose(learned.wanted[0, 0], whole.hr[BOX] / mean, rtol=1e-5)
    assert used[0, 1].unique().item() == pytest.approx(NOISE_GAIN * estimate_noise(whole.lr).sigma / mean, rel=1e-5)


def test_scaling_at_random_scales_what_is_told_of_the_noise_too(
    whole: Slices, make_config: Callable[..., TrainConfig]
) -> None:
    config = make_config(network=NETWORK.model_dump(), flips=False)
    [plain] = training_batches([whole], config, 1)
    [scaled] = training_batches([whole], config.model_copy(update={"scaling": 1.0}), 1)
    factor = plain.scales / scaled.scales
    assert factor.item() != pytest.approx(1, abs=0.01)
    torch.testing.assert_close(scaled.given, plain.given * factor)
    assert plain.noise is not None
    torch.testing.assert_close(scaled.noise, plain.noise * factor)


def test_the_noise_told_is_the_one_given_times_the_strength(whole: Slices, model: PlainRestorer) -> None:
    network: Any = model.network
    told = {}
    for strength in (1.0, 2.0):
        options = DenoiseOptions(device="cpu", precision="float32", noise=25.0, strength=strength)
        with SliceDenoiser(model, options) as denoiser:
            denoiser.denoise(whole.lr[None])
        told[strength] = network.heard[0, 1, 0, 0].item()
    assert told[1.0] == pytest.approx(NOISE_GAIN * 25 / np.abs(whole.lr).mean(), rel=1e-5)
    assert told[2.0] == pytest.approx(2 * told[1.0], rel=1e-6)


def test_a_plain_network_takes_no_channel_for_the_noise(whole: Slices, make_config: Callable[..., TrainConfig]) -> None:
    [batch] = training_batches([whole], make_config(), 1)
    assert batch.noise is None
    assert batch.map(torch.clone).noise is None


def test_a_noise_channel_with_new_weights_changes_nothing() -> None:
    from napari_micromri.nn.network import starting_weights

    plain = UNet(UNetConfig(features_main=(4, 6)))
    for parameter in plain.parameters():
        nn.init.normal_(parameter, std=0.1)
    told = UNet(NETWORK)
    told.load_state_dict(starting_weights(told, plain.state_dict()))
    image = torch.rand(2, 1, 12, 14)
    both = torch.cat([image, torch.full_like(image, 0.7)], dim=1)
    torch.testing.assert_close(told(both), plain(image))


def test_a_cut_of_a_simulated_pair_is_the_same_in_every_process(
    whole: Slices, make_config: Callable[..., TrainConfig]
) -> None:
    config = make_config(
        network=NETWORK.model_dump(), pairs="simulated", crop=32, cuts=2, draws=4, batch_size=2, seed=5
    )
    pairs = [replace(whole, index=k) for k in range(3)]
    alone = list(training_batches(pairs, config, 1))
    assert [len(batch.given) for batch in alone] == [4, 4]
    shares = [list(training_batches(pairs, config, 1, rank=rank, world=2)) for rank in (0, 1)]
    for number, batch in enumerate(alone):
        together = torch.cat([share[number].given for share in shares])
        assert sorted(together.sum((1, 2, 3)).tolist()) == pytest.approx(sorted(batch.given.sum((1, 2, 3)).tolist()))
        assert sum(float(share[number].weights.sum()) for share in shares) == pytest.approx(1)
