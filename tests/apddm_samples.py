"""A diffusion model that is small and quick, for whatever needs one."""

from __future__ import annotations

import torch

from napari_micromri.nn.checkpoint import ModelCard, ModelSpec
from napari_micromri.nn.families.apddm.config import ApddmConfig, options_for
from napari_micromri.nn.families.apddm.restorer import ApddmRestorer
from napari_micromri.nn.families.unet.network import UNet, UNetConfig


def random_apddm(*widths: int) -> ApddmRestorer:
    """Give a model of random weights that changes its input clearly."""
    config = ApddmConfig(unet=options_for("residual", UNetConfig(features_main=widths, convolutions=1)), steps=8)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = UNet(config.unet)
        torch.nn.init.normal_(network.head.weight, std=0.1)
    spec = ModelSpec(name="tiny", kind="apddm", config=config.model_dump(), card=ModelCard(summary="random weights"))
    return ApddmRestorer(network, spec, config, "0123456789abcdef")
