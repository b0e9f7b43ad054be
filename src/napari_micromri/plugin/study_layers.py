"""The layers that show a pair of a study, and the outline of its crop. Needs neither napari nor Qt."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_micromri.plugin.layers import LayerData, quick_contrast_limits, scan_to_layer
from napari_micromri.scan import Scan

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_micromri.progress import Progress, ShouldStop
    from napari_micromri.study.cropping import Box
    from napari_micromri.study.model import Crop, Pair
    from napari_micromri.study.store import Study

STUDY_KEY = "micromri_study"
"""In a layer's metadata: the key of the pair that it shows."""
READ_UP_TO = 2**29
"""Bytes. A smaller pair is read at once, so that moving through its slices needs no disk."""


@dataclass(frozen=True)
class PairPixels:
    """A pair that is ready to be shown: both scans and the contrast limits of HR."""

    pair: Pair
    lr: Scan
    hr: Scan
    limits: tuple[float, float]

    def layers(self) -> tuple[LayerData, LayerData]:
        """Make the layers, HR below LR, named after the pair and with matched contrast."""
        title = f"{self.pair.subject} {self.pair.region} {self.pair.plane}"
        made = []
        limits = matched_limits(self.limits, self.pair.report.intensity_ratio)
        for scan, what, contrast in ((self.hr, "HR", self.limits), (self.lr, "LR", limits)):
            named = Scan(scan.data, replace(scan.info, name=f"{title} {what}"))
            data, attributes, kind = scan_to_layer(named, contrast_limits=contrast)
            attributes["metadata"][STUDY_KEY] = self.pair.key
            made.append((data, attributes, kind))
        return made[0], made[1]


def load_pair(study: Study, pair: Pair, progress: Progress, should_stop: ShouldStop) -> PairPixels:
    """Read a pair for showing it; made for a thread.

    Raises
    ------
    StudyError
        Something of the pair is missing.
    """
    del progress, should_stop
    lr, hr = study.scans(pair.key)
    size = sum(math.prod(scan.shape) * scan.dtype.itemsize for scan in (lr, hr))
    if size <= READ_UP_TO:
        lr, hr = (Scan(scan.read(), scan.info) for scan in (lr, hr))
    return PairPixels(pair, lr, hr, quick_contrast_limits(hr.data))


def matched_limits(limits: tuple[float, float], intensity_ratio: float) -> tuple[float, float]:
    """Turn contrast limits of HR into those of LR, so that equal tissue looks equal."""
    ratio = intensity_ratio if math.isfinite(intensity_ratio) and intensity_ratio > 0 else 1.0
    return limits[0] / ratio, limits[1] / ratio


def crop_corners(pair: Pair, crop: Crop) -> NDArray[np.float64]:
    """Give the corners (4, 2) of a crop in mm (y, x), from edge to edge of its pixels."""
    from napari_micromri.study.cropping import crop_in_mm

    box = crop_in_mm(pair, crop)
    return np.array(
        [(box.top, box.left), (box.top, box.right), (box.bottom, box.right), (box.bottom, box.left)], dtype=float
    )


def corners_box(corners: NDArray[np.floating]) -> Box:
    """Give the box around drawn corners (n, 2) in mm (y, x).

    Raises
    ------
    StudyError
        It has no height or no width.
    """
    from napari_micromri.study.cropping import Box

    (top, left), (bottom, right) = np.min(corners, axis=0), np.max(corners, axis=0)
    return Box(float(top), float(bottom), float(left), float(right))
