"""Batches of slices, normalised and on the HR grid, in an order that follows from (seed, epoch) alone.

Everything random about a slice (its place, turns, crop, scaling) follows from the seed, the epoch and its place in the
epoch. So a run can resume in the middle of an epoch without any state of random numbers, and threads that prepare
batches ahead, or several processes, change nothing.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar

import numpy as np
import torch
from torch import Tensor

from napari_micromri.nn.preparation import Recipe
from napari_micromri.training.engine.simulated import changed_pair, plain_pair

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from napari_micromri.nn.preparation import Scaling
    from napari_micromri.training.config import TrainConfig
    from napari_micromri.training.data import SlicePair


T = TypeVar("T")


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


@dataclass(frozen=True)
class Batch:
    """Samples (N, 1, H, W), padded to the largest by repeating their edges.

    ``sizes`` (N, 2) are the rows and columns that count, ``weights`` (N,) sum to the part that this process has of the
    batch of all processes together; ``offsets``, ``scales`` and ``noise`` are (N, 1, 1, 1), ``noise`` None where the
    network isn't told it. ``points`` is what the network learns
    from: ``given``, or for a diffusion model points of the path at ``times`` (N,).
    """

    given: Tensor
    wanted: Tensor
    sizes: Tensor
    weights: Tensor
    offsets: Tensor
    scales: Tensor
    points: Tensor
    times: Tensor
    noise: Tensor | None

    def map(self, change: Callable[[Tensor], Tensor]) -> Self:
        """Change every tensor, for example move it to a device."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        changed: dict[str, Any] = {k: None if value is None else change(value) for k, value in values.items()}
        return type(self)(**changed)


def inside(sizes: Tensor, height: int, width: int, margin: int = 0) -> Tensor:
    """Mask (N, 1, height, width) of float: 1 at least ``margin`` pixels inside each sample, 0 elsewhere."""
    rows = torch.arange(height, device=sizes.device).view(1, 1, -1, 1)
    columns = torch.arange(width, device=sizes.device).view(1, 1, 1, -1)
    ends = sizes.view(-1, 2, 1, 1, 1) - margin
    within = (rows >= margin) & (rows < ends[:, 0]) & (columns >= margin) & (columns < ends[:, 1])
    return within.to(torch.float32)


