"""How close LR and DL come to a reference, slice by slice, on the reference's grid; and what differs, as images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_micromri.errors import CancelledError, InputError
from napari_micromri.measure.image_quality import (
    SSIM_WINDOW,
    fourier_ring_correlation,
    power_ratio_curve,
)
from napari_micromri.measure.metrics import ImageQuality, assess
from napari_micromri.measure.regridding import Regridder
from napari_micromri.measure.roi import Grid, read_plane
from napari_micromri.progress import never, no_progress
from napari_micromri.scan import Scan

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from napari_micromri.measure.comparison import ComparedImage
    from napari_micromri.measure.roi import Box
    from napari_micromri.progress import Progress, ShouldStop
    from napari_micromri.scan import ScanInfo
    from napari_micromri.simulation.resampling import Upsampling

    Window = tuple[slice, slice]
    Curve = tuple[NDArray[np.float64], NDArray[np.float64]]

NOTED = 0.02
"""Pixels by which a grid must lie off the reference's to be spoken of."""


@dataclass(frozen=True, kw_only=True)
class SliceQuality:
    """One slice of one image against the reference.

    Parameters
    ----------
    slice_index
        Of the reference, counted from 0.
    quality
        None where it can't be given; ``problem`` says why.
    """

    image: str
    slice_index: int
    quality: ImageQuality | None
    problem: str | None = None


def compare_quality(
    images: Sequence[ComparedImage],
    reference: ComparedImage,
    slices: Iterable[int],
    *,
    upsampling: Upsampling = "sinc",
    crop: Box | None = None,
    at: Mapping[str, int] | None = None,
    progress: Progress = no_progress,
    should_stop: ShouldStop = never,
) -> list[SliceQuality]:
    """Compare images with a reference, on the pixels of the reference that all of them cover.

    Parameters
    ----------
    images
        Brought to the reference's grid by their geometry; see `napari_micromri.measure.regridding`.
    slices
        Of the reference, along z.
    upsampling
        How values between an image's pixels are found.
    crop
        Only the pixels whose centres lie in it; the whole slice by default. Slices are cropped after upsampling.

    Raises
    ------
    InputError
        An image is finer than the reference, lies beside it or oblique to it, or what is left is too small for the
        SSIM.
    CancelledError
        Stopped.
    """
    regridders = [Regridder.between(image.scan, reference.scan, upsampling) for image in images]
    window = compared_window(regridders, reference.scan, crop)
    chosen = list(slices)
    found = []
    for done, index in enumerate(chosen):
        progress(done, len(chosen))
        target = read_plane(reference.scan, "yx", index, at)[window]
        for image, regridder in zip(images, regridders, strict=True):
            if should_stop():
                raise CancelledError("The comparison was stopped.")
            found.append(_one(image.name, index, regridder.plane(index, at), target, window))
    progress(len(chosen), len(chosen))
    return found


def _one(
    name: str, index: int, plane: NDArray[np.float64] | None, target: NDArray[np.float64], window: Window
) -> SliceQuality:
    if plane is None:
        return SliceQuality(image=name, slice_index=index, quality=None, problem="no slice there")
    values = plane[window]
    if not (np.isfinite(values).all() and np.isfinite(target).all()):
        return SliceQuality(image=name, slice_index=index, quality=None, problem="pixels that aren't numbers")
    return SliceQuality(image=name, slice_index=index, quality=assess(values, target))


def compared_window(regridders: Iterable[Regridder], reference: Scan, crop: Box | None = None) -> Window:
    """Give the rows and columns of the reference that all scans cover, within the crop.

    Raises
    ------
    InputError
        Fewer than 11 x 11 pixels are left.
    """
    windows = [crop_window(reference, crop), *(one.window for one in regridders)]
    rows, columns = (
        slice(max(window[k].start for window in windows), min(window[k].stop for window in windows)) for k in range(2)
    )
    if min(rows.stop - rows.start, columns.stop - columns.start) < SSIM_WINDOW:
        raise InputError(
            f"The area that all images and the reference cover is too small: at least {SSIM_WINDOW} x {SSIM_WINDOW} "
            "pixels are compared."
        )
    return rows, columns


