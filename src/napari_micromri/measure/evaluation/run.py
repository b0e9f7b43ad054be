"""The loop of an evaluation: one slice after the other is read, denoised, measured and noted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from napari_micromri.errors import CancelledError, InputError, ReadError, StudyError
from napari_micromri.measure.evaluation.folder import SliceResult
from napari_micromri.measure.evaluation.rois import measure_rois
from napari_micromri.measure.evaluation.rows import Problem
from napari_micromri.measure.evaluation.slices import measure_slice

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from napari_micromri.inference import DenoiseOptions
    from napari_micromri.inference.slices import SliceDenoiser
    from napari_micromri.measure.evaluation.folder import Journal
    from napari_micromri.measure.roi import Roi
    from napari_micromri.nn.restorer import Restorer
    from napari_micromri.progress import Progress, ShouldStop
    from napari_micromri.study.model import Pair
    from napari_micromri.study.store import Study

    Image: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Work:
    """What slices come from, and what is done with them."""

    study: Study
    models: Mapping[str, Restorer]
    options: Mapping[str, DenoiseOptions]
    cores: Mapping[str, SliceDenoiser]
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

    def denoised(self, index: int, lr: Image, labels: Iterable[str]) -> dict[str, list[Image]]:
        """Denoise a whole slice (h, w), the ``index``-th of its scan, by some of the models.

        Returns
        -------
        dict
            Label -> (H, W), followed by the width of its errors where the model states it.
        """
        return {label: self.cores[label].all_of_one(lr, index) for label in labels}


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
    pending = [(pair, index) for pair in pairs for index in pair.kept if (pair.key, index) not in journal.results]
    for pair, index in pending:
        if should_stop():
            raise CancelledError("The evaluation was stopped; what is done is kept.")
        try:
            journal.add(_measured(work, pair, index))
        except (StudyError, ReadError, InputError) as error:
            yield Problem(pair.key, index, str(error), pair.slice_words(index))
        done += 1
        progress(done, total)


def _measured(work: Work, pair: Pair, index: int) -> SliceResult:
    lr, hr = work.slices(pair, index)
    found = work.denoised(index, lr, work.models)
    denoised = {label: images[0] for label, images in found.items()}
    widths = {label: images[1] for label, images in found.items() if work.cores[label].errors is not None}
    rows = measure_slice(pair, index, lr, hr, denoised, widths)
    regions = measure_rois(pair, index, work.rois.get(pair.key, ()), lr, hr, denoised)
    return SliceResult(pair.key, index, tuple(rows), regions)
