"""Bring a slice to the grid of the good scan: nearest, bicubic or sinc, all with one geometry.

Fine and coarse grid cover the same field of view, edge to edge. With ``f`` fine pixels per coarse one, the centre of
fine pixel ``i`` lies at ``(i + 1/2) / f - 1/2`` coarse pixels. Each mode is linear and separable, so it is one matrix
per axis: exact, the same in NumPy and torch and on a GPU, and differentiable. Axes so long that their matrix would fill
the memory are computed without it, with the same result.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np

from napari_micromri.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Upsampling: TypeAlias = Literal["nearest", "bicubic", "sinc"]
UPSAMPLINGS: tuple[Upsampling, ...] = get_args(Upsampling)


LARGEST_MATRIX = 2**24
"""Elements; an axis of 2,896 pixels is doubled by a matrix of that size, which takes 64 MB."""


def has_matrix(count: int, fine: int) -> bool:
    """Tell whether an axis is short enough for `upsampling_matrix`."""
    return count * fine <= LARGEST_MATRIX


@lru_cache(maxsize=64)
def upsampling_matrix(count: int, fine: int, mode: Upsampling) -> NDArray[np.float32]:
    """Matrix (fine, count) that brings ``count`` samples of one axis to ``fine`` samples of the same extent.

    ``nearest`` takes the coarse pixel that a fine centre lies in, ``bicubic`` is Keys' kernel (a = -1/2) with repeated
    edges, ``sinc`` is the periodic band-limited interpolation that zero-filling k-space amounts to.
    """
    position = (np.arange(fine) + 0.5) * count / fine - 0.5
    if mode == "sinc":
        matrix = _dirichlet(position[:, None] - np.arange(count), count)
    else:
        matrix = sampling_matrix(position, count, mode)
    single = matrix.astype(np.float32)
    single.setflags(write=False)
    return single


def sampling_matrix(position: NDArray[np.float64], count: int, mode: Upsampling) -> NDArray[np.float64]:
    """Matrix (len(position), count) that samples one axis anywhere, where whole numbers are the centres of its pixels.

    As `upsampling_matrix`, but ``sinc`` takes the image to be mirrored at its edges instead of repeated: the jump from
    one edge to the opposite one would ring through the image when it is moved by a part of a pixel.
    """
    match mode:
        case "nearest":
            matrix = np.zeros((len(position), count))
            matrix[np.arange(len(position)), np.clip(np.floor(position + 0.5).astype(int), 0, count - 1)] = 1
        case "bicubic":
            matrix = np.zeros((len(position), count))
            for places, weights in _bicubic(position, count):
                np.add.at(matrix, (np.arange(len(position)), places), weights)
        case "sinc":
            both = _dirichlet(position[:, None] - np.arange(2 * count), 2 * count)
            matrix = both[:, :count] + both[:, : count - 1 : -1]
        case _:
            raise InputError(f"Slices are upsampled by {', '.join(UPSAMPLINGS)}, not '{mode}'.")
    return np.asarray(matrix, dtype=np.float64)


def upsample(image: NDArray[Any], shape: tuple[int, int], mode: Upsampling = "sinc") -> NDArray[np.float32]:
    """Bring slices (..., h, w) to the grid (..., H, W) of the same field of view."""
    image = image.astype(np.float32, copy=False)
    if all(map(has_matrix, image.shape[-2:], shape)):
        rows, columns = (upsampling_matrix(n, fine, mode) for n, fine in zip(image.shape[-2:], shape, strict=True))
        result: NDArray[np.float32] = rows @ image @ columns.T
        return result
    longer = _upsample_last(image.swapaxes(-1, -2), shape[0], mode).swapaxes(-1, -2)
    return _upsample_last(longer, shape[1], mode)


def _upsample_last(image: NDArray[np.float32], fine: int, mode: Upsampling) -> NDArray[np.float32]:
    """Do to the last axis what its matrix would do."""
    count = image.shape[-1]
    position = (np.arange(fine) + 0.5) * count / fine - 0.5
    if has_matrix(count, fine):
        return image @ upsampling_matrix(count, fine, mode).T
    if mode == "nearest":
        return image[..., np.clip(np.floor(position + 0.5).astype(int), 0, count - 1)]
    if mode == "bicubic":
        taps = _bicubic(position, count)
        return sum(image[..., places] * weights for places, weights in taps).astype(np.float32)  # type: ignore[union-attr]
    return _sinc(image, fine)


def _sinc(image: NDArray[np.float32], fine: int) -> NDArray[np.float32]:
    """Fill k-space with zeros, and turn each frequency by the half pixels that the two grids' centres are apart."""
    count = image.shape[-1]
    if fine < count:
        raise InputError(f"A row of {count} pixels is too long to be brought to {fine}.")
    spectrum = np.fft.rfft(image.astype(np.float64))
    frequency = np.arange(spectrum.shape[-1])
    spectrum *= np.exp(1j * np.pi * frequency * (1 / fine - 1 / count)) * (fine / count)
    if count % 2 == 0 and fine > count:  # the Nyquist frequency is shared by both signs
        spectrum[..., -1] *= 0.5
    return np.fft.irfft(spectrum, fine).astype(np.float32)


def _bicubic(position: NDArray[np.float64], count: int) -> list[tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """Give the four pixels that each position takes from, with their weights."""
    first = np.floor(position).astype(int) - 1
    taps = []
    for offset in range(4):
        distance = np.abs(position - (first + offset))
        near = 1.5 * distance**3 - 2.5 * distance**2 + 1
        far = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
        taps.append((np.clip(first + offset, 0, count - 1), np.where(distance <= 1, near, far)))
    return taps


def _dirichlet(distance: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Evaluate the periodic sinc; with an even count the Nyquist frequency is shared by both signs."""
    turn = np.pi * distance / count
    with np.errstate(divide="ignore", invalid="ignore"):
        kernel = np.sin(np.pi * distance) / (count * (np.tan(turn) if count % 2 == 0 else np.sin(turn)))
    return np.where(np.abs(np.sin(turn)) < 1e-12, 1.0, kernel)
