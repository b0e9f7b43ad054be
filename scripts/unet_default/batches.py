"""Training batches: good slices, changed at random, with their fast scan simulated anew each time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri.simulation.acquisition import add_noise, foreground_mean, truncate_k_space
from napari_micromri.simulation.resampling import Upsampling, upsampling_matrix

if TYPE_CHECKING:
    from numpy.typing import NDArray

FACTOR = 2


@dataclass(frozen=True, kw_only=True)
class BatchConfig:
    """How a batch is drawn."""

    crop: int = 96
    crops_per_slice: int = 4
    batch: int = 16
    snr: tuple[float, float] = (4.0, 45.0)
    upsampling: Upsampling = "sinc"
    p_gamma: float = 0.4
    p_shrink: float = 0.4
    p_coil: float = 0.3
    p_noisy_target: float = 0.7
    target_snr: tuple[float, float] = (10.0, 60.0)


class BatchMaker:
    """Draws batches (inputs, targets), each (batch, 1, crop, crop) and divided by the mean of its LR slice."""

    def __init__(
        self, sources: dict[str, list[NDArray[np.float32]]], weights: dict[str, float], config: BatchConfig, seed: int
    ) -> None:
        self.sources, self.config = sources, config
        self.names = list(sources)
        odds = np.array([weights[name] for name in self.names])
        self.odds = odds / odds.sum()
        self.rng = np.random.default_rng(seed)

    def draw(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Draw one batch."""
        pairs = [p for _ in range(self.config.batch // self.config.crops_per_slice) for p in self._crops()]
        inputs, targets = (np.stack(side)[:, None] for side in zip(*pairs, strict=True))
        return inputs, targets

    def _crops(self) -> list[tuple[NDArray[Any], NDArray[Any]]]:
        good = self._slice()
        coarse = (good.shape[0] // FACTOR, good.shape[1] // FACTOR)
        low, high = np.log(self.config.snr)
        sigma = foreground_mean(good) / np.exp(self.rng.uniform(low, high))
        fast = add_noise(truncate_k_space(good, coarse), sigma, self.rng)
        scale = np.float32(max(float(fast.mean()), 1e-6) * np.exp(self.rng.uniform(-0.3, 0.3)))
        rows, columns = (
            upsampling_matrix(count, fine, self.config.upsampling)
            for count, fine in zip(coarse, good.shape, strict=True)
        )
        crop, result = self.config.crop, []
        for _ in range(self.config.crops_per_slice):
            y, x = (FACTOR * int(self.rng.integers((n - crop) // FACTOR + 1)) for n in good.shape)
            # Only the crop is upsampled: that is the costly part.
            given = rows[y : y + crop] @ fast @ columns[x : x + crop].T
            result.append((given / scale, good[y : y + crop, x : x + crop] / scale))
        return result

    def _slice(self) -> NDArray[np.float32]:
        slices = self.sources[self.names[self.rng.choice(len(self.names), p=self.odds)]]
        image = slices[self.rng.integers(len(slices))]
        if self.rng.random() < self.config.p_shrink:
            image = self._shrunk(image)
        image = image[: image.shape[0] // FACTOR * FACTOR, : image.shape[1] // FACTOR * FACTOR]
        image = np.rot90(image, int(self.rng.integers(4)))
        if self.rng.random() < 0.5:
            image = image[::-1]
        if self.rng.random() < self.config.p_gamma:
            image = np.clip(image, 0, None) ** self.rng.uniform(0.6, 1.7)
        if self.rng.random() < self.config.p_coil:
            ramps = np.linspace(-0.5, 0.5, image.shape[0])[:, None], np.linspace(-0.5, 0.5, image.shape[1])[None, :]
            image = image * np.exp(self.rng.normal(0, 0.5) * ramps[0] + self.rng.normal(0, 0.5) * ramps[1])
        if self.rng.random() < self.config.p_noisy_target:
            image = self._with_own_noise(image)
        return np.ascontiguousarray(image, dtype=np.float32)

    def _with_own_noise(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give a good scan some noise of its own, as real ones have; half of the time k-space is filtered after it.

        A part of what looks like noise in the fast scan then belongs to the good one and is kept.
        """
        low, high = np.log(self.config.target_snr)
        sigma = foreground_mean(image) / np.exp(self.rng.uniform(low, high))
        noise = self.rng.standard_normal((2, *image.shape), dtype=np.float32) * np.float32(sigma)
        noisy = image + noise[0] + 1j * noise[1]
        if self.rng.random() < 0.5:
            frequency = np.hypot(np.fft.fftfreq(image.shape[0])[:, None], np.fft.fftfreq(image.shape[1])[None, :])
            noisy = np.fft.ifft2(np.fft.fft2(noisy) * np.exp(-((frequency / self.rng.uniform(0.2, 0.6)) ** 2)))
        result: NDArray[np.float32] = np.abs(noisy).astype(np.float32)
        return result

    def _shrunk(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Resample to a coarser grid by k-space truncation: sharper structures per pixel and a cleaner target."""
        least = max(self.config.crop, min(image.shape) * 0.5) / min(image.shape)
        if least >= 1:
            return image
        zoom = self.rng.uniform(least, 1)
        shape = (int(image.shape[0] * zoom) // 8 * 8, int(image.shape[1] * zoom) // 8 * 8)  # few sizes: few matrices
        if min(shape) < self.config.crop:
            return image
        shrunk: NDArray[np.float32] = np.abs(truncate_k_space(image, shape))
        return shrunk
