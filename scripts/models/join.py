"""Join two UNets of the same shape into one of twice the width that gives the mean of both.

Usage: ``python scripts/models/join.py FIRST.safetensors SECOND.safetensors OUTPUT.safetensors``.

Two networks that learned apart make different errors, which their mean has less of. Side by side in one network, with
zeros between them, they are a start for a wide one that is better than either (compare Chen et al. 2016, Net2Net):
training then fills the zeros.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import load_file

from napari_micromri.nn.checkpoint import read_spec, save_checkpoint
from napari_micromri.nn.families.unet.network import UNet, UNetConfig

if TYPE_CHECKING:
    from torch import Tensor


def main() -> None:
    """Write the model file."""
    first, second, output = map(Path, sys.argv[1:])
    spec, _ = read_spec(first)
    config = UNetConfig.model_validate(spec.config)
    wide = config.model_copy(update={"features_main": tuple(2 * width for width in config.features_main)})
    joined = join(UNet(wide).state_dict(), load_file(first), load_file(second))
    plain = spec.model_copy(update={"config": wide.model_dump(mode="json"), "errors": None, "name": output.stem})
    save_checkpoint(output, joined, plain)


def join(wide: dict[str, Tensor], first: dict[str, Tensor], second: dict[str, Tensor]) -> dict[str, Tensor]:
    """Put the weights of two networks into the shapes of one that is twice as wide."""
    result = {}
    for name, shape in ((name, tensor.shape) for name, tensor in wide.items()):
        pair, joined = (first[name], second[name]), torch.zeros(shape)
        if name.startswith("head"):
            joined = (pair[0] + pair[1]) / 2 if name.endswith("bias") else torch.cat(pair, dim=1) / 2
        elif name.endswith("bias"):
            joined = torch.cat(pair)
        elif pair[0].shape[1] == shape[1]:  # both see the image
            joined = torch.cat(pair)
        else:
            # A transposed convolution has its inputs in front. A decoder's inputs are what comes from below, then what
            # comes from the side: each of them is doubled.
            parts = 2 if name.startswith("decoder") and name.split(".")[2] == "0" else 1
            for k, weights in enumerate(pair):
                for part, block in enumerate(weights.chunk(parts, dim=1)):
                    rows, columns = block.shape[:2]
                    start = (2 * part + k) * columns
                    joined[k * rows : (k + 1) * rows, start : start + columns] = block
        result[name] = joined
    return result


if __name__ == "__main__":
    main()
