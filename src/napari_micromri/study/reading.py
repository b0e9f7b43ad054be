"""Reading the slices of a study: cropped to the same extent, aligned, and only when they are asked for."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, overload

import numpy as np

from napari_micromri.errors import StudyError, describe_os_error
from napari_micromri.io.small_files import read_small
from napari_micromri.study.cropping import lr_box
from napari_micromri.study.digest import PixelDigest
from napari_micromri.study.files import ZARR_JSON, Stamp, stamp_of

if TYPE_CHECKING:
    from pathlib import Path

    import zarr
    from numpy.typing import NDArray

    from napari_micromri.scan import Scan
    from napari_micromri.study.model import Pair, StudyImage

Which: TypeAlias = Literal["lr", "hr"]
BOTH: tuple[Which, Which] = ("lr", "hr")
OPEN_ARRAYS = 64
"""Images that are kept open; each takes a few kB."""


@dataclass(frozen=True, eq=False, kw_only=True)
class PairedSlice:
    """One slice of both scans, in stored units, with where it comes from.

    Parameters
    ----------
    lr
        (h, w), float32.
    hr
        (H, W), float32; covers exactly the same extent.
    whole
        The LR slice without its crop: what a slice is scaled by.
    corner
        Row and column of the whole HR slice at which the crop begins.
    index
        Of the slice in the pair, from 0.
    where
        The same for a person, with the place in mm.
    lr_voxel_size, hr_voxel_size
        (y, x) in mm.
    """

    lr: NDArray[np.float32]
    hr: NDArray[np.float32]
    whole: NDArray[np.float32]
    corner: tuple[int, int]
    key: str
    subject: str
    region: str
    plane: str
    index: int
    where: str
    lr_voxel_size: tuple[float, float]
    hr_voxel_size: tuple[float, float]


@dataclass(frozen=True, eq=False)
class PairedSlices(Sequence[PairedSlice]):
    """Slices of several pairs one after the other; each is read when it is asked for.

    It holds the pairs as they were, marks and all, and no open file: workers of a data loader can each have a copy.

    Parameters
    ----------
    study
        Path of the study.
    pairs, indices
        For each pair the indices of its slices that are meant.
    """

    study: Path
    pairs: tuple[Pair, ...]
    indices: tuple[tuple[int, ...], ...]
    crop: bool = True
    align: bool = True

    @cached_property
    def _ends(self) -> list[int]:
        return list(accumulate(map(len, self.indices)))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    @overload
    def __getitem__(self, number: int, /) -> PairedSlice: ...
    @overload
    def __getitem__(self, number: slice, /) -> list[PairedSlice]: ...

    def __getitem__(self, number: int | slice, /) -> PairedSlice | list[PairedSlice]:
        if isinstance(number, slice):
            return [self[k] for k in range(*number.indices(len(self)))]
        pair, index = self.locate(number)
        return read_slice(self.study, pair, index, crop=self.crop, align=self.align)

    def locate(self, number: int) -> tuple[Pair, int]:
        """Tell which slice of which pair a number stands for, without reading it."""
        count = len(self)
        if not -count <= number < count:
            raise IndexError(f"there are {count} slices, not {number}")
        number %= count
        which = bisect_right(self._ends, number)
        return self.pairs[which], self.indices[which][number - self._ends[which]]


def read_slice(study: Path, pair: Pair, index: int, *, crop: bool = True, align: bool = True) -> PairedSlice:
    """Read one slice of both scans of a pair.

    Parameters
    ----------
    crop
        Cut both to the pair's crop.
    align
        Move the LR slice by the pair's shift, band-limited, so that its content lies where HR's does.

    Raises
    ------
    StudyError
        There is no such slice, or its pixels are missing or damaged.
    """
    lr, hr = (read_image_slice(study, pair, which, index).astype(np.float32, copy=False) for which in BOTH)
    if align and pair.shift != (0.0, 0.0):
        y, x = _pixel(pair.lr)
        lr = moved(lr, (-pair.shift[0] / y, -pair.shift[1] / x))
    whole, corner = lr, (0, 0)
    if crop and pair.marks.crop is not None:
        fine, coarse = pair.marks.crop, lr_box(pair, pair.marks.crop)
        corner = fine.top, fine.left
        hr = hr[fine.top : fine.bottom, fine.left : fine.right].copy()
        lr = lr[coarse.top : coarse.bottom, coarse.left : coarse.right]
    return PairedSlice(
        lr=lr,
        hr=hr,
        whole=whole,
        corner=corner,
        key=pair.key,
        subject=pair.subject,
        region=pair.region,
        plane=pair.plane,
        index=index,
        where=pair.slice_words(index),
        lr_voxel_size=_pixel(pair.lr),
        hr_voxel_size=_pixel(pair.hr),
    )


def read_image_slice(study: Path, pair: Pair, which: Which, index: int) -> NDArray[Any]:
    """Read one slice of one scan as it is stored.

    Raises
    ------
    StudyError
        There is no such slice, or its pixels are missing or damaged.
    """
    if not 0 <= index < pair.slice_count:
        raise StudyError(f"{pair.key} has the slices 0 to {pair.slice_count - 1}, not {index}.")
    array = open_image(study, pair, which)
    where = f"Slice {pair.slice_words(index)} of the {which.upper()} scan of {pair.key} in {study}"
    if not _is_there(study, pair, which, array, index):
        raise StudyError(f"{where} is missing. Copy the study again, or build this pair again.")
    try:
        return np.asarray(array[index])
    except OSError as error:
        raise StudyError(f"{where} can't be read: {describe_os_error(error, study / pair.key)}") from error
    except (ValueError, TypeError, RuntimeError, KeyError) as error:
        raise StudyError(f"{where} is damaged ({error}). Copy the study again, or build this pair again.") from error


def lazy_scan(study: Path, pair: Pair, which: Which) -> Scan:
    """Give one scan of a pair with its full geometry; a slice is read when it is looked at."""
    from napari_micromri.io.lazy import lazy_slices
    from napari_micromri.scan import Scan

    image = pair.lr if which == "lr" else pair.hr
    open_image(study, pair, which)  # says at once what is wrong

    def read(index: tuple[int, ...]) -> NDArray[Any]:
        return read_image_slice(study, pair, which, index[0])

    return Scan(lazy_slices(read, image.shape, np.dtype(image.dtype)), image.info)


def open_image(study: Path, pair: Pair, which: Which) -> zarr.Array[Any]:
    """Open the array of one scan; it stays open for a while.

    Raises
    ------
    StudyError
        It is missing, damaged, or not the one that the pair describes.
    """
    path = study / pair.key / which / "0"
    image = pair.lr if which == "lr" else pair.hr
    try:
        stamp = stamp_of(path / ZARR_JSON)
    except OSError as error:
        raise StudyError(describe_os_error(error, path)) from error
    array = _open_array(path, stamp)
    if array.shape != image.shape or np.dtype(array.dtype) != np.dtype(image.dtype):
        raise StudyError(f"{path} isn't the scan that its pair describes. Build this pair again.")
    return array


@lru_cache(maxsize=OPEN_ARRAYS)
def _open_array(path: Path, stamp: Stamp | None) -> zarr.Array[Any]:
    """Open an array; a changed stamp opens it again."""
    import zarr

    if stamp is None:
        raise StudyError(f"{path} is missing. Copy the study again, or build this pair again.")
    try:
        read_small(path / ZARR_JSON)  # before a library reads it, however long it is
        return zarr.open_array(path, mode="r", zarr_format=3)
    except (OSError, zarr.errors.BaseZarrError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise StudyError(f"{path} is damaged ({error}). Copy the study again, or build this pair again.") from error


def forget_open_images() -> None:
    """Close all images; the next slice opens its own again."""
    _open_array.cache_clear()


def missing_chunks(study: Path, pair: Pair) -> list[tuple[Which, int]]:
    """List the slices whose pixels aren't there, by scan and index.

    Zarr reads what is missing as zeros. Slices that are all zero are written like others, so these aren't confused.
    """
    missing: list[tuple[Which, int]] = []
    for which in BOTH:
        try:
            array = open_image(study, pair, which)
        except StudyError:
            missing += [(which, k) for k in range(pair.slice_count)]
            continue
        missing += [(which, k) for k in range(pair.slice_count) if not _is_there(study, pair, which, array, k)]
    return missing


def moved(image: NDArray[np.float32], pixels: tuple[float, float]) -> NDArray[np.float32]:
    """Move an image's content down and right by fractions of pixels, by the Fourier shift theorem."""
    from scipy.fft import irfft2, rfft2
    from scipy.ndimage import fourier_shift

    spectrum = fourier_shift(rfft2(image), pixels, n=image.shape[1])
    return np.asarray(irfft2(spectrum, s=image.shape), dtype=np.float32)


def stored_digest(study: Path, pair: Pair) -> str:
    """Give the digest of the pixels as they are stored now, to be compared with ``pair.digest``.

    Raises
    ------
    StudyError
        Pixels are missing or damaged.
    """
    digest = PixelDigest()
    for which, image in zip(BOTH, (pair.lr, pair.hr), strict=True):
        digest.begin(image.shape, image.dtype)
        for index in range(pair.slice_count):
            digest.add(read_image_slice(study, pair, which, index))
    return digest.text()


def _is_there(study: Path, pair: Pair, which: Which, array: zarr.Array[Any], index: int) -> bool:
    """Tell whether the files that hold a slice exist: a chunk or a shard, several of them when it is very wide."""
    sizes = array.shards or array.chunks
    counts = [-(-n // size) for n, size in zip(array.shape[1:], sizes[1:], strict=True)]
    keys = (array.metadata.encode_chunk_key((index // sizes[0], *place)) for place in np.ndindex(*counts))
    return all((study / pair.key / which / "0" / key).is_file() for key in keys)


def _pixel(image: StudyImage) -> tuple[float, float]:
    return image.info.size_of("y"), image.info.size_of("x")
