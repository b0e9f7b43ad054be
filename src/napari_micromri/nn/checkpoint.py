"""Model files: safetensors, whose header describes the model completely.

The header's metadata holds one JSON text, a `ModelSpec`: which network, how slices are brought to it and back, where it
comes from, and a model card. Nothing is ever unpickled, so a model from a stranger can't run code.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from napari_micromri.errors import ModelError, describe_os_error
from napari_micromri.io.atomic import atomic_output
from napari_micromri.nn.error_table import ErrorTable
from napari_micromri.nn.normalisation import Normalisation
from napari_micromri.simulation.resampling import Upsampling

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import Tensor

FORMAT = "napari-micromri model"
VERSION = 1
LARGEST_HEADER = 2**21
"""Bytes of a file's description; the shipped models take 6,000."""

FLOATS = {"F64", "F32", "F16", "BF16"}
"""Types of weights, as safetensors calls them."""

OneLine: TypeAlias = Annotated[str, StringConstraints(max_length=300, pattern=r"^[^\p{C}\p{Zl}\p{Zp}]+$")]
"""One visible line: it is printed in terminals and in error messages, wherever the file came from."""


class ModelCard(BaseModel):
    """What a person should know before using a model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    summary: OneLine
    intended_use: str = ""
    limits: str = ""
    training_data: dict[str, str] = Field(default_factory=dict, description="source -> origin and licence")
    licence: str = ""


class ModelSpec(BaseModel):
    """All about a model but its weights.

    Parameters
    ----------
    kind
        Which family of models, e.g. ``"unet"``; see `napari_micromri.nn.families`.
    config
        Shape of the network; what it holds depends on the kind.
    factor
        Pixels of the result per pixel of the input, along each axis.
    upsampling
        How slices come to the grid of the result before the network sees them.
    provenance
        JSON-like: data, split, seeds, versions, time.
    errors
        How large the errors of its results are, where that was measured.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: OneLine
    kind: OneLine
    config: dict[str, Any]
    factor: int = Field(default=2, ge=1, le=16)
    upsampling: Upsampling = "sinc"
    normalisation: Normalisation = Normalisation()
    provenance: dict[str, Any] = Field(default_factory=dict)
    errors: ErrorTable | None = None
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
    from safetensors import safe_open

    path = Path(path)
    with _refusing_damage(path):
        _check_header(path)
        # The library calls every file that it can't open missing; Python's own opening says what is wrong.
        path.open("rb").close()
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            shapes = [file.get_slice(key).get_shape() for key in file.keys()]
    return _parse(metadata, path), sum(math.prod(shape) for shape in shapes)


def load_weights(path: Path | str, shapes: Mapping[str, tuple[int, ...]]) -> tuple[dict[str, Tensor], str]:
    """Read the weights of a network into memory, as float32 on the CPU.

    Parameters
    ----------
    shapes
        Name and shape of every weight that the network has.

    Returns
    -------
    tuple
        The weights by name, and the first 16 hex digits of the SHA-256 of the file that they came from.

    Raises
    ------
    ModelError
        The file is missing or damaged, holds other weights, or numbers that are not finite.
    """
    from safetensors import deserialize
    from safetensors.torch import load

    path = Path(path)
    with _refusing_damage(path):
        _check_header(path)
        content = path.read_bytes()
        views = dict(deserialize(content))
    # Compared before torch makes tensors of them: it fails in many ways on absurd shapes and types.
    found = {name: tuple(view["shape"]) for name, view in views.items()}
    if found != dict(shapes) or not FLOATS.issuperset(view["dtype"] for view in views.values()):
        raise weights_dont_fit(path)
    weights = {name: tensor.float() for name, tensor in load(content).items()}
    for name, tensor in weights.items():
        if not bool(tensor.isfinite().all()):
            raise ModelError(
                f"The model {path} is damaged: its weights '{name}' are not all numbers. Download it again."
            )
    return weights, hashlib.sha256(content).hexdigest()[:16]


def _check_header(path: Path) -> None:
    """Refuse a description so long that parsing it would fill the memory; the library takes 100 MB."""
    from safetensors import SafetensorError

    with path.open("rb") as stream:
        if int.from_bytes(stream.read(8), "little") > LARGEST_HEADER:
            raise SafetensorError("the header is too large")


def weights_dont_fit(path: Path) -> ModelError:
    """Make the error for weights that belong to another network."""
    return ModelError(f"The weights in {path} don't fit the network that it describes. Download the file again.")


def faulty_field(error: ValidationError) -> str:
    """Name the field that makes no sense, fit for a sentence: names of unknown fields are whatever the file says."""
    name = ".".join(str(part) for part in error.errors()[0]["loc"]) or "description"
    return name if name.isprintable() and len(name) <= 80 else ascii(name[:80])[1:-1]


def _parse(metadata: Mapping[str, str], path: Path) -> ModelSpec:
    if metadata.get("format") != FORMAT:
        raise ModelError(f"{path} holds weights, but not of a model of napari-micromri. Choose another file.")
    version = metadata.get("version", "")
    if not re.fullmatch(r"[1-9][0-9]{0,8}", version):
        raise ModelError(f"The model {path} is damaged: it doesn't say which version wrote it. Download it again.")
    if int(version) > VERSION:
        raise ModelError(f"The model {path} was made by a later version of napari-micromri. Update napari-micromri.")
    try:
        return ModelSpec.model_validate(json.loads(metadata.get("model", "")))
    except ValidationError as error:
        raise ModelError(
            f"The model {path} is damaged: its '{faulty_field(error)}' makes no sense. Download it again."
        ) from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"The model {path} is damaged: its description can't be read. Download it again.") from error


@contextmanager
def _refusing_damage(path: Path) -> Iterator[None]:
    from safetensors import SafetensorError

    try:
        if path.exists() and not path.is_file():
            kind = "a folder" if path.is_dir() else "no ordinary file"
            raise ModelError(f"{path} is {kind}; a model is one .safetensors file.")
        yield
    except OSError as error:
        raise ModelError(describe_os_error(error, path)) from error
    except SafetensorError as error:
        raise ModelError(
            f"{path} isn't a model file, or it is damaged. Models are .safetensors files; pickled ones (.pt, .pth, "
            ".ckpt) are never loaded, since they can run code."
        ) from error
