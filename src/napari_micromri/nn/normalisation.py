"""Bring slices to the scale that a network was trained on, and back (report 3.4 and eq. 15).

The figures come from the low-resolution slice alone, before it is upsampled, and serve both images of a pair.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from torch import Tensor


class Normalisation(BaseModel):
    """How slices are scaled: stored with the model, undone after inference.

    - ``mean`` (report 3.4): divide by the mean of the slice.
    - ``zscore`` (report eq. 15): subtract the mean, divide by the root mean square of what is left.

    A slice that is constant (or all zero) passes through unchanged.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["mean", "zscore"] = "mean"

    def statistics(self, slices: Tensor) -> tuple[Tensor, Tensor]:
        """Offset and scale, each (N, 1, 1, 1), of slices (N, 1, h, w)."""
        import torch

        dims = (1, 2, 3)
        mean = slices.mean(dim=dims, keepdim=True)
        spread = (slices - mean).square().mean(dim=dims, keepdim=True).sqrt()
        constant = slices.amax(dim=dims, keepdim=True) == slices.amin(dim=dims, keepdim=True)
        offset = mean if self.kind == "zscore" else torch.zeros_like(mean)
        scale = spread if self.kind == "zscore" else mean.abs()
        usable = ~constant & (scale > 0) & torch.isfinite(scale)
        return torch.where(usable, offset, 0.0), torch.where(usable, scale, 1.0)


def normalise(slices: Tensor, statistics: tuple[Tensor, Tensor]) -> Tensor:
    """Scale slices (N, 1, H, W) by what `Normalisation.statistics` gave."""
    offset, scale = statistics
    return (slices - offset) / scale


def restore(slices: Tensor, statistics: tuple[Tensor, Tensor]) -> Tensor:
    """Undo `normalise`."""
    offset, scale = statistics
    return slices * scale + offset
