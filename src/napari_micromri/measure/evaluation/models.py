"""The models of an evaluation: loaded, labelled, and fit for the pairs that they are evaluated on."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from napari_micromri.errors import InputError, ModelError
from napari_micromri.measure.evaluation.rows import BASELINES, ModelIdentity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from napari_micromri.inference.options import DenoiseOptions
    from napari_micromri.nn.restorer import Restorer
    from napari_micromri.study.model import Pair

    Model: TypeAlias = str | Path | Restorer


def load_models(models: Sequence[Model]) -> dict[str, Restorer]:
    """Load models and label each by its name; where two share one, by name and fingerprint.

    Raises
    ------
    ModelError
        A model isn't there, is damaged, or is given twice.
    """
    from napari_micromri.nn.registry import load_model

    if not models:
        raise ModelError("There is no model to evaluate. Name one.")
    loaded = [load_model(model) if isinstance(model, str | Path) else model for model in models]
    names = [*(model.spec.name for model in loaded), *BASELINES, "LR", "HR"]
    labelled: dict[str, Restorer] = {}
    for model in loaded:
        name = model.spec.name
        label = name if names.count(name) == 1 else f"{name} ({model.fingerprint[:8]})"
        if label in labelled:
            raise ModelError(f"The model '{name}' is given twice. Name each model once.")
        labelled[label] = model
    return labelled


def check_factor(label: str, model: Restorer, pair: Pair) -> None:
    """See that a model brings a pair's LR to the grid of its HR.

    Raises
    ------
    ModelError
        It doesn't.
    """
    (_, height, width), (_, fine_height, fine_width) = pair.lr.shape, pair.hr.shape
    factor = model.spec.factor
    if (height * factor, width * factor) != (fine_height, fine_width):
        raise ModelError(
            f"The model '{label}' makes slices {factor} times finer, which doesn't fit {pair.key}: its LR has "
            f"{height} x {width} pixels and its HR {fine_height} x {fine_width}. Choose another model or set."
        )


def options_of(models: Mapping[str, Restorer], options: DenoiseOptions) -> dict[str, DenoiseOptions]:
    """Give each model the options that it can take: steps and draws are left to the diffusion models.

    Raises
    ------
    InputError
        Steps or draws that a diffusion model can't take, or that are asked for without any such model.
    """
    from napari_micromri.inference.sampling import resolve_sampling
    from napari_micromri.nn.restorer import SamplingRestorer

    plain = replace(options, steps=None, draws=None)
    found = {label: options if isinstance(model, SamplingRestorer) else plain for label, model in models.items()}
    if options not in found.values():
        raise InputError("Steps and draws are for diffusion models (APDDM), and none is among these. Leave them out.")
    for label, model in models.items():
        resolve_sampling(model, found[label])
    return found


def identify(models: Mapping[str, Restorer], options: Mapping[str, DenoiseOptions]) -> tuple[ModelIdentity, ...]:
    """Say which models they are, and how they are run."""
    from napari_micromri.inference.sampling import resolve_sampling

    def sampling(label: str, model: Restorer) -> dict[str, float] | None:
        found = resolve_sampling(model, options[label])
        return None if found is None else asdict(found)

    return tuple(
        ModelIdentity(
            label=label,
            name=model.spec.name,
            kind=model.spec.kind,
            fingerprint=model.fingerprint,
            factor=model.spec.factor,
            sampling=sampling(label, model),
            quality=options[label].quality,
            dark_air=options[label].dark_air,
        )
        for label, model in models.items()
    )


def trained_on(provenance: Mapping[str, Any]) -> set[str]:
    """Read from a model's description which subjects its weights were trained or chosen on, if it says so."""
    split = provenance.get("split")
    sets = [split.get(name) for name in ("train", "validation")] if isinstance(split, dict) else []
    return {str(subject) for names in sets if isinstance(names, list) for subject in names}
