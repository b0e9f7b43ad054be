"""Random phantoms: slices with shapes, textures and thin structures in endless variety, for training.

They look like no animal on purpose. A network that has seen them knows edges, corners, thin lines and flat regions of
any orientation and contrast, which real scans of few animals don't offer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SUPERSAMPLING = 2
"""Shapes are drawn this much finer and averaged, so that edges have the partial volume of a real scan."""


def random_phantom(rng: np.random.Generator, size: int = 256) -> NDArray[np.float32]:
    """Draw one slice (size, size): a body on a dark background, filled with regions; intensities around 0 to 1."""
    fine = size * SUPERSAMPLING
    body = ellipse(rng, fine, (0.5, 0.5), rng.uniform(0.3, 0.48, 2), wobble=0.08)
    image = np.where(body, rng.uniform(0.3, 0.7), 0.0).astype(np.float32)
    for _ in range(rng.integers(8, 40)):
        draw = (_ellipse_anywhere, _polygon, _stripe, _bricks)[rng.choice(4, p=(0.5, 0.2, 0.2, 0.1))]
        region = draw(rng, fine)
        if rng.random() < 0.9:
            region &= body
        image[region] = rng.choice([0.0, rng.uniform(0.02, 1.0), rng.uniform(0.2, 0.8)], p=(0.1, 0.6, 0.3))
    image *= 1 + _texture(rng, fine) * rng.uniform(0, 0.25)
    image = image.reshape(size, SUPERSAMPLING, size, SUPERSAMPLING).mean(axis=(1, 3))
    slice_: NDArray[np.float32] = np.clip(image * _coil(rng, size), 0, None).astype(np.float32)
    return slice_


def _grid(size: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    line = np.linspace(0, 1, size, dtype=np.float32)
    return np.meshgrid(line, line, indexing="ij", sparse=True)  # type: ignore[return-value,unused-ignore]  # a list in older NumPy


def ellipse(
    rng: np.random.Generator, size: int, centre: tuple[float, float], radii: NDArray[Any], wobble: float = 0.0
) -> NDArray[np.bool_]:
    """Draw an ellipse, turned at random; ``centre`` and ``radii`` are parts of the size, ``wobble`` dents its edge."""
    y, x = _grid(size)
    turn = rng.uniform(0, np.pi)
    u = (y - centre[0]) * np.cos(turn) + (x - centre[1]) * np.sin(turn)
    v = (x - centre[1]) * np.cos(turn) - (y - centre[0]) * np.sin(turn)
    edge = 1.0
    if wobble:
        angle = np.arctan2(v, u)
        edge = 1 + sum(rng.normal(0, wobble / k) * np.cos(k * angle + rng.uniform(0, 6.3)) for k in range(2, 6))
    inside: NDArray[np.bool_] = (u / radii[0]) ** 2 + (v / radii[1]) ** 2 < edge
    return inside


def _ellipse_anywhere(rng: np.random.Generator, size: int) -> NDArray[np.bool_]:
    radii = np.exp(rng.uniform(np.log(0.008), np.log(0.2))) * rng.uniform(0.5, 1.5, 2)
    region = ellipse(rng, size, tuple(rng.uniform(0.1, 0.9, 2)), radii, wobble=rng.choice([0.0, 0.15]))
    return region


def _polygon(rng: np.random.Generator, size: int) -> NDArray[np.bool_]:
    from skimage.draw import polygon2mask

    corners = rng.uniform(0.1, 0.9, 2) + rng.normal(0, np.exp(rng.uniform(-4, -1.5)), (rng.integers(3, 7), 2))
    mask: NDArray[np.bool_] = polygon2mask((size, size), corners * size)
    return mask


def _stripe(rng: np.random.Generator, size: int) -> NDArray[np.bool_]:
    """Draw a curved line one to a few pixels wide: a vessel, a fascia, a rib."""
    y, x = _grid(size)
    turn, bend = rng.uniform(0, np.pi), rng.normal(0, 1.5)
    u = (y - rng.uniform(0.2, 0.8)) * np.cos(turn) + (x - rng.uniform(0.2, 0.8)) * np.sin(turn)
    v = (x - 0.5) * np.cos(turn) - (y - 0.5) * np.sin(turn)
    width = np.exp(rng.uniform(np.log(0.0015), np.log(0.015)))
    line: NDArray[np.bool_] = (np.abs(u - bend * v**2) < width) & (
        np.abs(v - rng.uniform(-0.3, 0.3)) < rng.uniform(0.05, 0.4)
    )
    return line


def _bricks(rng: np.random.Generator, size: int) -> NDArray[np.bool_]:
    """Draw a regular grid of squares or discs inside a rectangle."""
    y, x = _grid(size)
    period, fill = np.exp(rng.uniform(np.log(0.012), np.log(0.08))), rng.uniform(0.3, 0.7)
    top, left = rng.uniform(0.1, 0.6, 2)
    inside = (y > top) & (y < top + rng.uniform(0.1, 0.4)) & (x > left) & (x < left + rng.uniform(0.1, 0.4))
    u, v = np.abs(y / period % 1 - 0.5), np.abs(x / period % 1 - 0.5)
    cells = (u**2 + v**2 < (fill / 2) ** 2) if rng.random() < 0.5 else (np.maximum(u, v) < fill / 2)
    region: NDArray[np.bool_] = inside & cells
    return region


def _texture(rng: np.random.Generator, size: int) -> NDArray[np.float32]:
    """Draw a random field with a power-law spectrum, of zero mean and unit standard deviation."""
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :])
    frequency[0, 0] = np.inf
    spectrum = np.fft.rfft2(rng.standard_normal((size, size))) * frequency ** -rng.uniform(0.7, 1.8)
    field = np.fft.irfft2(spectrum, s=(size, size))
    texture: NDArray[np.float32] = (field / field.std()).astype(np.float32)
    return texture


def _coil(rng: np.random.Generator, size: int) -> NDArray[np.float32]:
    """Draw the smooth sensitivity of a surface coil."""
    y, x = _grid(size)
    slope = rng.normal(0, 0.4, 2)
    sensitivity: NDArray[np.float32] = np.exp(slope[0] * (y - 0.5) + slope[1] * (x - 0.5)).astype(np.float32)
    return sensitivity
