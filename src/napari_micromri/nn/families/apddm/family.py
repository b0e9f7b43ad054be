"""All about anchored path diffusion models, without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_micromri.errors import InputError
from napari_micromri.nn.families.apddm.config import ApddmConfig
from napari_micromri.nn.families.apddm.presets import PRESETS
from napari_micromri.nn.families.apddm.settings import ApddmSettings
from napari_micromri.nn.families.unet.config import UNetConfig
from napari_micromri.nn.families.unet.family import UNET, refuse_extra_inputs
from napari_micromri.nn.family import Family, cant_choose

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pydantic import BaseModel

    from napari_micromri.nn.checkpoint import ModelSpec
    from napari_micromri.nn.families.apddm.method import PathMethod
    from napari_micromri.nn.families.apddm.restorer import ApddmRestorer
    from napari_micromri.nn.family import NetworkConfig
    from napari_micromri.nn.network import Network
    from napari_micromri.training.config import TrainConfig
    from napari_micromri.training.data import SlicePair

KEEPS = ("parameterisation", "steps", "beta", "schedule")


@dataclass(frozen=True, kw_only=True)
class _ApddmFamily(Family):
    def check(self, network: NetworkConfig, settings: BaseModel | None) -> None:
        refuse_extra_inputs(network)
        self.model(network, settings)

    def model(self, network: NetworkConfig, settings: BaseModel | None) -> ApddmConfig:
        assert isinstance(network, UNetConfig)  # noqa: S101  # `TrainConfig` sees to it
        assert isinstance(settings, ApddmSettings)  # noqa: S101
        return settings.model(network)

    def completed(self, network: NetworkConfig, settings: BaseModel | None) -> UNetConfig:
        return self.model(network, settings).unet

    def shape(self, spec: ModelSpec, where: Path | None = None) -> UNetConfig:
        return self.read(ApddmConfig, spec, where).unet.model_copy(update={"guided": False, "time_embedding": False})

    def most_steps(self, config: Mapping[str, Any]) -> int:
        steps = config.get("steps", 1)
        return steps if config.get("parameterisation") != "simplified" and isinstance(steps, int) else 1

    def takes_noise(self, config: Mapping[str, Any]) -> bool:
        network = config.get("unet")
        return isinstance(network, dict) and super().takes_noise(network)

    def start_from(self, spec: ModelSpec, other: Family, config: TrainConfig) -> dict[str, BaseModel]:
        if other.kind != self.kind:
            brought = super().start_from(spec, other, config)
            _check_same_start(spec, config, other.shape(spec))
            return brought
        network = self.shape(spec)
        if config.network.noise_input and not network.noise_input:
            raise InputError(f"{spec.name} has no channel for the noise, and a trained diffusion model can't get one.")
        return {"network": network, self.kind: _path_settings(self.read(ApddmConfig, spec), config)}

    def build(self, network: NetworkConfig) -> Network:
        return UNET.build(network)

    def load(self, path: Path) -> ApddmRestorer:
        from napari_micromri.nn.families.apddm.restorer import load

        return load(path, self)

    def method(self, config: TrainConfig, slices: Sequence[SlicePair]) -> PathMethod:
        from napari_micromri.nn.families.apddm.method import PathMethod

        return PathMethod(config, slices)


def settings_of(config: TrainConfig) -> ApddmSettings:
    """Give the settings of a diffusion model's training."""
    settings = config.settings
    assert isinstance(settings, ApddmSettings)  # noqa: S101  # as the table says
    return settings


def model_of(config: TrainConfig) -> ApddmConfig:
    """Describe the diffusion model that a configuration trains."""
    return APDDM.model(config.network, config.settings)


def _check_same_start(spec: ModelSpec, config: TrainConfig, network: NetworkConfig) -> None:
    """Refuse what wouldn't compute the same as the UNet at first."""
    settings = settings_of(config)
    if settings.parameterisation == "paper":
        raise InputError("The parameterisation 'paper' can't start from a UNet: its network estimates something else.")
    assert isinstance(network, UNetConfig)  # noqa: S101  # as `starts_from` says
    if settings.model(network).unet.residual != network.residual:
        raise InputError(
            f"A diffusion model can't start from {spec.name}, which doesn't learn the difference to its input. Start "
            "from scratch or from another model."
        )


def _path_settings(model: ApddmConfig, config: TrainConfig) -> ApddmSettings:
    """Put what was chosen over the path of the model; what its network estimates can't be changed."""
    from napari_micromri.training.config import parse_config

    settings = settings_of(config)
    chosen = {key: getattr(settings, key) for key in settings.model_fields_set}
    if chosen.get("parameterisation", model.parameterisation) != model.parameterisation:
        raise cant_choose("apddm.parameterisation", config.init_from)
    own = {key: getattr(model, key) for key in KEEPS}
    return settings_of(parse_config({"kind": "apddm", "apddm": own | chosen}))


APDDM = _ApddmFamily(
    kind="apddm",
    label="APDDM",
    plural="diffusion models",
    about="A diffusion model: one step gives about what a UNet gives, more steps bring texture back, several draws "
    "an uncertainty map. The differences between the scans of your pairs are the noise that it learns from.",
    network=UNetConfig,
    settings=ApddmSettings,
    title="Diffusion path",
    presets=PRESETS,
    starts_from=("unet", "apddm"),
    keeps=KEEPS,
)
