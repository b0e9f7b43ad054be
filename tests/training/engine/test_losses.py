"""Losses and figures agree with the reference implementations, and padding never enters them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from napari_micromri.measure import image_quality
from napari_micromri.nn.normalisation import Normalisation
from napari_micromri.training.engine import losses
from napari_micromri.training.engine.batches import collate, inside
from napari_micromri.training.engine.samples import whole_sample

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Slices
    from napari_micromri.training.config import TrainConfig

NORMALISATIONS = [Normalisation(kind="mean"), Normalisation(kind="zscore")]


@pytest.mark.parametrize("normalisation", NORMALISATIONS, ids=lambda n: n.kind)
def test_figures_are_those_of_the_reference_on_the_scans_own_units(
    make_pair: Callable[..., Slices], make_config: Callable[..., TrainConfig], normalisation: Normalisation
) -> None:
    config = make_config(normalisation=normalisation)
    samples = [whole_sample(make_pair(shape, seed=k), config) for k, shape in enumerate([(40, 30), (28, 34), (24, 24)])]
    batch = collate(samples, len(samples))
    found = {name: getattr(losses, name)(batch.given, batch) for name in ("mse", "mae", "psnr", "ssim")}
    for k, sample in enumerate(samples):
        image, reference = (part * sample.scale + sample.offset for part in (sample.given, sample.wanted))
        assert found["mse"][k].item() == pytest.approx(np.mean((sample.given - sample.wanted) ** 2), rel=1e-5)
        assert found["mae"][k].item() == pytest.approx(np.mean(np.abs(sample.given - sample.wanted)), rel=1e-5)
        assert found["psnr"][k].item() == pytest.approx(image_quality.psnr(image, reference), abs=1e-3)
        assert found["ssim"][k].item() == pytest.approx(image_quality.ssim(image, reference), abs=1e-5)


@pytest.mark.parametrize("shape", [(11, 11), (24, 37)])
def test_similarity_is_that_of_scikit_image_pixel_by_pixel(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(3)
    reference = rng.random(shape)
    for image in (reference + 0.3 * rng.normal(size=shape), 0.8 * reference, np.full(shape, 0.4), reference):
        _, expected = structural_similarity(
            image, reference, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1.0, full=True
        )
        found = losses._similarity(*(torch.from_numpy(part)[None, None] for part in (image, reference)))
        np.testing.assert_allclose(found[0, 0], expected[5:-5, 5:-5], rtol=0, atol=1e-6)


@pytest.mark.parametrize("loss", ["mse", "mae", "hybrid", "relative", "structural"])
def test_what_stands_in_the_padding_changes_neither_loss_nor_gradient(
    make_pair: Callable[..., Slices], make_config: Callable[..., TrainConfig], loss: str
) -> None:
    config = make_config(loss=loss)
    batch = collate([whole_sample(make_pair(shape), config) for shape in [(40, 30), (24, 24)]], 2)
    padding = inside(batch.sizes, *batch.given.shape[-2:]) == 0
    assert padding.any()
    results = []
    for junk in (0.0, 1e3):
        prediction = torch.where(padding, junk, batch.given).requires_grad_()
        value = losses.batch_loss(prediction, batch, config)
        value.backward()
        assert prediction.grad is not None
        assert (prediction.grad[padding] == 0).all()
        results.append((value.item(), prediction.grad))
    assert results[0][0] == results[1][0]
    assert torch.equal(results[0][1], results[1][1])


def test_the_hybrid_loss_is_the_weighted_sum(
    make_pair: Callable[..., Slices], make_config: Callable[..., TrainConfig]
) -> None:
    config = make_config(loss="hybrid", alpha=0.3)
    batch = collate([whole_sample(make_pair(), config)], 1)
    mse, ssim = losses.mse(batch.given, batch).item(), losses.ssim(batch.given, batch).item()
    assert losses.batch_loss(batch.given, batch, config).item() == pytest.approx(0.3 * mse + 0.7 * (1 - ssim), rel=1e-5)


@pytest.mark.parametrize("loss", ["mse", "mae", "hybrid", "relative", "structural"])
def test_the_loss_of_a_perfect_prediction_is_zero(
    make_pair: Callable[..., Slices], make_config: Callable[..., TrainConfig], loss: str
) -> None:
    config = make_config(loss=loss)
    batch = collate([whole_sample(make_pair(), config)], 1)
    assert losses.batch_loss(batch.wanted, batch, config).item() == pytest.approx(0, abs=1e-6)
    assert losses.psnr(batch.wanted, batch).item() == math.inf


def test_the_relative_loss_counts_in_errors_of_the_input_and_the_structural_one_adds_brightness(
    make_pair: Callable[..., Slices], make_config: Callable[..., TrainConfig]
) -> None:
    sample = whole_sample(make_pair((32, 48)), make_config())
    batch = collate([sample], 1)
    given = np.mean((sample.given - sample.wanted) ** 2) + losses.LEAST_INPUT_ERROR
    darker = batch.wanted - 0.1
    relative = losses.batch_loss(darker, batch, make_config(loss="relative")).item()
    assert relative == pytest.approx(0.01 / given, rel=1e-4)
    structural = losses.batch_loss(darker, batch, make_config(loss="structural")).item()
    # All squares are darker by 0.1, so that their own error is that of the pixels, and counts ten times.
    ssim = losses.ssim(darker, batch).item()
    assert structural == pytest.approx(11 * 0.01 / given + 1 - ssim, rel=1e-4)
    checked = batch.wanted + 0.1 * (torch.arange(48) % 2 * 2 - 1)
    structural = losses.batch_loss(checked, batch, make_config(loss="structural")).item()
    assert structural == pytest.approx(0.01 / given + 1 - losses.ssim(checked, batch).item(), rel=1e-4)


@pytest.mark.parametrize(("width", "counts"), [(8, 0), (16, 1)])
def test_the_structural_loss_compares_the_brightness_of_squares_of_16_pixels(
    make_pair: Callable[..., Slices], make_config: Callable[..., TrainConfig], width: int, counts: int
) -> None:
    sample = whole_sample(make_pair((32, 48)), make_config())
    batch = collate([sample], 1)
    given = np.mean((sample.given - sample.wanted) ** 2) + losses.LEAST_INPUT_ERROR
    striped = batch.wanted + 0.1 * (1 - 2 * (torch.arange(48) // width % 2))
    structural = losses.batch_loss(striped, batch, make_config(loss="structural")).item()
    ssim = losses.ssim(striped, batch).item()
    assert structural == pytest.approx((1 + 10 * counts) * 0.01 / given + 1 - ssim, rel=1e-4)


def test_slices_too_small_for_windows_have_no_ssim_and_still_a_loss(
    make_pair: Callable[..., Slices], make_config: Callable[..., TrainConfig]
) -> None:
    config = make_config(loss="hybrid")
    batch = collate([whole_sample(make_pair((8, 8)), config), whole_sample(make_pair((24, 24)), config)], 2)
    ssim = losses.ssim(batch.given, batch)
    assert math.isnan(ssim[0].item())
    assert 0 < ssim[1].item() < 1
    assert math.isfinite(losses.batch_loss(batch.given, batch, config).item())
    small = collate([whole_sample(make_pair((8, 8)), config)], 1)
    assert math.isnan(losses.ssim(small.given, small).item())
