"""Which steps and draws a model takes, and what it is told of the noise: checked against what the model can do."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING

from napari_micromri.errors import CancelledError, InputError
from napari_micromri.nn.restorer import Noise, Sampling, SamplingRestorer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_micromri.inference.options import DenoiseOptions
    from napari_micromri.nn.error_table import ErrorTable
    from napari_micromri.nn.restorer import Restorer
    from napari_micromri.progress import ShouldStop

STEPS_FOR_DRAWS = 5
"""Steps that several draws take unless told otherwise."""

ETA_FOR_DRAWS = 1.0
"""Share of noise per step of several draws: below 1 they differ too little for the errors that they stand for."""

ETA_FOR_TEXTURE = 0.15
"""Share of noise with which one draw of all steps has the most texture for at most 1 dB (``benchmarks/apddm.py``)."""

MOST_DRAWS = 1000

STOPPED = "Denoising was stopped."


@contextmanager
def stopping(model: Restorer, should_stop: ShouldStop) -> Iterator[None]:
    """Ask before every call of a model's network, of which a batch of slices may take hundreds, whether to stop.

    Raises
    ------
    CancelledError
        From within the model, when it was to stop.
    """
    from torch.nn import Module

    network = getattr(model, "network", None)

    def ask(*_: object) -> None:
        if should_stop():
            raise CancelledError(STOPPED)

    handle = network.register_forward_pre_hook(ask) if isinstance(network, Module) else None
    try:
        yield
    finally:
        if handle is not None:
            handle.remove()


LEAST_STRENGTH, MOST_STRENGTH = 0.25, 4.0


def resolve_sampling(model: Restorer, options: DenoiseOptions) -> Sampling | None:
    """Fill in what was left open; None for a model that knows neither steps nor draws.

    Raises
    ------
    InputError
        The model can't do what was asked for, or it makes no sense.
    """
    if not isinstance(model, SamplingRestorer):
        _refuse_choices(model, options)
        return None
    draws = 1 if options.draws is None else options.draws
    steps = options.steps
    if steps is None:
        steps = min(STEPS_FOR_DRAWS, model.most_steps) if draws > 1 else 1
    eta = options.eta
    if eta is None:
        eta = ETA_FOR_DRAWS if draws > 1 else 0.0
    sampling = Sampling(steps=steps, draws=draws, eta=eta, seed=options.seed or 0)
    _check(model, sampling)
    return sampling


def resolve_noise(model: Restorer, options: DenoiseOptions) -> Noise:
    """Check what a model shall be told of the noise.

    Raises
    ------
    InputError
        The model isn't told it, or the choice makes no sense.
    """
    asked = {"noise": options.noise is not None, "strength": options.strength != 1.0}
    names = [name for name, chosen in asked.items() if chosen]
    if names and not model.takes_noise:
        raise InputError(
            f"'{model.spec.name}' isn't told the noise, so it takes no {' or '.join(names)}. Leave that out, or choose "
            "another model."
        )
    if options.noise is not None and not (math.isfinite(options.noise) and options.noise >= 0):
        raise InputError(f"The noise is a standard deviation, 0 or more, not {options.noise:g}.")
    if not LEAST_STRENGTH <= options.strength <= MOST_STRENGTH:
        raise InputError(
            f"The strength must be between {LEAST_STRENGTH:g} and {MOST_STRENGTH:g}, not at {options.strength:g}."
        )
    return Noise(options.noise, options.strength)


def resolve_errors(model: Restorer, sampling: Sampling | None) -> ErrorTable | None:
    """Give the table that says how large errors are; None where the spread of several draws says it.

    Raises
    ------
    InputError
        Nothing says it.
    """
    if sampling is not None and sampling.draws > 1:
        return None
    name, errors = model.spec.name, model.spec.errors
    if sampling is not None and sampling.steps > 1:
        raise InputError(
            f"The errors of '{name}' are known for one step, and for several draws by their spread. "
            "Take 1 step, or at least 2 draws, better 8."
        )
    if errors is None:
        raise InputError(
            f"'{name}' doesn't say how large its errors are. Measure them with 'micromri calibrate', or choose another "
            "model."
        )
    return errors


def states_errors(model: Restorer, options: DenoiseOptions) -> bool:
    """Tell whether the model knows how large the errors of its results are with these options."""
    sampling = resolve_sampling(model, options)
    return model.spec.errors is not None and (sampling is None or sampling.steps == sampling.draws == 1)


def _refuse_choices(model: Restorer, options: DenoiseOptions) -> None:
    chosen = {
        "steps": options.steps not in (None, 1),
        "draws": options.draws not in (None, 1),
        "eta": options.eta is not None,
        "seed": options.seed is not None,
    }
    names = [name for name, asked in chosen.items() if asked]
    if names:
        raise InputError(
            f"'{model.spec.name}' is deterministic and takes one step, so it has no {' or '.join(names)}. "
            "Leave that out, or choose an APDDM model."
        )


def _check(model: SamplingRestorer, sampling: Sampling) -> None:
    if not 1 <= sampling.steps <= model.most_steps:
        raise InputError(f"'{model.spec.name}' takes 1 to {model.most_steps} steps, not {sampling.steps}.")
    if not 1 <= sampling.draws <= MOST_DRAWS:
        raise InputError(f"There can be 1 to {MOST_DRAWS} draws, not {sampling.draws}.")
    if not 0 <= sampling.eta <= 1:
        raise InputError(f"The share of noise (eta) must be between 0 and 1, not {sampling.eta:g}.")
    if not 0 <= sampling.seed < 2**63:
        raise InputError(f"A seed is a whole number from 0 to 2^63 - 1, not {sampling.seed}.")
    if sampling.draws > 1 and sampling.steps == 1:
        raise InputError("In one step all draws are alike. Take at least 2 steps for several draws.")
