"""Which models there are, and how each kind is loaded. Cheap to import: torch comes with the first model."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_micromri.errors import ModelError, describe_os_error
from napari_micromri.nn.checkpoint import read_spec
from napari_micromri.nn.families import FAMILIES

if TYPE_CHECKING:
    from napari_micromri.nn.restorer import Restorer

PRETRAINED = Path(__file__).parent / "pretrained"
FOLDERS_VARIABLE = "MICROMRI_MODELS"
"""Environment variable with more folders of models, separated as in PATH."""


@dataclass(frozen=True)
class ModelEntry:
    """A model that can be chosen by its name."""

    name: str
    kind: str
    path: Path
    summary: str
    factor: int
    parameters: int
    most_steps: int = 1
    """How many steps the model may take; 1 for all but diffusion models."""
    takes_noise: bool = False
    """Whether the model is told the noise, so that its strength can be chosen."""
    has_errors: bool = False
    """Whether the model says how large its errors are."""


def available_models() -> list[ModelEntry]:
    """List the shipped models and those in the folders of ``MICROMRI_MODELS``; the first of a name wins.

    A file there that isn't a model is skipped.
    """
    found: dict[str, ModelEntry] = {}
    for folder in _folders():
        for path in sorted(folder.glob("*.safetensors")):
            try:
                entry = describe_model(path)
            except ModelError:
                continue
            found.setdefault(entry.name, entry)
    return list(found.values())


def describe_model(path: Path | str) -> ModelEntry:
    """Describe a model file by its header.

    Raises
    ------
    ModelError
        See `napari_micromri.nn.checkpoint.read_spec`.
    """
    spec, parameters = read_spec(path)
    family = FAMILIES.get(spec.kind)
    return ModelEntry(
        spec.name,
        spec.kind,
        Path(path),
        spec.card.summary,
        spec.factor,
        parameters,
        most_steps=family.most_steps(spec.config) if family is not None else 1,
        takes_noise=family is not None and family.takes_noise(spec.config),
        has_errors=spec.errors is not None,
    )


def load_model(name_or_path: str | Path) -> Restorer:
    """Load a model by its name or from a file, ready to run on the CPU.

    Raises
    ------
    ModelError
        No such model, or the file is damaged, of an unknown kind, or of a later version.
    """
    path = find_model(name_or_path)
    spec, _ = read_spec(path)
    if spec.kind not in FAMILIES:
        known = ", ".join(FAMILIES)
        raise ModelError(
            f"The model {path} is of the kind '{spec.kind}'; this version knows {known}. Update napari-micromri."
        )
    return FAMILIES[spec.kind].load(path)


def find_model(name_or_path: str | Path) -> Path:
    """Find the file of a model.

    Raises
    ------
    ModelError
        Neither a known name nor a file.
    """
    models = available_models()
    for entry in models:
        if entry.name == str(name_or_path):
            return entry.path
    path = Path(name_or_path)
    try:
        if path.exists():
            return path
    except OSError as error:  # a name that is too long, or a folder that may not be looked into
        raise ModelError(describe_os_error(error, path)) from error
    names = ", ".join(entry.name for entry in models) or "none"
    raise ModelError(f"There is no model called '{name_or_path}' and no such file. Known models: {names}.")


def _folders() -> list[Path]:
    extra = os.environ.get(FOLDERS_VARIABLE, "")
    return [PRETRAINED, *(Path(part).expanduser() for part in extra.split(os.pathsep) if part)]
