"""All about UNets, without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_micromri.errors import ModelError
from napari_micromri.nn.families.unet.config import UNetConfig
from napari_micromri.nn.families.unet.presets import PRESETS
from napari_micromri.nn.family import Family

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import BaseModel

    from napari_micromri.nn.checkpoint import ModelSpec
    from napari_micromri.nn.families.unet.network import UNet
    from napari_micromri.nn.family import NetworkConfig


@dataclass(frozen=True, kw_only=True)
class _UNetFamily(Family):
    def check(self, network: NetworkConfig, settings: BaseModel | None) -> None:
        del settings
        refuse_extra_inputs(network)

    def shape(self, spec: ModelSpec, where: Path | None = None) -> UNetConfig:
        network = self.read(UNetConfig, spec, where)
        if network.guided or network.time_embedding:
            name = where or spec.name
            raise ModelError(f"The model {name} isn't a plain UNet: it needs additional inputs. Choose another file.")
        return network

    def build(self, network: NetworkConfig) -> UNet:
        from napari_micromri.nn.families.unet.network import UNet

        assert isinstance(network, UNetConfig)  # noqa: S101  # `TrainConfig` and `shape` see to it
        return UNet(network)


def refuse_extra_inputs(network: NetworkConfig) -> None:
    """Raise a ValueError where a person chose what follows from the kind of model."""
    if isinstance(network, UNetConfig) and (network.guided or network.time_embedding):
        raise ValueError("'guided' and 'time_embedding' follow from the kind of model and can't be chosen")


UNET = _UNetFamily(
    kind="unet",
    label="UNet",
    plural="UNets",
    about="Takes a fast slice and gives a good one, in one step. Learns quickly; the right choice to begin with.",
    network=UNetConfig,
    presets=PRESETS,
    starts_from=("unet",),
)
