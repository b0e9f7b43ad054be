"""The methods that there are. A new one is its module under `estimators` and a line here; importing this is cheap."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from napari_micromri.errors import InputError
from napari_micromri.ivim.model import FitOptions

if TYPE_CHECKING:
    from napari_micromri.ivim.model import Model


@dataclass(frozen=True)
class Method:
    """A way to estimate the maps.

    Parameters
    ----------
    target
        ``module:name`` below `napari_micromri.ivim.estimators` of what makes a model from `FitOptions`.
    advice
        One sentence: when to use it.
    has_sd
        Its fit gives standard deviations.
    needs_grid
        It looks at neighbours, so signals must be slices or volumes.
    learns
        `Model.learn` takes more than an instant: a network is trained.
    bounded
        Its parameters stay within `FitOptions.bounds`.
    """

    name: str
    target: str
    advice: str
    has_sd: bool = False
    needs_grid: bool = False
    learns: bool = False
    bounded: bool = False


METHODS = {
    method.name: method
    for method in (
        Method("adc", "adc:Adc", "One number, D, when there are too few b-values for f and D*."),
        Method(
            "segmented",
            "segmented:Segmented",
            "The usual two-step fit, to compare with published values.",
            bounded=True,
        ),
        Method(
            "lsq",
            "lsq:Lsq",
            "Least squares without any prior: unbiased at high SNR, very noisy below about 40.",
            bounded=True,
        ),
        Method(
            "bayes",
            "bayes:Bayes",
            "The most accurate for single voxels, with standard deviations: the first choice.",
            True,
        ),
        Method("spatial", "spatial:Spatial", "As bayes, and learns from neighbours: for low SNR.", True, True),
        Method(
            "cnn",
            "trained:cnn",
            "An unsupervised network, to compare with papers.",
            needs_grid=True,
            learns=True,
            bounded=True,
        ),
        Method(
            "si_cnn",
            "trained:si_cnn",
            "The network with improved signals (an interpretation of SI-CNN).",
            needs_grid=True,
            learns=True,
            bounded=True,
        ),
    )
}


def make_model(name: str, options: FitOptions | None = None) -> Model:
    """Make a model that has learned nothing yet.

    Raises
    ------
    InputError
        There is no such method.
    """
    method = METHODS.get(name)
    if method is None:
        raise InputError(f"There is no method '{name}'. Choose one of {', '.join(METHODS)}.")
    module, _, attribute = method.target.partition(":")
    found = getattr(import_module(f"napari_micromri.ivim.estimators.{module}"), attribute)
    model: Model = found(options or FitOptions())
    return model