def batch_count(slices: int, config: TrainConfig) -> int:
    """Count the steps of one epoch; the last one may be smaller."""
    return -(-(config.draws or slices) // config.batch_size)


def draw_order(slices: int, config: TrainConfig, epoch: int, subjects: Sequence[str] = ()) -> NDArray[np.int64]:
    """Numbers of an epoch's slices: each once, or as many as are drawn, from each subject equally often if wanted."""
    rng = np.random.default_rng([config.seed, epoch])
    if config.draws is None:
        return rng.permutation(slices)
    if config.balance == "slices" or not subjects:
        return rng.integers(slices, size=config.draws)
    _, of_slice, counts = np.unique(np.asarray(subjects), return_inverse=True, return_counts=True)
    odds = 1 / counts[of_slice]
    return rng.choice(slices, size=config.draws, p=odds / odds.sum())


Prepare: TypeAlias = "Callable[[Sample, int, Sequence[int]], Sample]"
"""Adds what is learned from to a sample of the slice of a number; all chance follows from the last argument."""


def training_batches(
    slices: Sequence[SlicePair],
    config: TrainConfig,
    epoch: int,
    *,
    subjects: Sequence[str] = (),
    prepare: Prepare | None = None,
    first: int = 0,
    rank: int = 0,
    world: int = 1,
) -> Iterator[Batch]:
    """Give the share that process ``rank`` of ``world`` has of an epoch's batches, without the ``first`` ones."""
    order = draw_order(len(slices), config, epoch, subjects)

    def make(number: int) -> Batch:
        start = number * config.batch_size
        places = range(start, min(start + config.batch_size, len(order)))
        own = places[rank::world]
        # A process without a share learns nothing from a slice that doesn't count, and stays in step with the others.
        shown = [(place, True) for place in own] or [(places[0], False)]
        cuts = [cut for place, counts in shown for cut in samples(place, counts)]
        return collate(cuts, len(places) * config.cuts)

    def samples(place: int, counts: bool) -> Iterator[Sample]:
        number = int(order[place])
        rng = np.random.default_rng((config.seed, epoch, place))
        pair = Ready.of(_learned_pair(slices[number], config, rng), config)
        for cut in range(config.cuts):
            made = _random_sample(pair, config, rng)
            made = prepare(made, number, (config.seed, epoch, place, cut)) if prepare is not None else made
            yield made if counts else replace(made, weight=0.0)

    numbers = range(first, batch_count(len(slices), config))
    return ahead((partial(make, number) for number in numbers), config.workers)


def validation_batches(
    slices: Sequence[SlicePair],
    config: TrainConfig,
    *,
    prepare: Prepare | None = None,
    rank: int = 0,
    world: int = 1,
) -> Iterator[Batch]:
    """Give whole slices, the same in every epoch, each batch of one size, so that nothing is padded.

    ``prepare`` adds what a model would learn from; validation slices are numbered below zero for it, since they are
    none of those that are learned from.
    """

    def make(number: int) -> Sample:
        sample = whole_sample(judged_pair(slices[number], number, config), config)
        return prepare(sample, -1 - number, (config.seed, number)) if prepare is not None else sample

    samples: list[Sample] = []
    for sample in ahead((partial(make, number) for number in range(rank, len(slices), world)), config.workers):
        if samples and (len(samples) == config.batch_size or sample.given.shape != samples[0].given.shape):
            yield collate(samples, len(samples))
            samples = []
        samples.append(sample)
    if samples:
        yield collate(samples, len(samples))


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


def collate(samples: Sequence[Sample], total: int) -> Batch:
    """Pad samples to the largest; each counts as one of ``total``."""
    height = max(sample.given.shape[0] for sample in samples)
    width = max(sample.given.shape[1] for sample in samples)
    told = samples[0].noise is not None
    given, wanted, points = (
        torch.from_numpy(np.stack([_pad(image, height, width) for image in images])[:, None])
        for images in (
            [s.given for s in samples],
            [s.wanted for s in samples],
            [s.point for s in samples if s.point is not None] or [s.given for s in samples],
        )
    )
    return Batch(
        given,
        wanted,
        sizes=torch.tensor([s.given.shape for s in samples]),
        weights=torch.tensor([s.weight / total for s in samples], dtype=torch.float32),
        offsets=torch.tensor([s.offset for s in samples], dtype=torch.float32).view(-1, 1, 1, 1),
        scales=torch.tensor([s.scale for s in samples], dtype=torch.float32).view(-1, 1, 1, 1),
        points=points,
        times=torch.tensor([s.time for s in samples]),
        noise=torch.tensor([s.noise for s in samples], dtype=torch.float32).view(-1, 1, 1, 1) if told else None,
    )


def random_cut(pair: SlicePair, config: TrainConfig, rng: np.random.Generator) -> Sample:
    """Cut a square of a pair as training does, without turning or scaling it."""
    return Ready.of(_learned_pair(pair, config, rng), config).random_cut(config, rng)


def _learned_pair(pair: SlicePair, config: TrainConfig, rng: np.random.Generator) -> SlicePair:
    return pair if config.pairs == "study" else changed_pair(pair, config.simulated, rng, config.crop)


def _random_sample(pair: Ready, config: TrainConfig, rng: np.random.Generator) -> Sample:
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


def _pad(image: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    missing = (0, height - image.shape[0]), (0, width - image.shape[1])
    return np.pad(image, missing, mode="edge") if missing != ((0, 0), (0, 0)) else image


def ahead(makers: Iterable[Callable[[], T]], workers: int) -> Iterator[T]:
    """Call the makers in order, in threads and a few ahead of what is taken; without workers, when it is taken.

    Threads suffice: NumPy and the decoders of Zarr run outside of Python's lock.
    """
    if workers == 0:
        yield from (make() for make in makers)
        return
    waiting: deque[Future[T]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="batches")
    try:
        for make in makers:
            waiting.append(pool.submit(make))
            if len(waiting) > workers + 1:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
