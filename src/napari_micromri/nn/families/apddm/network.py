"""A network's estimate of the good scan from a point of the path and the fast scan (report, eq. 10, section 6.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_micromri.nn.preparation import with_noise

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from napari_micromri.nn.families.apddm.config import ApddmConfig
    from napari_micromri.nn.families.apddm.path import AnchoredPath


def estimate(
    network: nn.Module, config: ApddmConfig, x: Tensor, anchor: Tensor, t: Tensor, noise: Tensor | None = None
) -> Tensor:
    """Estimate the good scan x_0.

    Parameters
    ----------
    x, anchor
        A point of the path and the fast scan on the good one's grid, normalised, (N, 1, H, W).
    t
        Times from 1 to T, (N,) integers.
    noise
        What the network is told of the noise, (N, 1, 1, 1); None where it has no channel for it.
    """
    time = t.to(x.dtype) / config.steps
    result: Tensor
    if config.parameterisation == "residual":
        weight, scale = (_at(values, t, x) for values in known_part(config.path))
        away = x - anchor
        change = network(torch.cat([with_noise(anchor, noise), away], dim=1), time) - anchor
        result = anchor + weight * away + scale * change
        return result
    if config.parameterisation == "simplified":
        result = network(with_noise(x, noise))
        return result
    result = x - _at(config.path.levels, t, x) * network(with_noise(x, noise), time)
    return result


def known_part(path: AnchoredPath) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights of what is known of x_0 without a network, and of what the network adds, for t = 0 to T.

    ``x_T* + w (x_t - x_T*)`` misses x_0 by ``(1 - w (1 - alpha)) R + w N_t``, which is least, with the noise in units
    of the RMS of R, for ``w = (1 - alpha) / ((1 - alpha)^2 + V_t)``. The RMS of what it then misses is
    ``c = sqrt(1 - w (1 - alpha))``, so that the network's own part keeps one size over time.
    """
    left = 1 - np.arange(path.steps + 1) / path.steps
    spread = left**2 + path.variance
    weight = np.divide(left, spread, out=np.zeros_like(left), where=spread > 0)
    return weight, np.sqrt(np.clip(1 - weight * left, 0, 1))


def _at(values: NDArray[np.float64], t: Tensor, like: Tensor) -> Tensor:
    return torch.as_tensor(values, dtype=like.dtype, device=like.device)[t][:, None, None, None]
