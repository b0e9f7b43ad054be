"""How large the errors of a result are: a width that a stated part of them stays within, pixel by pixel.

A network doesn't say how sure it is. Its errors on good scans that it didn't learn from do: they are larger where the
scan is noisier, at edges, and where the signal is strong. `ErrorTable` holds their quantiles by these three, measured
once for each model (split conformal prediction, conditional on bins) and stored in its file; see
`napari_micromri.training.calibration`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import NDArray

    from napari_micromri.nn.normalisation import Normalisation

FLOOR = 1e-4
"""Edges and signals below this part of the slice's scale are alike; so is noise."""

EDGE_SIGMA, SIGNAL_SIGMA = 1.0, 1.5
"""Fine pixels over which the gradient and the signal are measured."""


class ErrorTable(BaseModel):
    """Half widths of the error, relative to a slice's scale, by noise, edge and signal.

    Parameters
    ----------
    coverage
        Part of the pixels whose error lies within the width.
    noise, edge, signal
        Ascending places of the table: sigma of the fast scan, gradient and local mean of the result, all relative to
        the scale of the slice (`napari_micromri.nn.normalisation`).
    widths
        ``widths[i][j][k]`` belongs to ``noise[i]``, ``edge[j]`` and ``signal[k]``; between them it is interpolated on
        logarithmic scales, beyond them the nearest counts.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    coverage: float = Field(gt=0, lt=1)
    noise: tuple[float, ...] = Field(min_length=1, max_length=100)
    edge: tuple[float, ...] = Field(min_length=1, max_length=100)
    signal: tuple[float, ...] = Field(min_length=1, max_length=100)
    widths: tuple[tuple[tuple[float, ...], ...], ...]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        places = [np.asarray(one) for one in self.axes]
        if not all(np.isfinite(one).all() and (one > 0).all() and (np.diff(one) > 0).all() for one in places):
            raise ValueError("the places of the table don't ascend from above 0")
        table = np.array(self.widths, dtype=float) if self._is_full() else np.empty(0)
        if not (table.size and np.isfinite(table).all() and (table > 0).all()):
            raise ValueError("the widths are not positive numbers, one for each place")
        return self

    def _is_full(self) -> bool:
        rows, columns, layers = map(len, self.axes)
        return len(self.widths) == rows and all(
            len(row) == columns and all(len(cell) == layers for cell in row) for row in self.widths
        )

    @property
    def axes(self) -> tuple[tuple[float, ...], ...]:
        """Places along the three axes of the table."""
        return self.noise, self.edge, self.signal

    def width(self, result: NDArray[Any], sigma: float, scale: float) -> NDArray[np.float32]:
        """Give the half width of the error of a denoised slice.

        Parameters
        ----------
        result
            (H, W), in the scanner's units.
        sigma, scale
            Noise and scale of the fast slice that it was made from, in the same units.

        Returns
        -------
        array
            (H, W) float32, in the scanner's units.
        """
        edge, signal = features(result, scale)
        noise = np.full_like(edge, max(sigma / scale, FLOOR))
        width: NDArray[np.float32] = (self.relative_width(noise, edge, signal) * scale).astype(np.float32)
        return width

    def relative_width(
        self, noise: NDArray[np.float64], edge: NDArray[np.float64], signal: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Read the table at places of any shape, all relative to the slice's scale."""
        from scipy import ndimage

        places = [
            np.interp(np.log(values), np.log(axis), np.arange(len(axis)))
            for values, axis in zip((noise, edge, signal), self.axes, strict=True)
        ]
        table = np.log(np.array(self.widths))
        found: NDArray[np.float64] = np.exp(ndimage.map_coordinates(table, np.stack(places), order=1, mode="nearest"))
        return found


def features(result: NDArray[Any], scale: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Measure the gradient and the local mean of a denoised slice (H, W), relative to its scale."""
    from scipy import ndimage

    relative = np.asarray(result, dtype=np.float64) / scale
    edge = ndimage.gaussian_gradient_magnitude(relative, EDGE_SIGMA)
    signal = ndimage.gaussian_filter(relative, SIGNAL_SIGMA)
    return np.maximum(edge, FLOOR), np.maximum(signal, FLOOR)


def noise_and_scale(fast: NDArray[np.float32], normalisation: Normalisation) -> tuple[float, float]:
    """Measure sigma and scale of a fast slice (h, w), as the table needs them, in the scanner's units."""
    import torch

    from napari_micromri.measure.noise import estimate_noise

    _, scale = normalisation.statistics(torch.from_numpy(fast)[None, None])
    return estimate_noise(fast).sigma, float(scale)
