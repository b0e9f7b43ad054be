"""The network's estimate: three parameterisations, and where training starts from."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from napari_micromri.nn.families.apddm.config import ApddmConfig, options_for
from napari_micromri.nn.families.apddm.network import estimate, known_part
from napari_micromri.nn.families.apddm.path import AnchoredPath
from napari_micromri.nn.families.unet.network import UNet, UNetConfig
from napari_micromri.nn.network import starting_weights

PLAIN = UNetConfig(features_main=(4, 6), patch_size=2)


def trained() -> UNet:
    torch.manual_seed(0)
    network = UNet(PLAIN)
    torch.nn.init.normal_(network.head.weight, std=0.2)
    return network.double().eval()


def extended(parameterisation: str) -> tuple[UNet, ApddmConfig]:
    config = ApddmConfig(unet=options_for(parameterisation, PLAIN), parameterisation=parameterisation, steps=10)
    return UNet(config.unet).double().eval(), config


@pytest.mark.parametrize("parameterisation", ["residual", "simplified"])
def test_it_starts_as_the_trained_unet(parameterisation: str) -> None:
    plain = trained()
    network, config = extended(parameterisation)
    network.load_state_dict(starting_weights(network, plain.state_dict()))
    anchor = torch.rand(2, 1, 13, 18, dtype=torch.float64)
    with torch.no_grad():
        found = estimate(network, config, anchor, anchor, torch.tensor([10, 10]))
        torch.testing.assert_close(found, plain(anchor), rtol=1e-12, atol=1e-12)


def test_what_the_second_channel_holds_changes_nothing_at_first() -> None:
    plain = trained()
    network, _ = extended("residual")
    network.load_state_dict(starting_weights(network, plain.state_dict()))
    anchor = torch.rand(2, 1, 13, 18, dtype=torch.float64)
    with torch.no_grad():
        found = network(torch.cat([anchor, torch.randn_like(anchor)], dim=1), torch.rand(2, dtype=torch.float64))
        torch.testing.assert_close(found, plain(anchor), rtol=1e-12, atol=1e-12)


def test_the_paper_s_network_is_multiplied_away_where_inference_starts() -> None:
    network, config = extended("paper")
    x = torch.rand(2, 1, 8, 8, dtype=torch.float64)
    with torch.no_grad():
        assert torch.equal(estimate(network, config, x, x, torch.tensor([10, 10])), x)
        assert not torch.equal(estimate(network, config, x, x, torch.tensor([5, 5])), x)


@pytest.mark.parametrize("beta", [0.0, 0.3, 0.6, 2.0])
def test_the_known_part_is_the_best_mix_of_the_point_and_the_anchor(beta: float) -> None:
    path = AnchoredPath(10, beta)
    weight, missed = known_part(path)

    def error(w: np.ndarray) -> np.ndarray:
        left = 1 - np.arange(11) / 10
        return (1 - w * left) ** 2 + w**2 * path.variance

    assert (weight[-1], missed[-1]) == (0.0, 1.0)
    np.testing.assert_allclose(missed**2, error(weight), atol=1e-12)
    for shift in (-0.01, 0.01):
        assert (error(weight) <= error(weight + shift) + 1e-12).all()


def test_a_point_without_noise_gives_the_good_scan_away() -> None:
    path = AnchoredPath(10, 0.0)
    weight, missed = known_part(path)
    good, anchor = torch.rand(2, 1, 4, 4), torch.rand(2, 1, 4, 4)
    for t in range(10):
        x = path.jump(good, anchor - good, torch.tensor([t, t]), torch.zeros(()))
        torch.testing.assert_close(anchor + weight[t] * (x - anchor), good, rtol=1e-4, atol=1e-5)
    assert missed[:-1].max() < 1e-6


@pytest.mark.parametrize(
    "wrong",
    [
        {"parameterisation": "paper"},
        {"unet": PLAIN},
        {"steps": 0},
        {"steps": 1},  # the parabola is zero at its only step
        {"beta": float("nan")},
        {"schedule": {"name": "spiral"}},
        {"surprise": 1},
    ],
    ids=str,
)
def test_a_senseless_model_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ApddmConfig.model_validate({"unet": options_for("residual", PLAIN)} | wrong)


def test_a_description_comes_back_from_json() -> None:
    config = ApddmConfig(unet=options_for("residual", PLAIN), schedule={"name": "bridge"}, beta=0.4)
    assert ApddmConfig.model_validate_json(config.model_dump_json()) == config
    assert ApddmConfig.model_validate(config.model_dump()) == config


def test_the_simplified_model_takes_one_step() -> None:
    assert extended("simplified")[1].most_steps == 1
    assert extended("residual")[1].most_steps == 10
