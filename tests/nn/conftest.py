"""Small networks with random weights, and their model files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from napari_micromri.nn.checkpoint import ModelCard, ModelSpec, save_checkpoint
from napari_micromri.nn.families.unet.network import UNet, UNetConfig

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def make_network() -> Callable[..., UNet]:
    """Build a network that changes its input, as a trained one does."""

    def make(**config: object) -> UNet:
        torch.manual_seed(0)
        network = UNet(UNetConfig(**({"features_main": (4, 6)} | config)))
        with torch.no_grad():
            network.head.weight.normal_(std=0.2)
        return network.eval()

    return make


@pytest.fixture
def make_spec() -> Callable[..., ModelSpec]:
    """Describe a model; any field can be given."""

    def make(**fields: object) -> ModelSpec:
        known = {"name": "small", "kind": "unet", "config": {"features_main": [4, 6]}}
        return ModelSpec(**(known | {"card": ModelCard(summary="untrained")} | fields))

    return make


@pytest.fixture
def model_file(
    tmp_path: Path, make_network: Callable[..., UNet], make_spec: Callable[..., ModelSpec]
) -> Callable[..., Path]:
    """Write a model file; fields of the description can be given."""

    def write(path: Path | None = None, **fields: object) -> Path:
        spec = make_spec(**fields)
        network = make_network(**spec.config)
        return save_checkpoint(path or tmp_path / "small.safetensors", network.state_dict(), spec)

    return write
