"""How close LR and DL come to a reference, slice by slice, on the reference's grid; and what differs, as images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_micromri.errors import CancelledError, InputError
from napari_micromri.measure.image_quality import (
    SSIM_WINDOW,
    ImageQuality,
    assess,
    fourier_ring_correlation,
    power_ratio_curve,
)
from napari_micromri.measure.roi import Grid, read_plane, slice_at, slice_position
from napari_micromri.measure.roles import overlays
from napari_micromri.progress import never, no_progress
from napari_micromri.scan import Scan

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from napari_micromri.measure.comparison import Image
    from napari_micromri.measure.roi import Box
    from napari_micromri.progress import Progress, ShouldStop
    from napari_micromri.scan import ScanInfo
    from napari_micromri.simulation.resampling import Upsampling

    Curve = tuple[NDArray[np.float64], NDArray[np.float64]]


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
    images: Sequence[Image],
    reference: Image,
    slices: Iterable[int],
    *,
    upsampling: Upsampling = "sinc",
    crop: Box | None = None,
    at: Mapping[str, int] | None = None,
    progress: Progress = no_progress,
    should_stop: ShouldStop = never,
) -> list[SliceQuality]:
    """Compare images with a reference.

    Parameters
    ----------
    images
        Of the reference's field of view; coarser ones are brought to its grid.
    slices
        Of the reference, along z.
    upsampling
        How coarser slices get to the reference's grid.
    crop
        Only the pixels whose centres lie in it; the whole slice by default. Slices are cropped after upsampling.

    Raises
    ------
    InputError
        An image covers another field of view, or the crop is too small for the SSIM.
    CancelledError
        Stopped.
    """
    check_one_field_of_view(images, reference)
    window = crop_window(reference.scan, crop)
    chosen = list(slices)
    found = []
    for done, index in enumerate(chosen):
        progress(done, len(chosen))
        target = read_plane(reference.scan, "yx", index, at)[window]
        for image in images:
            if should_stop():
                raise CancelledError("The comparison was stopped.")
            found.append(_one(image, reference, index, target, window, upsampling, at))
    progress(len(chosen), len(chosen))
    return found


def _one(
    image: Image,
    reference: Image,
    index: int,
    target: NDArray[np.float64],
    window: tuple[slice, slice],
    upsampling: Upsampling,
    at: Mapping[str, int] | None,
) -> SliceQuality:
    plane = on_grid_of(image.scan, reference.scan, index, upsampling, at)
    if plane is None:
        return SliceQuality(image=image.name, slice_index=index, quality=None, problem="no slice there")
    values = plane[window]
    if not (np.isfinite(values).all() and np.isfinite(target).all()):
        return SliceQuality(image=image.name, slice_index=index, quality=None, problem="pixels that are no numbers")
    return SliceQuality(image=image.name, slice_index=index, quality=assess(values, target))


def on_grid_of(
    scan: Scan, reference: Scan, index: int, upsampling: Upsampling, at: Mapping[str, int] | None = None
) -> NDArray[np.float64] | None:
    """Bring the slice that lies at a reference's slice to its grid; None when there is none.

    Raises
    ------
    InputError
        The scan has more pixels than the reference, which would have to be thrown away.
    """
    from napari_micromri.simulation.resampling import upsample

    own = slice_at(scan, "z", slice_position(reference, "z", index)) if "z" in reference.info.spatial else index
    if own is None or ("z" not in scan.info.spatial and own > 0):
        return None
    plane, shape = read_plane(scan, "yx", own, at), Grid.of(reference, "yx").shape
    if plane.shape == shape:
        return plane
    if plane.shape[0] > shape[0] or plane.shape[1] > shape[1]:
        raise InputError(
            f"'{scan.info.name}' is finer than the reference '{reference.info.name}'. Choose the finest as reference."
        )
    return upsample(plane, shape, upsampling).astype(np.float64)


def check_one_field_of_view(images: Iterable[Image], reference: Image) -> None:
    """Refuse images that don't overlay the reference.

    Raises
    ------
    InputError
        Naming the first that doesn't.
    """
    for image in images:
        Grid.of(image.scan, "yx")
        if not overlays(image.scan, reference.scan):
            raise InputError(
                f"'{image.name}' and '{reference.name}' cover different fields of view, so they can't be compared "
                "pixel by pixel."
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
    image: Image,
    reference: Image,
    index: int,
    *,
    upsampling: Upsampling = "sinc",
    crop: Box | None = None,
    at: Mapping[str, int] | None = None,
) -> tuple[Curve, Curve] | None:
    """Give power ratio and Fourier ring correlation of one slice, each as frequencies (cycles per pixel) and values."""
    window = crop_window(reference.scan, crop)
    plane = on_grid_of(image.scan, reference.scan, index, upsampling, at)
    target = read_plane(reference.scan, "yx", index, at)[window]
    if plane is None or not (np.isfinite(plane[window]).all() and np.isfinite(target).all()):
        return None
    return power_ratio_curve(plane[window], target), fourier_ring_correlation(plane[window], target)


def residual_scan(
    image: Image,
    reference: Image,
    *,
    upsampling: Upsampling = "sinc",
    at: Mapping[str, int] | None = None,
    progress: Progress = no_progress,
    should_stop: ShouldStop = never,
) -> Scan:
    """Compute reference - image on the reference's grid, float32, (z,) y, x; NaN where the image has no slice.

    Raises
    ------
    InputError
        The two cover different fields of view, or the image is the finer one.
    """
    check_one_field_of_view([image], reference)
    info = reference.scan.info
    count = reference.scan.shape[info.axes.index("z")] if "z" in info.axes else 1
    result = np.full((count, *Grid.of(reference.scan, "yx").shape), np.nan, dtype=np.float32)
    for index in range(count):
        if should_stop():
            raise CancelledError("The residual was stopped.")
        progress(index, count)
        plane = on_grid_of(image.scan, reference.scan, index, upsampling, at)
        if plane is not None:
            result[index] = read_plane(reference.scan, "yx", index, at) - plane
    progress(count, count)
    return Scan(result if "z" in info.axes else result[0], _residual_info(image, reference, upsampling))


def _residual_info(image: Image, reference: Image, upsampling: Upsampling) -> ScanInfo:
    info = reference.scan.info
    step = {"step": "residual", "of": f"{reference.name} - {image.name}", "upsampling": upsampling}
    described = replace(info, name=f"{reference.name} - {image.name}", axes=info.spatial, b_values=None)
    return described.with_step(step)
