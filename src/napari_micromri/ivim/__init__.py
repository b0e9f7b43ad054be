"""IVIM: maps of D, f and D* from a diffusion-weighted scan, their uncertainty, and how good signals are.

``make_model("bayes", FitOptions(...))`` gives a `Model`; ``model.fit(signals, b_values, mask)`` a `Fit`::

    from napari_micromri.ivim import FitOptions, make_model

    fit = make_model("bayes").fit(signals, b_values, mask)   # signals (volumes, *grid), one b-value per volume
    fit.maps["D"], fit.sd["D"]                 # (*grid), mm^2/s; also "f" (a fraction), "Dp", "S0"
    fit.residual, fit.flags                    # fit quality as a fraction of S0; why a voxel is suspicious
    fit.curve([0, 50, 800], where=(3, 40, 52)) # the fitted signal of one voxel

Fitting slice after slice: ``model = model.learn(some_slices, b_values)`` keeps noise, prior or trained weights, so that
every slice is fitted with the same; ``fit`` on a model that has learned nothing learns from what it is given.

- `signal`: the model, its parameters with names, units and contrast limits, bounds;
- `b_values`: reading, typing, checking, averaging repeats;
- `methods`: the table of estimators with a sentence of advice each;
- `simulation`: voxels and phantoms with known parameters.
"""

from napari_micromri.ivim.fit import AT_BOUND, Fit, Flag
from napari_micromri.ivim.methods import METHODS, Method, make_model
from napari_micromri.ivim.model import FitOptions, Model
from napari_micromri.ivim.signal import PARAMETERS, Bounds, Parameter, biexponential

__all__ = [
    "AT_BOUND",
    "METHODS",
    "PARAMETERS",
    "Bounds",
    "Fit",
    "FitOptions",
    "Flag",
    "Method",
    "Model",
    "Parameter",
    "biexponential",
    "make_model",
]
