"""What estimators share that fit each voxel by itself and learn nothing: the way in batches from signals to maps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from napari_micromri.errors import CancelledError
from napari_micromri.ivim.model import Estimates, FitOptions, Voxels, to_fit, to_voxels
from napari_micromri.progress import never, no_progress

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Self

    from numpy.typing import ArrayLike, NDArray

    from napari_micromri.ivim.fit import Fit
    from napari_micromri.progress import Progress, ShouldStop

BATCH = 2**15


@dataclass(frozen=True)
class Voxelwise:
    """Base of a method that only has to say what it finds in some voxels."""

    options: FitOptions
    name: ClassVar[str]
    perfusion: ClassVar[bool] = True

    def estimate(self, voxels: Voxels) -> Estimates:
        """Fit some voxels."""
        raise NotImplementedError

    def learn(
        self,
        signals: NDArray[Any],
        b_values: Sequence[float],
        mask: ArrayLike | None = None,
        *,
        progress: Progress = no_progress,
        should_stop: ShouldStop = never,
    ) -> Self:
        """Learn nothing."""
        return self

    def fit(
        self,
        signals: NDArray[Any],
        b_values: Sequence[float],
        mask: ArrayLike | None = None,
        *,
        progress: Progress = no_progress,
        should_stop: ShouldStop = never,
    ) -> Fit:
        """See `Model.fit`."""
        voxels, flags = to_voxels(signals, b_values, mask, self.options.average, perfusion=self.perfusion)
        found = [self.estimate(part) for part in batches(voxels, progress, should_stop)]
        return to_fit(self.name, voxels, joined(found), flags)


def batches(voxels: Voxels, progress: Progress, should_stop: ShouldStop, size: int = BATCH) -> Iterator[Voxels]:
    """Give the voxels in parts, at least one even of none, and hear in between whether to stop."""
    total = len(voxels)
    for start in range(0, max(total, 1), size):
        if should_stop():
            raise CancelledError("The fit was stopped.")
        yield voxels.chosen(np.arange(start, min(start + size, total)))
        progress(min(start + size, total), total)


def joined(parts: list[Estimates]) -> Estimates:
    """Put the estimates of parts together."""
    values = {name: np.concatenate([p.values[name] for p in parts]) for name in parts[0].values}
    sd = {name: np.concatenate([p.sd[name] for p in parts]) for name in parts[0].sd}
    flags = [p.flags for p in parts if p.flags is not None]
    return Estimates(values, sd, np.concatenate(flags) if flags else None)
