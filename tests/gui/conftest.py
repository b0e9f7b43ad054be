from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def models(monkeypatch, tmp_path_factory):
    """Make a small network that was never trained; a shipped model of the same name comes first."""
    import torch

    from napari_micromri.nn.checkpoint import ModelCard, ModelSpec, save_checkpoint
    from napari_micromri.nn.families.unet.network import UNet, UNetConfig

    torch.manual_seed(0)
    config = UNetConfig(features_main=(4, 8))
    spec = ModelSpec(
        name="unet-default", kind="unet", config=config.model_dump(mode="json"), card=ModelCard(summary="untrained")
    )
    folder = tmp_path_factory.mktemp("models")
    save_checkpoint(folder / "unet-default.safetensors", UNet(config).state_dict(), spec)
    monkeypatch.setenv("MICROMRI_MODELS", str(folder))
    return folder
