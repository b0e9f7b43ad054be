"""Batches of slices, normalised and on the HR grid, in an order that follows from (seed, epoch) alone.

Everything random about a slice (its place, turns, crop, scaling) follows from the seed, the epoch and its place in the
epoch. So a run can go on in the middle of an epoch without any state of random numbers, and threads that prepare
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

from napari_micromri.simulation.resampling import upsampling_matrix

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from napari_micromri.training.config import TrainConfig
    from napari_micromri.training.data import SlicePair


T = TypeVar("T")


@dataclass(frozen=True)
class Sample:
    """One slice: ``given`` and ``wanted`` (H, W), normalised by ``offset`` and ``scale``; with weight 0 it is idle.

    A diffusion model learns from ``point`` (H, W) at ``time``; without one, what is given is learned from.
    """

    given: NDArray[np.float32]
    wanted: NDArray[np.float32]
    offset: float
    scale: float
    weight: float = 1.0
    point: NDArray[np.float32] | None = None
    time: int = 0


@dataclass(frozen=True)
class Batch:
    """Samples (N, 1, H, W), padded to the largest by repeating their edges.

    ``sizes`` (N, 2) are the rows and columns that count, ``weights`` (N,) sum to the part that this process has of the
    batch of all processes together; ``offsets`` and ``scales`` are (N, 1, 1, 1). ``points`` is what the network learns
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

    def map(self, change: Callable[[Tensor], Tensor]) -> Self:
        """Change every tensor, for example move it to a device."""
        return type(self)(*(change(getattr(self, f.name)) for f in fields(self)))


def inside(sizes: Tensor, height: int, width: int, margin: int = 0) -> Tensor:
    """Mask (N, 1, height, width) of float: 1 at least ``margin`` pixels inside each sample, 0 elsewhere."""
    rows = torch.arange(height, device=sizes.device).view(1, 1, -1, 1)
    columns = torch.arange(width, device=sizes.device).view(1, 1, 1, -1)
    ends = sizes.view(-1, 2, 1, 1, 1) - margin
    within = (rows >= margin) & (rows < ends[:, 0]) & (columns >= margin) & (columns < ends[:, 1])
    return within.to(torch.float32)


def batch_count(slices: int, config: TrainConfig) -> int:
    """Count the steps of one epoch; the last one may be smaller."""
    return -(-slices // config.batch_size)


Prepare: TypeAlias = "Callable[[Sample, int, Sequence[int]], Sample]"
"""Adds what is learned from to a sample of the slice of a number; all chance follows from the last argument."""


def training_batches(
    slices: Sequence[SlicePair],
    config: TrainConfig,
    epoch: int,
    *,
    prepare: Prepare | None = None,
    first: int = 0,
    rank: int = 0,
    world: int = 1,
) -> Iterator[Batch]:
    """Give the share that process ``rank`` of ``world`` has of an epoch's batches, without the ``first`` ones."""
    order = np.random.default_rng([config.seed, epoch]).permutation(len(slices))

    def make(number: int) -> Batch:
        start = number * config.batch_size
        places = range(start, min(start + config.batch_size, len(slices)))
        own = places[rank::world]
        # A process without a share learns nothing from a slice that doesn't count, and stays in step with the others.
        shown = [(place, True) for place in own] or [(places[0], False)]
        return collate([sample(place, counts) for place, counts in shown], len(places))

    def sample(place: int, counts: bool) -> Sample:
        stream = config.seed, epoch, place
        number = int(order[place])
        made = _random_sample(slices[number], config, np.random.default_rng(stream))
        made = prepare(made, number, stream) if prepare is not None else made
        return made if counts else replace(made, weight=0.0)

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
        sample = whole_sample(slices[number], config)
        return prepare(sample, -1 - number, (config.seed, number)) if prepare is not None else sample

    samples: list[Sample] = []
    for sample in ahead((partial(make, number) for number in range(rank, len(slices), world)), config.workers):
        if samples and (len(samples) == config.batch_size or sample.given.shape != samples[0].given.shape):
            yield collate(samples, len(samples))
            samples = []
        samples.append(sample)
    if samples:
        yield collate(samples, len(samples))


def whole_sample(pair: SlicePair, config: TrainConfig) -> Sample:
    """Bring a pair to the HR grid and to the scale of the network, as a whole."""
    return _sample(pair, config, slice(0, pair.hr.shape[0]), slice(0, pair.hr.shape[1]))


def collate(samples: Sequence[Sample], total: int) -> Batch:
    """Pad samples to the largest; each counts as one of ``total``."""
    height = max(sample.given.shape[0] for sample in samples)
    width = max(sample.given.shape[1] for sample in samples)
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
    )


def random_cut(pair: SlicePair, config: TrainConfig, rng: np.random.Generator) -> Sample:
    """Cut a square as training does, or take the whole slice, and bring it to grid and scale."""
    rows, columns = (_random_span(length, config.crop, rng) for length in pair.hr.shape)
    return _sample(pair, config, rows, columns)


def _random_sample(pair: SlicePair, config: TrainConfig, rng: np.random.Generator) -> Sample:
    sample = random_cut(pair, config, rng)
    turns = rng.random(3) < 0.5
    factor = np.float32(np.exp(rng.uniform(-config.scaling, config.scaling)))

    def change(image: NDArray[Any]) -> NDArray[Any]:
        if config.flips:
            image = image[:: -1 if turns[0] else 1, :: -1 if turns[1] else 1]
        if config.transpose and turns[2]:
            image = image.T
        return image * factor

    return Sample(
        change(sample.given), change(sample.wanted), sample.offset, sample.scale / float(factor), sample.weight
    )


def _random_span(length: int, crop: int | None, rng: np.random.Generator) -> slice:
    if crop is None or crop >= length:
        return slice(0, length)
    start = int(rng.integers(length - crop + 1))
    return slice(start, start + crop)


def _sample(pair: SlicePair, config: TrainConfig, rows: slice, columns: slice) -> Sample:
    """Only what is asked for is upsampled; the scale is that of the whole slice, as in inference."""
    lr = pair.lr.astype(np.float32, copy=False)
    statistics = config.normalisation.statistics(torch.from_numpy(np.ascontiguousarray(lr))[None, None])
    offset, scale = (float(value) for value in statistics)
    (h, w), (fine_h, fine_w) = lr.shape, pair.hr.shape
    down = upsampling_matrix(h, fine_h, config.upsampling)[rows]
    across = upsampling_matrix(w, fine_w, config.upsampling)[columns]
    given: NDArray[Any] = down @ lr @ across.T
    wanted = pair.hr[rows, columns].astype(np.float32, copy=False)
    single = np.float32(offset), np.float32(scale)
    # A constant slice has no scale, and nothing to teach: it would only count by its units.
    weight = float(np.ptp(lr) > 0)
    normalised: list[NDArray[Any]] = [(image - single[0]) / single[1] for image in (given, wanted)]
    return Sample(normalised[0], normalised[1], offset, scale, weight)


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
