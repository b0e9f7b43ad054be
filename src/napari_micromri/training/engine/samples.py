"""Samples: a slice, or a part of one, normalised and on the HR grid, as training and validation take them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch

from napari_micromri.nn.preparation import Recipe
from napari_micromri.training.engine.simulated import changed_pair, plain_pair

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from napari_micromri.nn.preparation import Scaling
    from napari_micromri.training.config import TrainConfig
    from napari_micromri.training.data import SlicePair


@dataclass(frozen=True)
class Sample:
    """One slice: ``given`` and ``wanted`` (H, W), normalised by ``offset`` and ``scale``; with weight 0 it is idle.

    ``noise`` is what the network is told of it, None where it isn't told. A diffusion
    model learns from ``point`` (H, W) at ``time``; without one, what is given is learned from.
    """

    given: NDArray[np.float32]
    wanted: NDArray[np.float32]
    offset: float
    scale: float
    noise: float | None = None
    weight: float = 1.0
    point: NDArray[np.float32] | None = None
    time: int = 0


def judged_pair(pair: SlicePair, number: int, config: TrainConfig) -> SlicePair:
    """Give what a validation slice is judged by: as it is in the study, or with a fast scan that is always the same."""
    if config.pairs == "study":
        return pair
    return plain_pair(pair, config.simulated, np.random.default_rng((config.seed, number)))


def whole_sample(pair: SlicePair, config: TrainConfig) -> Sample:
    """Bring a pair to the HR grid and to the scale of the network, as a whole (but for what its study crops)."""
    return Ready.of(pair, config).cut(slice(0, pair.hr.shape[0]), slice(0, pair.hr.shape[1]))


@dataclass(frozen=True, eq=False)
class Ready:
    """A pair whose fast scan is measured, from which samples are cut."""

    pair: SlicePair
    recipe: Recipe
    fast: Tensor
    scaling: Scaling

    @classmethod
    def of(cls, pair: SlicePair, config: TrainConfig) -> Self:
        """Measure the whole fast scan, as inference does."""
        recipe = Recipe(config.upsampling, config.normalisation, config.network.noise_input)
        fast = torch.from_numpy(np.ascontiguousarray(pair.whole, dtype=np.float32))[None, None]
        return cls(pair, recipe, fast, recipe.measure(fast))

    @property
    def factor(self) -> int:
        """Good pixels for each fast one, along both axes."""
        return int(self.pair.hr.shape[0] // self.pair.lr.shape[0])

    def cut(self, rows: slice, columns: slice) -> Sample:
        """Give a part of the pair, counted from its corner."""
        hr, whole = self.pair.hr, self.pair.whole
        fine = whole.shape[0] * self.factor, whole.shape[1] * self.factor
        window = (_shifted(rows, self.pair.corner[0]), _shifted(columns, self.pair.corner[1]))
        given = self.recipe.prepare(self.fast, self.scaling, fine, window)
        wanted = self.scaling.normalise(torch.from_numpy(hr[rows, columns].astype(np.float32, copy=False))[None, None])
        noise = self.scaling.noise
        return Sample(
            given[0, 0].numpy(),
            wanted[0, 0].numpy(),
            float(self.scaling.offset),
            float(self.scaling.scale),
            None if noise is None else float(noise),
            # A constant slice has no scale, and nothing to teach: it would only count by its units.
            weight=float(np.ptp(whole) > 0),
        )

    def random_cut(self, config: TrainConfig, rng: np.random.Generator) -> Sample:
        """Cut a square as training does, or take the whole slice."""
        rows, columns = (_random_span(length, config.crop, self.factor, rng) for length in self.pair.hr.shape)
        return self.cut(rows, columns)


def random_cut(pair: SlicePair, config: TrainConfig, rng: np.random.Generator) -> Sample:
    """Cut a square of a pair as training does, without turning or scaling it."""
    return Ready.of(learned_pair(pair, config, rng), config).random_cut(config, rng)


def learned_pair(pair: SlicePair, config: TrainConfig, rng: np.random.Generator) -> SlicePair:
    """Give what is learned from: the pair of the study, or one with a fast scan of its own at every draw."""
    return pair if config.pairs == "study" else changed_pair(pair, config.simulated, rng, config.crop)


def random_sample(pair: Ready, config: TrainConfig, rng: np.random.Generator) -> Sample:
    """Cut a square, turn it, and change its brightness, all by chance."""
    sample = pair.random_cut(config, rng)
    turns = rng.random(3) < 0.5
    factor = np.float32(np.exp(rng.uniform(-config.scaling, config.scaling)))

    def change(image: NDArray[Any]) -> NDArray[Any]:
        if config.flips:
            image = image[:: -1 if turns[0] else 1, :: -1 if turns[1] else 1]
        if config.transpose and turns[2]:
            image = image.T
        return image * factor

    return replace(
        sample,
        given=change(sample.given),
        wanted=change(sample.wanted),
        scale=sample.scale / float(factor),
        noise=None if sample.noise is None else sample.noise * float(factor),
    )


def _shifted(span: slice, by: int) -> slice:
    return slice(span.start + by, span.stop + by)


def _random_span(length: int, crop: int | None, factor: int, rng: np.random.Generator) -> slice:
    """Squares begin where a coarse pixel does, as whole slices do: what lies between them was interpolated alike."""
    if crop is None or crop >= length:
        return slice(0, length)
    start = factor * int(rng.integers((length - crop) // factor + 1))
    return slice(start, start + crop)
