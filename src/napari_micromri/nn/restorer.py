"""What inference needs of a model, whatever its kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from torch import Tensor

    from napari_micromri.nn.checkpoint import ModelSpec


@dataclass(frozen=True)
class Noise:
    """What a network is told of the noise.

    Parameters
    ----------
    sigma
        Standard deviation in each channel of the complex signal, in the scanner's units; None measures it on each
        slice (`napari_micromri.measure.noise.estimate_noise`).
    strength
        Times which the noise is told: above 1 more is removed, below 1 less.
    """

    sigma: float | None = None
    strength: float = 1.0


MEASURED = Noise()


class Restorer(Protocol):
    """Turns slices of a fast scan into slices of a good one, in the scanner's own units."""

    spec: ModelSpec
    fingerprint: str
    """Identifies the file that the model came from."""

    def prepare(self, device: torch.device, dtype: torch.dtype) -> None:
        """Move to a device and choose the type that convolutions are computed in."""

    @property
    def takes_noise(self) -> bool:
        """Whether the model is told the noise; for one that isn't, ``noise`` counts for nothing."""
        ...

    def restore(self, slices: Tensor, tile: int | None = None, noise: Noise = MEASURED) -> Tensor:
        """Denoise slices (N, 1, h, w), finite float32 on the model's device, to (N, 1, f h, f w).

        With ``tile`` the network sees squares of that many fine pixels at a time; the result is the same.
        """
        ...

    def memory(self, height: int, width: int) -> int:
        """Estimate the bytes that one slice with that many coarse pixels takes while it is denoised."""
        ...


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How a diffusion model goes from the fast scan to the good one.

    Parameters
    ----------
    steps
        1 gives the estimate of least squared error; more trade that for texture.
    draws
        Random draws per slice. Their mean is the result, their standard deviation its uncertainty. A single one starts
        without noise.
    eta
        Share, 0 to 1, of the noise that each step may add.
    seed
        The same seed gives the same draws, whatever the batch and the device they are computed on.
    """

    steps: int = 1
    draws: int = 1
    eta: float = 0.0
    seed: int = 0

    @property
    def label(self) -> str:
        """Say it in short, for a name: ``5 steps, 8 draws, seed 0``; the seed only where there is chance."""
        parts = [f"{self.steps} step{'s' * (self.steps > 1)}"]
        if self.draws > 1:
            parts.append(f"{self.draws} draws")
        if self.draws > 1 or self.eta > 0:
            parts.append(f"seed {self.seed}")
        return ", ".join(parts)


@dataclass(frozen=True)
class Sampled:
    """Mean and population standard deviation (ddof = 0) over the draws, (N, 1, f h, f w) each."""

    image: Tensor
    spread: Tensor


@runtime_checkable
class SamplingRestorer(Restorer, Protocol):
    """A `Restorer` that may take several steps and random draws; ``restore`` is one step."""

    most_steps: int

    def sample(
        self,
        slices: Tensor,
        sampling: Sampling,
        numbers: Sequence[int],
        *,
        tile: int | None = None,
        at_once: int | None = None,
        noise: Noise = MEASURED,
    ) -> Sampled:
        """Denoise slices (N, 1, h, w).

        ``numbers`` are the slices' places in their scan, from which, with the seed, their noise follows. ``at_once``
        limits how many images the network gets together.
        """
        ...
