"""What the tab "Image quality" computes in a thread; without Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_micromri.measure.comparison import ComparedImage
    from napari_micromri.measure.image_comparison import SliceQuality
    from napari_micromri.measure.roi import Box
    from napari_micromri.progress import Progress, ShouldStop
    from napari_micromri.scan import Scan
    from napari_micromri.simulation.resampling import Upsampling


@dataclass(frozen=True)
class Asked:
    """What is to be compared, taken from the window when a button is pressed."""

    images: Sequence[ComparedImage]
    reference: ComparedImage
    slices: Sequence[int]
    index: int
    upsampling: Upsampling
    crop: Box | None
    within: str
    at: Mapping[str, int]


@dataclass(frozen=True)
class Found:
    """What came of it: figures per slice, curves of the slice that is shown, and what was moved or doesn't count."""

    asked: Asked
    slices: list[SliceQuality]
    curves: dict[str, Any]
    notes: list[str]


def compare_images(asked: Asked, progress: Progress, should_stop: ShouldStop) -> Found:
    """Compute figures and curves.

    Raises
    ------
    InputError, CancelledError
        See `napari_micromri.measure.image_comparison.compare_quality`.
    """
    from napari_micromri.measure.image_comparison import compare_quality, placement_notes, spectra

    how: dict[str, Any] = {"upsampling": asked.upsampling, "crop": asked.crop, "at": asked.at}
    found = compare_quality(
        asked.images, asked.reference, asked.slices, **how, progress=progress, should_stop=should_stop
    )
    curves = {image.name: spectra(image, asked.reference, asked.index, **how) for image in asked.images}
    notes = placement_notes(asked.images, asked.reference, upsampling=asked.upsampling, crop=asked.crop)
    return Found(asked, found, {name: curve for name, curve in curves.items() if curve is not None}, notes)


def residuals(asked: Asked, progress: Progress, should_stop: ShouldStop) -> tuple[list[Scan], float]:
    """Compute reference - image for each image, and the limit of their common scale.

    Raises
    ------
    InputError, CancelledError
        See `napari_micromri.measure.image_comparison.residual_scan`.
    """
    from napari_micromri.measure.image_comparison import residual_scan
    from napari_micromri.plugin.denoising import symmetric_limit

    scans = [
        residual_scan(
            image, asked.reference, upsampling=asked.upsampling, at=asked.at, progress=progress, should_stop=should_stop
        )
        for image in asked.images
    ]
    return scans, max(symmetric_limit(scan.data) for scan in scans)
