"""The way back: from the fast scan along the path to the good one, in as many steps as one likes.

The increments of the path are independent and its end, the anchor, is known. So given an estimate of the good scan
the distribution of an earlier step is known as well; see `posterior`.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from napari_micromri.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from napari_micromri.nn.families.apddm.path import AnchoredPath

Rule = Literal["posterior", "indi", "cold"]


class Predict(Protocol):
    """A network's estimate of the good scan."""

    def __call__(self, x: Tensor, anchor: Tensor, t: int, /) -> Tensor:
        """Estimate x_0, (N, 1, H, W), from x_t and the fast scan, both (N, 1, H, W)."""
        ...


def times(path_steps: int, steps: int) -> tuple[int, ...]:
    """Choose ``steps`` times from T down, nearly equally spaced; 0, where the way ends, comes last and extra.

    Raises
    ------
    InputError
        Fewer than one step or more than the path has.
    """
    if not 1 <= steps <= path_steps:
        raise InputError(f"This model takes 1 to {path_steps} steps, not {steps}.")
    chosen = np.linspace(path_steps, 0, steps + 1).round().astype(int)
    return tuple(int(t) for t in chosen)


def posterior(path: AnchoredPath, x: Tensor, estimate: Tensor, anchor: Tensor, t: int, s: int) -> tuple[Tensor, float]:
    """Mean and variance of x_s given x_t, the estimate of x_0 and the anchor, for s < t.

    With ``R = anchor - estimate`` and ``N = x_t - estimate - alpha_t R``::

        mean = estimate + alpha_s R + (V_s / V_t) N,    variance = V_s (V_t - V_s) / V_t
    """
    residual = anchor - estimate
    noise = x - estimate - t / path.steps * residual
    v_t, v_s = float(path.variance[t]), float(path.variance[s])
    kept = v_s / v_t if v_t else 0.0
    return estimate + s / path.steps * residual + kept * noise, kept * (v_t - v_s)


def step_back(
    path: AnchoredPath, rule: Rule, x: Tensor, estimate: Tensor, anchor: Tensor, t: int, s: int
) -> tuple[Tensor, float]:
    """Mean and variance of the next x by one of three rules.

    ``posterior`` is this model's own. ``indi`` (inversion by direct iteration) takes ``(s/t) x_t + (1 - s/t) x_0`` and
    ``cold`` (cold diffusion) ``x_t + alpha_{t-s} (x_0 - anchor)``. All agree where x_t lies on the line without noise.
    """
    if rule == "posterior":
        return posterior(path, x, estimate, anchor, t, s)
    if rule == "indi":
        return s / t * x + (1 - s / t) * estimate, 0.0
    return x + (t - s) / path.steps * (estimate - anchor), 0.0


def sample(
    path: AnchoredPath,
    predict: Predict,
    anchor: Tensor,
    *,
    steps: int = 1,
    eta: float = 0.0,
    draw: Callable[[], Tensor] | None = None,
    rule: Rule = "posterior",
    start_noise: Tensor | None = None,
) -> Tensor:
    """Go from the anchor to an estimate of the good scan.

    Parameters
    ----------
    anchor
        The fast scan on the grid of the good one, normalised, (N, 1, H, W).
    steps
        1 is the estimate of least squared error; more steps trade that for texture.
    eta
        From 0 (deterministic) to 1; scales the posterior's noise.
    draw
        Gives noise of mean 0 and variance 1, of the anchor's shape; needed where ``eta`` isn't 0.
    start_noise
        N_T, added to the anchor at the start, for a random draw; None starts at the anchor.

    Raises
    ------
    InputError
        A number of steps or an eta that makes no sense, or noise that is wanted and not given.
    """
    if not 0 <= eta <= 1:
        raise InputError(f"The share of noise (eta) must be between 0 and 1, not {eta}.")
    if eta and draw is None:
        raise InputError("A random draw (eta above 0) needs a source of noise.")
    x = anchor if start_noise is None else anchor + start_noise
    way = times(path.steps, steps)
    for t, s in itertools.pairwise(way):
        x, variance = step_back(path, rule, x, predict(x, anchor, t), anchor, t, s)
        if eta and draw is not None and variance > 0:
            x = x + eta * variance**0.5 * draw()
    return x
