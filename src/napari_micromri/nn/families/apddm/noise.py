"""Noise that depends on the seed, the slice and the draw alone, so that neither batches nor devices change a result."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from napari_micromri.nn.families.apddm.residuals import ResidualBank


class NoiseSource:
    """Images of mean 0 and variance 1 for a batch of draws, each from a stream of its own.

    Parameters
    ----------
    streams
        For every image of the batch the seed, the number of its slice and the number of its draw.
    bank
        Where the noise comes from; None takes Gaussian noise.
    """

    def __init__(
        self, streams: Sequence[tuple[int, int, int]], shape: tuple[int, int], bank: ResidualBank | None = None
    ) -> None:
        self._generators = [generator_of(stream) for stream in streams]
        self._shape, self._bank = shape, bank

    def draw(self) -> Tensor:
        """Give the next noise of every stream, (N, 1, H, W), on the CPU."""
        return torch.cat([self._one(generator) for generator in self._generators])

    def _one(self, generator: torch.Generator) -> Tensor:
        if self._bank is not None:
            return self._bank.draw(1, self._shape, generator)
        return torch.randn(1, 1, *self._shape, generator=generator)


def generator_of(stream: Sequence[int]) -> torch.Generator:
    """Make a generator whose state follows from some numbers of 0 or more."""
    # Neighbouring seeds give streams that have nothing in common, which torch alone doesn't promise.
    state = np.random.SeedSequence(stream).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state) & (2**63 - 1))
