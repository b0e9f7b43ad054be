"""Batches of samples, in an order that follows from (seed, epoch) alone.

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

from napari_micromri.training.engine.samples import Ready, judged_pair, learned_pair, random_sample, whole_sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from napari_micromri.training.config import TrainConfig
    from napari_micromri.training.data import SlicePair
    from napari_micromri.training.engine.samples import Sample


T = TypeVar("T")


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
        pair = Ready.of(learned_pair(slices[number], config, rng), config)
        for cut in range(config.cuts):
            made = random_sample(pair, config, rng)
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
