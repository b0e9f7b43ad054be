"""Bring slices to the scale that a network was trained on, and back (report 3.4 and eq. 15).

The figures come from the low-resolution slice alone, before it is upsampled, and serve both images of a pair.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from torch import Tensor


class Normalisation(BaseModel):
    """How slices are scaled: stored with the model, undone after inference.

    - ``mean`` (report 3.4): divide by the mean of the slice; of its absolute values, which is the same for magnitude
      images, and not near zero for others.
    - ``zscore`` (report eq. 15): subtract the mean, divide by the root mean square of what is left.

    A slice that is constant (or all zero) passes through unchanged.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["mean", "zscore"] = Field(
        default="mean",
        description="mean: divide each slice by its mean; zscore: subtract the mean, divide by the spread",
    )

    def statistics(self, slices: Tensor) -> tuple[Tensor, Tensor]:
        """Offset and scale, each (N, 1, 1, 1), of slices (N, 1, h, w)."""
        import torch

        dims = (1, 2, 3)
        peak = slices.abs().amax(dim=dims, keepdim=True)
        # Relative to the peak, neither sums nor squares leave the range of float32, whatever the unit.
        relative = slices / torch.where(peak > 0, peak, 1.0)
        if self.kind == "zscore":
            offset = relative.mean(dim=dims, keepdim=True)
            scale = (relative - offset).square().mean(dim=dims, keepdim=True).sqrt() * peak
        else:
            offset = torch.zeros_like(peak)
            scale = relative.abs().mean(dim=dims, keepdim=True) * peak
        usable = ~is_constant(slices) & (scale > 0)
        return torch.where(usable, offset * peak, 0.0), torch.where(usable, scale, 1.0)


def is_constant(slices: Tensor) -> Tensor:
    """Tell which slices (N, 1, h, w) hold one value only: (N, 1, 1, 1) of bool."""
    dims = (1, 2, 3)
    return slices.amax(dim=dims, keepdim=True) == slices.amin(dim=dims, keepdim=True)
