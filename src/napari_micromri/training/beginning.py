"""What a run begins with: a new network, or that of a model, which then brings its own settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from napari_micromri.errors import InputError, ModelError
from napari_micromri.nn.checkpoint import faulty_field
from napari_micromri.nn.families.apddm.config import ApddmConfig
from napari_micromri.nn.families.unet.config import UNetConfig
from napari_micromri.training.config import parse_config

if TYPE_CHECKING:
    from napari_micromri.nn.checkpoint import ModelSpec
    from napari_micromri.nn.families.apddm.settings import ApddmSettings
    from napari_micromri.training.config import TrainConfig

T = TypeVar("T", bound=BaseModel)


def settle_config(config: TrainConfig) -> TrainConfig:
    """Put what the model of ``init_from`` brings into its place, so that the configuration says all about the run.

    A UNet is gone on from by UNets, and by diffusion models that compute the same as it does at first.

    Raises
    ------
    ModelError
        There is no such model, it is damaged, or of a kind that this one can't go on from.
    InputError
        The configuration asks for another network or path than that of the model.
    """
    from napari_micromri.nn.checkpoint import read_spec
    from napari_micromri.nn.registry import find_model

    if config.init_from is None:
        return config
    path = find_model(config.init_from)
    spec, _ = read_spec(path)
    if spec.kind not in ("unet", config.kind):
        wanted = "UNets" if config.kind == "unet" else "UNets and diffusion models"
        raise ModelError(f"The model {path} is of the kind '{spec.kind}'; this training goes on from {wanted} only.")
    brought: dict[str, Any] = {
        "network": _network(spec, config),
        "upsampling": spec.upsampling,
        "normalisation": spec.normalisation,
    }
    for key in brought.keys() & config.model_fields_set:
        if getattr(config, key) != brought[key] and not _only_tells_noise(key, config):
            raise InputError(
                f"'{key}' can't be chosen, since {config.init_from} brings its own. Leave one of them out."
            )
    if spec.kind == "apddm":
        brought["apddm"] = _path_settings(_read(ApddmConfig, spec), config)
    return config.model_copy(update=brought | {"init_from": str(path)})


def _only_tells_noise(key: str, config: TrainConfig) -> bool:
    """Tell whether a channel for the noise is all that is added: its first weights are zero, so nothing changes."""
    return key == "network" and config.network.noise_input and config.network.model_fields_set == {"noise_input"}


def _network(spec: ModelSpec, config: TrainConfig) -> UNetConfig:
    """Shape of the model's network, without the inputs that follow from the kind of model."""
    if spec.kind == "apddm":
        network = _read(ApddmConfig, spec).unet.model_copy(update={"guided": False, "time_embedding": False})
        if config.network.noise_input and not network.noise_input:
            raise InputError(f"{spec.name} has no channel for the noise, and a trained diffusion model can't get one.")
        return network
    network = _read(UNetConfig, spec)
    if config.kind == "apddm":
        _check_same_start(spec, config.apddm, network)
    return network.model_copy(update={"noise_input": network.noise_input or config.network.noise_input})


def _check_same_start(spec: ModelSpec, settings: ApddmSettings, network: UNetConfig) -> None:
    """Refuse what wouldn't compute the same as the UNet at first."""
    if settings.parameterisation == "paper":
        raise InputError("The parameterisation 'paper' can't go on from a UNet: its network estimates something else.")
    if settings.model(network).unet.residual != network.residual:
        raise InputError(
            f"A diffusion model can't go on from {spec.name}, which doesn't learn the difference to its input. Start "
            "from scratch or from another model."
        )


def _path_settings(model: ApddmConfig, config: TrainConfig) -> ApddmSettings:
    """Put what was chosen over the path of the model; what its network estimates can't be changed."""
    chosen = {key: getattr(config.apddm, key) for key in config.apddm.model_fields_set}
    if chosen.get("parameterisation", model.parameterisation) != model.parameterisation:
        raise InputError(
            f"'apddm.parameterisation' can't be chosen, since {config.init_from} brings its own. Leave one of them out."
        )
    own = {key: getattr(model, key) for key in ("parameterisation", "steps", "beta", "schedule")}
    return parse_config({"kind": "apddm", "apddm": own | chosen}).apddm


def _read(kind: type[T], spec: ModelSpec) -> T:
    try:
        return kind.model_validate(spec.config)
    except ValidationError as error:
        raise ModelError(f"The model {spec.name} is damaged: '{faulty_field(error)}' makes no sense.") from error
