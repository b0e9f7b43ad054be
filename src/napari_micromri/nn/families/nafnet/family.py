"""All about NAFNets, without torch: what a kind of model gives that is just a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_micromri.nn.families.nafnet.config import NAFNetConfig
from napari_micromri.nn.families.recipes import PATCHES, QUICK, SHIPPED, SIMULATED
from napari_micromri.nn.family import Family, Preset

if TYPE_CHECKING:
    from napari_micromri.nn.families.nafnet.network import NAFNet
    from napari_micromri.nn.family import NetworkConfig


@dataclass(frozen=True, kw_only=True)
class _NAFNetFamily(Family):
    def build(self, network: NetworkConfig) -> NAFNet:
        from napari_micromri.nn.families.nafnet.network import NAFNet

        assert isinstance(network, NAFNetConfig)  # noqa: S101  # `TrainConfig` and `shape` see to it
        return NAFNet(network)


NAFNET = _NAFNetFamily(
    kind="nafnet",
    label="NAFNet",
    plural="NAFNets",
    about="Gives a good slice in one step, as a UNet does, by gated blocks that look at the whole slice. Newer, and "
    "not yet judged on scans as the UNet is. It takes whole slices, never tiles.",
    network=NAFNetConfig,
    presets={
        "nafnet-quick": Preset(
            "a small network for a first try: minutes on a CPU", QUICK | {"network": {"features": 16, "levels": 1}}
        ),
        "nafnet": Preset(
            "from a study of good scans of many kinds, as the shipped UNet is made",
            PATCHES
            | SIMULATED
            | SHIPPED
            | {"network": {"noise_input": True}, "upsampling": "sinc", "epochs": 60, "learning_rate": 1e-3},
        ),
    },
    starts_from=("nafnet",),
)
