"""What inference needs of a model, whatever its kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from napari_micromri.nn.checkpoint import ModelSpec


class Restorer(Protocol):
    """Turns slices of a fast scan into slices of a good one, in the scanner's own units."""

    spec: ModelSpec
    fingerprint: str
    """Identifies the file that the model came from."""

    def prepare(self, device: torch.device, dtype: torch.dtype) -> None:
        """Move to a device and choose the type that convolutions are computed in."""

    def restore(self, slices: Tensor, tile: int | None = None) -> Tensor:
        """Denoise slices (N, 1, h, w), finite float32 on the model's device, to (N, 1, f h, f w).

        With ``tile`` the network sees squares of that many fine pixels at a time; the result is the same.
        """
        ...

    def memory(self, height: int, width: int) -> int:
        """Estimate the bytes that one slice with that many coarse pixels takes while it is denoised."""
        ...
