"""Measure how large a trained model's errors are, on the slices that its training was judged by."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_micromri.errors import CancelledError, TrainingError
from napari_micromri.inference.options import DenoiseOptions
from napari_micromri.nn.error_table import FLOOR, ErrorTable, features, noise_and_scale
from napari_micromri.progress import never, no_progress
from napari_micromri.training.engine.simulated import plain_pair

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_micromri.inference.slices import SliceDenoiser
    from napari_micromri.nn.restorer import Restorer
    from napari_micromri.progress import Progress, ShouldStop
    from napari_micromri.training.config import TrainConfig
    from napari_micromri.training.data import SlicePair

    Pixels = NDArray[np.float64]

COVERAGE = 0.9
MOST = 0.9
"""Part of the pairs in which at least so many of the pixels lie within."""

SHAPE = (6, 8, 4)
"""Places of noise, edge and signal, at even parts of the pixels that were measured."""

LEAST_PIXELS = 300
"""Pixels that a place needs for a quantile of its own; below, it takes that of its neighbours."""

TAKEN = 3000
"""Pixels that each slice adds, drawn at random: slices count alike whatever their size."""

DRAWS = 12
"""Fast scans, each of another SNR, that are made of a good slice."""


def calibrate(
    run: Path | str, *, seed: int = 0, progress: Progress = no_progress, should_stop: ShouldStop = never
) -> ErrorTable:
    """Measure the errors of a run's model on its validation slices, and store the table in the model's file.

    Raises
    ------
    TrainingError
        The run has no finished model, or too few slices to judge by.
    MicroMRIError
        Files can't be read or written.
    CancelledError
        Stopped; the model's file is as it was.
    """
    from napari_micromri.study import Study
    from napari_micromri.training.config import parse_config
    from napari_micromri.training.data import TrainingData, checked_slices
    from napari_micromri.training.run import RunReader

    found = RunReader(run).read()
    if found.model is None:
        raise TrainingError(f"The run {run} has no model yet. Train it first.")
    config = parse_config(found.settings["config"])
    _, (_, slices) = checked_slices(config, TrainingData.from_study(Study.open(found.settings["study"])))
    pairs = [make for pair in slices for make in fast_scans(pair, config, seed)]
    return calibrate_model(found.model, pairs, seed=seed, progress=progress, should_stop=should_stop)


def calibrate_model(
    path: Path | str,
    pairs: Sequence[Callable[[], SlicePair]],
    *,
    seed: int = 0,
    progress: Progress = no_progress,
    should_stop: ShouldStop = never,
) -> ErrorTable:
    """Measure the errors of a model on some pairs, and store the table in its file; errors as for `calibrate`."""
    from safetensors.torch import load_file

    from napari_micromri.nn.checkpoint import save_checkpoint
    from napari_micromri.nn.registry import load_model

    model = load_model(path)
    table = measure_errors(model, pairs, seed=seed, progress=progress, should_stop=should_stop)
    save_checkpoint(path, load_file(path), model.spec.model_copy(update={"errors": table}), overwrite=True)
    return table


def fast_scans(pair: SlicePair, config: TrainConfig, seed: int = 0) -> list[Callable[[], SlicePair]]:
    """Give a pair as it is in the study, or with simulated fast scans from the lowest SNR to the highest."""
    if config.pairs == "study":
        return [lambda: pair]
    settings = config.simulated
    levels = np.geomspace(settings.snr_low, settings.snr_high, DRAWS)

    def make(number: int) -> SlicePair:
        snr = float(levels[number])
        one = settings.model_copy(update={"snr_low": snr, "snr_high": snr})
        return plain_pair(pair, one, np.random.default_rng((seed, pair.index, number)))

    return [partial(make, number) for number in range(DRAWS)]


def measure_errors(
    model: Restorer,
    pairs: Sequence[Callable[[], SlicePair]],
    *,
    coverage: float = COVERAGE,
    seed: int = 0,
    progress: Progress = no_progress,
    should_stop: ShouldStop = never,
) -> ErrorTable:
    """Denoise fast scans and tabulate how far the results are from the good ones.

    Each slice counts alike. At each noise the widths are stretched at the end so that the stated part of the pixels
    lies within (split conformal prediction), in nine of ten pairs of the study: a scan to
    come is at least as unlike these as they are unlike each other.

    Raises
    ------
    TrainingError
        There is nothing to measure.
    CancelledError
        Stopped.
    """
    from napari_micromri.inference.slices import SliceDenoiser

    rng = np.random.default_rng(seed)
    found, keys = [], []
    with SliceDenoiser(model, DenoiseOptions()) as denoiser:
        for number, make in enumerate(pairs):
            if should_stop():
                raise CancelledError("The calibration was stopped.")
            pair = make()
            if (pixels := _errors_of(denoiser, pair, number, rng)) is not None:
                found.append(pixels)
                keys += [pair.key] * len(pixels)
            progress(number + 1, len(pairs))
    if len(keys) < LEAST_PIXELS:
        raise TrainingError("There are too few validation slices to measure errors on.")
    return tabulate(np.concatenate(found), keys, coverage)


def _errors_of(denoiser: SliceDenoiser, pair: SlicePair, number: int, rng: np.random.Generator) -> Pixels | None:
    """Noise, edge, signal and error of some pixels (N, 4) of a slice, relative to its scale."""
    whole = np.ascontiguousarray(pair.whole, dtype=np.float32)
    sigma, scale = noise_and_scale(whole, denoiser.model.spec.normalisation)
    if np.ptp(whole) == 0:
        return None
    result = denoiser.one(whole, number)
    rows, columns = (slice(start, start + size) for start, size in zip(pair.corner, pair.hr.shape, strict=True))
    edge, signal = (image[rows, columns] for image in features(result, scale))
    error = np.abs(result[rows, columns] - pair.hr) / scale
    taken = rng.choice(error.size, min(TAKEN, error.size), replace=False)
    noise = np.full(len(taken), max(sigma / scale, FLOOR))
    return np.stack([noise, *(image.ravel()[taken] for image in (edge, signal, error))], axis=1)


def tabulate(pixels: Pixels, keys: Sequence[str], coverage: float = COVERAGE) -> ErrorTable:
    """Make the table of noise, edge, signal and error of pixels (N, 4) from pairs of N names."""
    axes = [_places(pixels[:, k], count) for k, count in enumerate(SHAPE)]
    nearest = [np.abs(np.log(pixels[:, k, None]) - np.log(axis)).argmin(axis=1) for k, axis in enumerate(axes)]
    shape = tuple(map(len, axes))
    cell = np.ravel_multi_index(nearest, shape)
    order = np.argsort(cell, kind="stable")
    groups = np.split(pixels[order, 3], np.searchsorted(cell[order], np.arange(1, math.prod(shape))))
    widths = np.array([np.quantile(g, coverage) if len(g) >= LEAST_PIXELS else np.nan for g in groups]).reshape(shape)
    if np.isnan(widths).all():
        widths[:] = np.quantile(pixels[:, 3], coverage)
    known = ndimage.distance_transform_edt(np.isnan(widths), return_distances=False, return_indices=True)
    widths = np.maximum(widths[tuple(known)], FLOOR)
    table = _table(coverage, axes, widths)
    ratios = pixels[:, 3] / table.relative_width(*pixels[:, :3].T)
    _, pairs = np.unique(keys, return_inverse=True)
    for k in np.unique(nearest[0]):
        here, of = ratios[nearest[0] == k], pairs[nearest[0] == k]
        each = [np.quantile(here[of == pair], coverage) for pair in np.unique(of)]
        widths[k] *= max(float(np.quantile(each, MOST)), FLOOR)
    return _table(coverage, axes, widths)


def _places(values: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    places = np.quantile(values, (np.arange(count) + 0.5) / count)
    return np.unique([float(f"{place:.4g}") for place in places])


def _table(coverage: float, axes: Sequence[NDArray[np.float64]], widths: NDArray[np.float64]) -> ErrorTable:
    noise, edge, signal = (tuple(axis.tolist()) for axis in axes)
    rounded = tuple(tuple(tuple(float(f"{w:.3g}") for w in cell) for cell in row) for row in widths.tolist())
    return ErrorTable(coverage=coverage, noise=noise, edge=edge, signal=signal, widths=rounded)