def placement_notes(
    images: Sequence[ComparedImage],
    reference: ComparedImage,
    *,
    upsampling: Upsampling = "sinc",
    crop: Box | None = None,
) -> list[str]:
    """Say what was moved to be compared, and what doesn't count, in sentences; none where all share one grid."""
    regridders = [Regridder.between(image.scan, reference.scan, upsampling) for image in images]
    notes = [
        f"{image.name} lies {_pixels(one.offset)} off the pixels of {reference.name} and was moved."
        for image, one in zip(images, regridders, strict=True)
        if max(map(abs, one.offset)) >= NOTED
    ]
    whole, window = crop_window(reference.scan, crop), compared_window(regridders, reference.scan, crop)
    if window != whole:
        have, count = (" x ".join(str(part.stop - part.start) for part in one) for one in (window, whole))
        notes.append(f"Only pixels that all images cover count: {have} of {count} pixels.")
    return notes


def _pixels(offset: tuple[float, float]) -> str:
    return " and ".join(
        f"{abs(part):.2g} pixels {what}" for part, what in zip(offset, ("along y", "along x"), strict=True) if part
    )


def crop_window(scan: Scan, crop: Box | None) -> tuple[slice, slice]:
    """Turn a crop in mm into rows and columns of a scan: those whose centres lie in it.

    Raises
    ------
    InputError
        Fewer than 11 x 11 pixels are left.
    """
    grid = Grid.of(scan, "yx")
    if crop is None:
        return slice(0, grid.shape[0]), slice(0, grid.shape[1])
    corners = grid.pixels(np.asarray(crop, dtype=np.float64).T)
    first = np.maximum(np.ceil(corners[0]), 0).astype(int)
    last = np.minimum(np.ceil(corners[1]), grid.shape).astype(int)
    if (last - first < SSIM_WINDOW).any():
        raise InputError(f"The region is too small: at least {SSIM_WINDOW} x {SSIM_WINDOW} pixels are compared.")
    return slice(int(first[0]), int(last[0])), slice(int(first[1]), int(last[1]))


def mean_quality(found: Iterable[SliceQuality]) -> dict[str, ImageQuality]:
    """Average over slices, for each image; a figure that a slice leaves undefined is not counted for that slice."""
    by_image: dict[str, list[ImageQuality]] = {}
    for one in found:
        if one.quality is not None:
            by_image.setdefault(one.image, []).append(one.quality)
    return {
        name: ImageQuality(**{key: _mean([vars(one)[key] for one in all_of]) for key in vars(all_of[0])})
        for name, all_of in by_image.items()
    }


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


def spectra(
    image: ComparedImage,
    reference: ComparedImage,
    index: int,
    *,
    upsampling: Upsampling = "sinc",
    crop: Box | None = None,
    at: Mapping[str, int] | None = None,
) -> tuple[Curve, Curve] | None:
    """Give power ratio and Fourier ring correlation of one slice, each as frequencies (cycles per pixel) and values."""
    regridder = Regridder.between(image.scan, reference.scan, upsampling)
    window, plane = compared_window([regridder], reference.scan, crop), regridder.plane(index, at)
    target = read_plane(reference.scan, "yx", index, at)[window]
    if plane is None or not (np.isfinite(plane[window]).all() and np.isfinite(target).all()):
        return None
    return power_ratio_curve(plane[window], target), fourier_ring_correlation(plane[window], target)


def residual_scan(
    image: ComparedImage,
    reference: ComparedImage,
    *,
    upsampling: Upsampling = "sinc",
    at: Mapping[str, int] | None = None,
    progress: Progress = no_progress,
    should_stop: ShouldStop = never,
) -> Scan:
    """Compute reference - image on the reference's grid, float32, (z,) y, x; NaN where the image doesn't reach.

    Raises
    ------
    InputError
        The image is finer than the reference, lies beside it or oblique to it.
    """
    regridder = Regridder.between(image.scan, reference.scan, upsampling)
    info = reference.scan.info
    count = reference.scan.shape[info.axes.index("z")] if "z" in info.axes else 1
    result = np.full((count, *Grid.of(reference.scan, "yx").shape), np.nan, dtype=np.float32)
    for index in range(count):
        if should_stop():
            raise CancelledError("The residual was stopped.")
        progress(index, count)
        plane = regridder.plane(index, at)
        if plane is not None:
            result[index] = read_plane(reference.scan, "yx", index, at) - plane
    progress(count, count)
    return Scan(
        result if "z" in info.axes else result[0], _residual_info(image, reference, upsampling, regridder.offset)
    )


def _residual_info(
    image: ComparedImage, reference: ComparedImage, upsampling: Upsampling, offset: tuple[float, float]
) -> ScanInfo:
    info = reference.scan.info
    of = f"{reference.name} - {image.name}"
    step = {"step": "residual", "of": of, "upsampling": upsampling, "moved_by_pixels": list(offset)}
    described = replace(info, name=of, axes=info.spatial, b_values=None, b_directions=None)
    return described.with_step(step)
