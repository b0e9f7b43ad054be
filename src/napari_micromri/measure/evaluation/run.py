"""The loop of an evaluation: a few slices at a time are read, denoised, measured and noted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from napari_micromri.errors import CancelledError, InputError, ReadError, StudyError
from napari_micromri.measure.evaluation.folder import SliceResult
from napari_micromri.measure.evaluation.rois import measure_rois
from napari_micromri.measure.evaluation.rows import Problem
from napari_micromri.measure.evaluation.slices import measure_slice

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from napari_micromri.inference import DenoiseOptions
    from napari_micromri.measure.evaluation.folder import Journal
    from napari_micromri.measure.roi import Roi
    from napari_micromri.nn.restorer import Restorer
    from napari_micromri.progress import Progress, ShouldStop
    from napari_micromri.study.model import Pair
    from napari_micromri.study.store import Study

    Image: TypeAlias = NDArray[np.float32]

AT_ONCE = 8
"""Slices that are read and denoised together."""


@dataclass(frozen=True, eq=False)
class Work:
    """What slices come from, and what is done with them."""

    study: Study
    models: Mapping[str, Restorer]
    options: DenoiseOptions
    rois: Mapping[str, tuple[Roi, ...]]

    def slices(self, pair: Pair, index: int) -> tuple[Image, Image]:
        """Read a whole slice: LR, aligned, and HR.

        Raises
        ------
        StudyError
            It can't be read.
        """
        found = self.study.read_slice(pair.key, index, crop=False, align=True)
        return found.lr, found.hr

    def denoised(self, pair: Pair, slices: Image, labels: Iterable[str]) -> dict[str, Image]:
        """Denoise whole slices (n, h, w) by some of the models: label -> (n, H, W)."""
        from napari_micromri.inference import denoise
        from napari_micromri.scan import Scan

        scan = Scan(slices, pair.lr.info)
        return {label: denoise(scan, self.models[label], self.options).read() for label in labels}


def measure_pairs(
    work: Work, pairs: Sequence[Pair], journal: Journal, progress: Progress, should_stop: ShouldStop
) -> Iterator[Problem]:
    """Measure what isn't done yet, and give what can't be measured.

    Raises
    ------
    CancelledError
        Stopped; what is done is in the journal.
    """
    total = sum(len(pair.kept) for pair in pairs)
    done = len(journal.results)
    progress(done, total)
    for pair, indices in _pending(pairs, journal):
        if should_stop():
            raise CancelledError("The evaluation was stopped; what is done is kept.")
        yield from _measure_some(work, pair, indices, journal)
        done += len(indices)
        progress(done, total)


def _pending(pairs: Sequence[Pair], journal: Journal) -> Iterator[tuple[Pair, list[int]]]:
    for pair in pairs:
        left = [index for index in pair.kept if (pair.key, index) not in journal.results]
        for start in range(0, len(left), AT_ONCE):
            yield pair, left[start : start + AT_ONCE]


def _measure_some(work: Work, pair: Pair, indices: Sequence[int], journal: Journal) -> Iterator[Problem]:
    slices: dict[int, tuple[Image, Image]] = {}
    for index in indices:
        try:
            slices[index] = work.slices(pair, index)
        except (StudyError, ReadError) as error:
            yield Problem(pair.key, index, str(error))
    if not slices:
        return
    denoised = work.denoised(pair, np.stack([lr for lr, _ in slices.values()]), work.models)
    for k, (index, (lr, hr)) in enumerate(slices.items()):
        here = {label: images[k] for label, images in denoised.items()}
        try:
            rows = measure_slice(pair, index, lr, hr, here)
            regions = measure_rois(pair, index, work.rois.get(pair.key, ()), lr, hr, here)
        except InputError as error:
            yield Problem(pair.key, index, str(error))
        else:
            journal.add(SliceResult(pair.key, index, tuple(rows), regions))
