"""Model files: safetensors, whose header describes the model completely.

The header's metadata holds one JSON text, a `ModelSpec`: which network, how slices are brought to it and back, where it
comes from, and a model card. Nothing is ever unpickled, so a model from a stranger can't run code.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from napari_micromri.errors import ModelError, describe_os_error
from napari_micromri.io.atomic import atomic_output
from napari_micromri.nn.normalisation import Normalisation
from napari_micromri.simulation.resampling import Upsampling

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

FORMAT = "napari-micromri model"
VERSION = 1


class ModelCard(BaseModel):
    """What a person should know before using a model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    summary: str
    intended_use: str = ""
    limits: str = ""
    training_data: dict[str, str] = Field(default_factory=dict, description="source -> origin and licence")
    licence: str = ""


class ModelSpec(BaseModel):
    """All about a model but its weights.

    Parameters
    ----------
    kind
        Which family of models, e.g. ``"unet"``; see `napari_micromri.nn.registry.KINDS`.
    config
        Shape of the network; what it holds depends on the kind.
    factor
        Pixels of the result per pixel of the input, along each axis.
    upsampling
        How slices come to the grid of the result before the network sees them.
    provenance
        JSON-like: data, split, seeds, versions, time.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1)
    kind: str
    config: dict[str, Any]
    factor: int = Field(default=2, ge=1, le=16)
    upsampling: Upsampling = "sinc"
    normalisation: Normalisation = Normalisation()
    provenance: dict[str, Any] = Field(default_factory=dict)
    card: ModelCard


def save_checkpoint(
    path: Path | str, weights: Mapping[str, Tensor], spec: ModelSpec, *, overwrite: bool = False
) -> Path:
    """Write a model file, whole or not at all.

    Raises
    ------
    WriteError
        See `napari_micromri.io.atomic.atomic_output`.
    """
    from safetensors.torch import save

    metadata = {"format": FORMAT, "version": str(VERSION), "model": spec.model_dump_json()}
    content = save({name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}, metadata)
    with atomic_output(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(content)
    return Path(path)


def read_spec(path: Path | str) -> tuple[ModelSpec, int]:
    """Read what a model file says of itself, and its number of parameters, without its weights and without torch.

    Raises
    ------
    ModelError
        No such file, damaged, not one of ours, or made by a later version of this package.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            shapes = [file.get_slice(key).get_shape() for key in file.keys()]
    except OSError as error:
        _refuse_unreadable(error, path)
    except SafetensorError as error:
        raise ModelError(_not_a_model(path)) from error
    return _parse(metadata, path), sum(_product(shape) for shape in shapes)


def load_weights(path: Path | str) -> dict[str, Tensor]:
    """Read the weights into memory, on the CPU.

    Raises
    ------
    ModelError
        The file is missing or damaged, or holds numbers that are not finite.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    path = Path(path)
    try:
        weights: dict[str, Tensor] = load(path.read_bytes())
    except OSError as error:
        _refuse_unreadable(error, path)
    except (SafetensorError, KeyError, ValueError) as error:
        raise ModelError(_not_a_model(path)) from error
    for name, tensor in weights.items():
        if tensor.is_complex() or not bool(tensor.isfinite().all()):
            raise ModelError(f"The model {path} is damaged: its weights '{name}' are not all numbers. Get it anew.")
    return weights


def fingerprint(path: Path | str) -> str:
    """Identify a model file by the first 16 hex digits of its SHA-256."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16]


def _parse(metadata: Mapping[str, str], path: Path) -> ModelSpec:
    if metadata.get("format") != FORMAT:
        raise ModelError(f"{path} holds weights, but not of a model of napari-micromri. Choose another file.")
    version = metadata.get("version", "")
    if not version.isascii() or not version.isdigit():
        raise ModelError(f"The model {path} is damaged: it doesn't say which version wrote it. Get it anew.")
    if int(version) > VERSION:
        raise ModelError(f"The model {path} was made by a later version of napari-micromri. Update napari-micromri.")
    try:
        return ModelSpec.model_validate(json.loads(metadata.get("model", "")))
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise ModelError(f"The model {path} is damaged: its '{where}' makes no sense. Get it anew.") from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"The model {path} is damaged: its description can't be read. Get it anew.") from error


def _refuse_unreadable(error: OSError, path: Path) -> NoReturn:
    if path.is_dir():
        raise ModelError(f"{path} is a folder; a model is one .safetensors file.") from error
    raise ModelError(describe_os_error(error, path)) from error


def _not_a_model(path: Path) -> str:
    return (
        f"{path} is no model file, or a damaged one. Models are .safetensors files; pickled ones (.pt, .pth, .ckpt) "
        "are never loaded, since they can run code."
    )


def _product(shape: list[int]) -> int:
    result = 1
    for count in shape:
        result *= count
    return result
