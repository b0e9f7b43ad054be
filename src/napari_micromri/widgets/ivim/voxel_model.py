"""One voxel without Qt: its signals, the curve of each method, its parameters in words, its posterior."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri.curves import Chart, Line
from napari_micromri.ivim import METHODS, PARAMETERS
from napari_micromri.ivim.b_values import average_repeats

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from napari_micromri.ivim import Fit, Model

CURVE_POINTS = 120
NEGLIGIBLE = 1e-3
"""Part of the largest density that isn't drawn any more."""

METHOD_COLOURS = dict(
    zip(METHODS, ("#b8860b", "#cc79a7", "#e69f00", "#56b4e9", "#009e73", "#d55e00", "#8da0cb"), strict=True)
)
"""Told apart by colour-blind people as well (after Okabe and Ito)."""


@dataclass(frozen=True)
class VoxelCurves:
    """A voxel, or the mean of a region: measured signals over S0, the curve of each method, measured minus fitted."""

    title: str
    b_values: tuple[float, ...]
    measured: tuple[float, ...]
    curve_b: tuple[float, ...]
    curves: Mapping[str, tuple[float, ...]]
    residuals: Chart
    words: Mapping[str, str]


def voxel_curves(
    signals: NDArray[Any], b_values: Sequence[float], fits: Mapping[str, Fit], where: tuple[int, ...]
) -> VoxelCurves | None:
    """Give signals (volumes,) and curves of the voxel at (z, y, x) or (y, x); None where nothing was fitted."""
    fitted = {name: fit for name, fit in fits.items() if np.isfinite(fit.maps["D"][where])}
    if not fitted:
        return None
    curves = {name: partial(fit.curve, where=where) for name, fit in fitted.items()}
    words = {name: describe(fit, where) for name, fit in fitted.items()}
    return compare_curves(f"voxel {', '.join(map(str, where))}", signals, b_values, curves, words)


def compare_curves(
    title: str,
    signals: NDArray[Any],
    b_values: Sequence[float],
    curves: Mapping[str, Callable[[Sequence[float] | NDArray[np.float64]], NDArray[np.float64]]],
    words: Mapping[str, str],
) -> VoxelCurves:
    """Lay signals (volumes,) beside the curve of each method, both over the signal at the smallest b."""
    found = average_repeats(signals[:, None], b_values)
    means = found.signals[:, 0]
    unit = float(means[0]) or 1.0
    curve_b = np.linspace(0, float(found.b_values[-1]), CURVE_POINTS)
    b = tuple(found.b_values.tolist())
    lines = []
    for name, curve in curves.items():
        residual = 100 * (means - curve(b)) / unit
        lines.append(Line(name, METHOD_COLOURS[name], b, tuple(residual.tolist())))
    return VoxelCurves(
        title,
        b,
        tuple((means / unit).tolist()),
        tuple(curve_b.tolist()),
        {name: tuple((curve(curve_b) / unit).tolist()) for name, curve in curves.items()},
        Chart("Measured minus fitted", "", "% of S0", tuple(lines)),
        words,
    )


def posterior_charts(models: Mapping[str, Model], signals: NDArray[Any], b_values: Sequence[float]) -> list[Chart]:
    """Draw how likely each value of D, f and D* is, given the signals (volumes,) of a voxel; for `bayes`, or `spatial`.

    Densities are relative to their largest. That of `spatial` is without what neighbours say.
    """
    model: Any = models.get("bayes") or models.get("spatial")
    if model is None:
        return []
    charts = []
    for name, (at, density) in model.marginals(signals, b_values).items():
        parameter = PARAMETERS[name]
        high = np.flatnonzero(density > NEGLIGIBLE * density.max())
        seen = slice(max(0, high[0] - 1), high[-1] + 2)
        x, y = (parameter.factor * at[seen]).tolist(), (density[seen] / density.max()).tolist()
        line = Line(model.name, METHOD_COLOURS[model.name], tuple(x), tuple(y))
        charts.append(Chart(parameter.label, parameter.label, "", (line,)))
    return charts


def describe(fit: Fit, where: tuple[int, ...]) -> str:
    """Put the parameters of a voxel into words, with standard deviations where the method has them."""
    parts = []
    for name in ("D", "f", "Dp"):
        parameter, value = PARAMETERS[name], float(fit.maps[name][where])
        if not np.isfinite(value):
            continue
        sd = f" ± {parameter.factor * float(fit.sd[name][where]):.2g}" if name in fit.sd else ""
        parts.append(f"{parameter.label} {parameter.factor * value:.3g}{sd} {parameter.unit}")
    return ", ".join(parts)
