"""What networks share: they work on patches, on images of any size, and can take over weights of smaller ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_micromri.nn.family import NetworkConfig


class Network(nn.Module):
    """Turns images (N, C, H, W) into (N, 1, H, W) for any H and W; C is ``config.input_channels``.

    ``patch_size`` 2 makes each 2 x 2 block of pixels four channels first (pixel unshuffle), and the reverse at the end:
    the convolutions then run on the grid of the fast scan, where all of its information is, at a quarter of the cost
    per weight. With ``residual`` the first input channel is added to the output, so the network learns what to change.

    Subclasses give `body`, from ``input_channels * patch_size**2`` channels to ``patch_size**2``.
    """

    config: NetworkConfig

    def body(self, x: Tensor, time: Tensor | None) -> Tensor:
        """Compute on patches; height and width are multiples of ``config.multiple / config.patch_size``."""
        raise NotImplementedError

    def forward(self, image: Tensor, time: Tensor | None = None) -> Tensor:
        """Denoise a batch; ``time`` (N,) between 0 and 1 where the network has an embedding for it."""
        height, width = image.shape[-2:]
        size = self.config.patch_size
        padded = _pad_to_multiple(image, self.config.multiple)
        change = functional.pixel_shuffle(self.body(functional.pixel_unshuffle(padded, size), time), size)
        result = padded[:, :1] + change if self.config.residual else change
        return result[..., :height, :width]


def head(channels: int, config: NetworkConfig) -> nn.Conv2d:
    """Make the last convolution. A residual network starts as the identity: its first steps improve on the input."""
    made = nn.Conv2d(channels, config.patch_size**2, 3, padding=1)
    if config.residual:
        nn.init.zeros_(made.weight)
        nn.init.zeros_(made.bias)  # type: ignore[arg-type]  # Conv2d's bias is optional, here it is there
    return made


def keep_scale(network: nn.Module) -> None:
    """Draw the weights of convolutions so that signals keep their size on the way through ReLUs (He et al. 2015).

    By PyTorch's own rule they fade from layer to layer: a UNet then learns hardly more than a change of brightness in
    its first 500 steps. A network on the meta device, which has shapes alone, is left as it is.
    """
    # To draw there, PyTorch loads its compiler in a second, and with CUDA an LLVM that crashes beside that of OpenGL.
    if any(parameter.is_meta for parameter in network.parameters()):
        return
    for module in network.modules():
        if isinstance(module, nn.ConvTranspose2d):  # whose pixels each come from one pixel below, and no ReLU follows
            nn.init.normal_(module.weight, std=module.in_channels**-0.5)
        elif isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def count_parameters(module: nn.Module) -> int:
    """Count the trainable numbers."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


def starting_weights(network: nn.Module, trained: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Fit trained weights to a network with more inputs, so that it computes the same at first.

    The weights of further input channels are zero; what the trained network lacks, such as the embedding of time, keeps
    its own, whose last layers are zero.

    Parameters
    ----------
    network
        New, and apart from its inputs of the trained network's shape.
    trained
        State of the trained network.
    """
    own = network.state_dict()
    weights = {name: tensor.clone() for name, tensor in own.items()}
    for name, tensor in trained.items():
        if own[name].shape == tensor.shape:
            weights[name] = tensor.clone()
        else:  # the first convolution: its first channels are the trained network's
            weights[name] = torch.zeros_like(own[name])
            weights[name][:, : tensor.shape[1]] = tensor
    return weights


def _pad_to_multiple(image: Tensor, multiple: int) -> Tensor:
    height, width = image.shape[-2:]
    pad = (0, -width % multiple, 0, -height % multiple)
    # Where the network is traced for another program, it has to pad as well: that program brings other sizes.
    if not torch.compiler.is_compiling() and not any(pad):
        return image
    return functional.pad(image, pad, mode="replicate")
