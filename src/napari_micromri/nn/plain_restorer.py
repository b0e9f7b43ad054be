"""A trained network that takes one step, with all that surrounds it: upsampling, normalisation, tiling."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from napari_micromri.nn.checkpoint import read_spec
from napari_micromri.nn.network_restorer import NetworkRestorer, load_network
from napari_micromri.nn.normalisation import is_constant
from napari_micromri.nn.preparation import with_noise
from napari_micromri.nn.restorer import MEASURED
from napari_micromri.nn.tiling import run_tiled

if TYPE_CHECKING:
    from pathlib import Path

    from napari_micromri.nn.family import Family
    from napari_micromri.nn.restorer import Noise


class PlainRestorer(NetworkRestorer):
    """Denoises slices with a network, in one step; see `napari_micromri.nn.restorer.Restorer`."""

    @torch.inference_mode()
    def restore(self, slices: Tensor, tile: int | None = None, noise: Noise = MEASURED) -> Tensor:
        """Denoise slices (N, 1, h, w) to (N, 1, f h, f w); constant ones pass through.

        Statistics and upsampling are those of whole slices, so tiling changes nothing but the memory.
        """
        given, scaling = self.prepared(slices, noise)
        wanted = run_tiled(self._run, with_noise(given, scaling.noise), tile, self.network.config)
        return torch.where(is_constant(slices), slices[..., :1, :1], scaling.restore(wanted))

    def _run(self, image: Tensor) -> Tensor:
        with self.autocast():
            output: Tensor = self.network(image.contiguous(memory_format=torch.channels_last))
        return output.float()


def load(path: Path, family: Family) -> PlainRestorer:
    """Load a model file of a kind that is just a network.

    Raises
    ------
    ModelError
        The configuration or the weights don't fit the network.
    """
    spec, parameters = read_spec(path)
    network, fingerprint = load_network(path, family, family.shape(spec, path), parameters)
    return PlainRestorer(network, spec, fingerprint)
