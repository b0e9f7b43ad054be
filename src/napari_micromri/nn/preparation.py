"""How a slice comes to a network: brought to the fine grid, scaled, and told how noisy it is.

Training, validation, evaluation and inference all call `Recipe`, so that a network meets in use what it met in
training. What is measured (offset, scale, noise) is always measured on the *whole* low-resolution slice: that is all
that a person who denoises a scan has. A crop of a study only chooses which part of the prepared slice is learned from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from napari_micromri.nn.restorer import MEASURED, Noise
from napari_micromri.simulation.resampling import has_matrix, upsample, upsampling_matrix

if TYPE_CHECKING:
    from typing import Self

    from torch import Tensor

    from napari_micromri.nn.checkpoint import ModelSpec
    from napari_micromri.nn.normalisation import Normalisation
    from napari_micromri.simulation.resampling import Upsampling

NOISE_GAIN = 5.0
"""The noise is told as this times sigma over scale, which lies between 0 and about 1 for usual scans."""


@dataclass(frozen=True)
class Scaling:
    """What was measured on whole slices, each (N, 1, 1, 1); ``noise`` is None where the network isn't told it."""

    offset: Tensor
    scale: Tensor
    noise: Tensor | None

    def normalise(self, images: Tensor) -> Tensor:
        """Bring images (N, 1, H, W) from the scanner's units to the network's."""
        return (images - self.offset) / self.scale

    def restore(self, images: Tensor) -> Tensor:
        """Undo `normalise`."""
        return images * self.scale + self.offset


@dataclass(frozen=True)
class Recipe:
    """How slices are prepared for one network.

    Parameters
    ----------
    tells_noise
        The network has a channel for the noise; see `with_noise`.
    """

    upsampling: Upsampling
    normalisation: Normalisation
    tells_noise: bool = False

    @classmethod
    def of(cls, spec: ModelSpec, *, tells_noise: bool) -> Self:
        """Read the recipe that a model file describes."""
        return cls(spec.upsampling, spec.normalisation, tells_noise)

    def measure(self, slices: Tensor, noise: Noise = MEASURED) -> Scaling:
        """Measure whole LR slices (N, 1, h, w)."""
        offset, scale = self.normalisation.statistics(slices)
        told = NOISE_GAIN * noise.strength * _sigma(slices, noise) / scale if self.tells_noise else None
        return Scaling(offset, scale, told)

    def prepare(
        self,
        slices: Tensor,
        scaling: Scaling,
        fine: tuple[int, int],
        window: tuple[slice, slice] = (slice(None), slice(None)),
    ) -> Tensor:
        """Bring whole LR slices (N, 1, h, w) to the grid ``fine`` and to scale, and cut out ``window`` of it.

        Only what the window needs is upsampled, from the whole slice: its borders see what lies beyond them.
        """
        if not all(map(has_matrix, slices.shape[-2:], fine)):
            whole = torch.from_numpy(upsample(slices.cpu().numpy(), fine, self.upsampling))
            return scaling.normalise(whole[..., window[0], window[1]].to(slices.device))
        rows, columns = (
            torch.tensor(upsampling_matrix(count, size, self.upsampling)[part], device=slices.device)
            for count, size, part in zip(slices.shape[-2:], fine, window, strict=True)
        )
        return scaling.normalise(rows @ slices @ columns.T)


def with_noise(images: Tensor, noise: Tensor | None) -> Tensor:
    """Add the channel that tells the noise, constant over each image, to images (N, 1, H, W)."""
    return images if noise is None else torch.cat([images, noise.expand_as(images).to(images.dtype)], dim=1)


def _sigma(slices: Tensor, noise: Noise) -> Tensor:
    if noise.sigma is not None:
        return torch.full((len(slices), 1, 1, 1), noise.sigma, device=slices.device)
    from napari_micromri.measure.noise import estimate_noise

    found = [estimate_noise(image).sigma for image in slices[:, 0].cpu().numpy()]
    return torch.tensor(found, dtype=torch.float32, device=slices.device).view(-1, 1, 1, 1)
