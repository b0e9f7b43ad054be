"""What a run begins with: a new network, or that of a model, which then brings its own settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_micromri.errors import ModelError
from napari_micromri.nn.families import FAMILIES
from napari_micromri.nn.family import cant_choose

if TYPE_CHECKING:
    from napari_micromri.training.config import TrainConfig


def settle_config(config: TrainConfig) -> TrainConfig:
    """Put what the model of ``init_from`` brings into its place, so that the configuration says all about the run.

    Raises
    ------
    ModelError
        There is no such model, it is damaged, or of a kind that this one can't start from.
    InputError
        The configuration asks for another network or other settings than those of the model.
    """
    from napari_micromri.nn.checkpoint import read_spec
    from napari_micromri.nn.registry import find_model

    if config.init_from is None:
        return config
    path = find_model(config.init_from)
    spec, _ = read_spec(path)
    if spec.kind not in config.family.starts_from:
        wanted = " and ".join(FAMILIES[kind].plural for kind in config.family.starts_from)
        raise ModelError(f"The model {path} is of the kind '{spec.kind}'; this training starts from {wanted} only.")
    own = config.family.start_from(spec, FAMILIES[spec.kind], config)
    brought: dict[str, Any] = {**own, "upsampling": spec.upsampling, "normalisation": spec.normalisation}
    for key in ("network", "upsampling", "normalisation"):
        chosen = key in config.model_fields_set and getattr(config, key) != brought[key]
        if chosen and not _only_tells_noise(key, config):
            raise cant_choose(key, config.init_from)
    return config.model_copy(update=brought | {"init_from": str(path)})


def _only_tells_noise(key: str, config: TrainConfig) -> bool:
    """Tell whether a channel for the noise is all that is added: its first weights are zero, so nothing changes."""
    return key == "network" and config.network.noise_input and config.network.model_fields_set == {"noise_input"}
