"""The models of an evaluation: loaded, labelled, and fit for the pairs that they are evaluated on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from napari_micromri.errors import ModelError
from napari_micromri.measure.evaluation.rows import BASELINES, ModelIdentity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

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


def identify(models: Mapping[str, Restorer]) -> tuple[ModelIdentity, ...]:
    """Say which models they are."""
    return tuple(
        ModelIdentity(
            label=label,
            name=model.spec.name,
            kind=model.spec.kind,
            fingerprint=model.fingerprint,
            factor=model.spec.factor,
        )
        for label, model in models.items()
    )


def trained_on(provenance: Mapping[str, Any]) -> set[str]:
    """Read from a model's description which subjects its weights were trained or chosen on, if it says so."""
    split = provenance.get("split")
    sets = [split.get(name) for name in ("train", "validation")] if isinstance(split, dict) else []
    return {str(subject) for names in sets if isinstance(names, list) for subject in names}
