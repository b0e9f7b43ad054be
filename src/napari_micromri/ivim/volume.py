"""Fit chosen slices of a series in memory, for a window; `run` does the same for scans of any size, into files."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri.errors import CancelledError
from napari_micromri.ivim.b_values import check_b_values
from napari_micromri.progress import never, no_progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_micromri.ivim.fit import Fit
    from napari_micromri.ivim.model import Model
    from napari_micromri.ivim.series import Series
    from napari_micromri.progress import Progress, ShouldStop


def fit_volume(
    series: Series,
    model: Model,
    slices: Sequence[int] | None = None,
    *,
    progress: Progress = no_progress,
    learning: Progress = no_progress,
    should_stop: ShouldStop = never,
) -> tuple[Fit, Model]:
    """Fit slices one after the other; the maps have the grid of a volume, NaN where nothing was fitted.

    Gives the model, too, with what it learned.

    Parameters
    ----------
    model
        When it has learned nothing yet, it learns from slices of the whole series first, so that a single slice is
        fitted as it would be among all.
    slices
        Numbers from 0; None takes all that have something to fit.
    learning
        Hears of the epochs of a network that is trained.

    Raises
    ------
    InputError
        See `Model.fit`.
    CancelledError
        ``should_stop`` said so.
    """
    check_b_values(series.b_values, len(series.b_values), perfusion=model.name != "adc")
    numbers = [k for k in series.filled() if slices is None or k in slices]
    signals, masks = series.sample()
    model = model.learn(signals, series.b_values, masks, progress=learning, should_stop=should_stop)
    fits: dict[int, Fit] = {}
    progress(0, len(numbers))
    for done, number in enumerate(numbers, 1):
        if should_stop():
            raise CancelledError("The fit was stopped.")
        fits[number] = model.fit(series.read(number), series.b_values, series.mask_of(number), should_stop=should_stop)
        progress(done, len(numbers))
    return _stacked(fits, series), model


def _stacked(fits: dict[int, Fit], series: Series) -> Fit:
    first = next(iter(fits.values()))

    def stack(images: dict[int, NDArray[Any]], empty: float) -> NDArray[Any]:
        volume = np.full((series.slices, *series.grid[-2:]), empty, dtype=next(iter(images.values())).dtype)
        for number, image in images.items():
            volume[number] = image
        return volume.reshape(series.grid)

    return replace(
        first,
        maps={name: stack({k: fit.maps[name] for k, fit in fits.items()}, np.nan) for name in first.maps},
        sd={name: stack({k: fit.sd[name] for k, fit in fits.items()}, np.nan) for name in first.sd},
        residual=stack({k: fit.residual for k, fit in fits.items()}, np.nan),
        flags=stack({k: fit.flags for k, fit in fits.items()}, 0),
    )
