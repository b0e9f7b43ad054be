"""A trained `UNet` with all that surrounds it: upsampling, normalisation, tiling."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from pydantic import ValidationError
from torch import Tensor

from napari_micromri.errors import ModelError
from napari_micromri.nn.checkpoint import faulty_field, load_weights, read_spec, weights_dont_fit
from napari_micromri.nn.normalisation import is_constant, normalise, restore
from napari_micromri.nn.tiling import run_tiled
from napari_micromri.nn.unet import UNet, UNetConfig
from napari_micromri.simulation.resampling import upsampling_matrix

if TYPE_CHECKING:
    from pathlib import Path

    from napari_micromri.nn.checkpoint import ModelSpec


class UNetRestorer:
    """Denoises slices with a `UNet`; see `napari_micromri.nn.restorer.Restorer`."""

    def __init__(self, network: UNet, spec: ModelSpec, fingerprint: str = "") -> None:
        self.network, self.spec, self.fingerprint = network.eval(), spec, fingerprint
        self.prepare(torch.device("cpu"), torch.float32)

    def prepare(self, device: torch.device, dtype: torch.dtype) -> None:
        """Move to a device and choose the type that convolutions are computed in."""
        self._device, self._dtype = device, dtype
        self.network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # lacks it

    @torch.inference_mode()
    def restore(self, slices: Tensor, tile: int | None = None) -> Tensor:
        """Denoise slices (N, 1, h, w) to (N, 1, f h, f w); constant ones pass through.

        Statistics and upsampling are those of whole slices, so tiling changes nothing but the memory.
        """
        statistics = self.spec.normalisation.statistics(slices)
        given = normalise(self._upsample(slices), statistics)
        wanted = restore(run_tiled(self._run, given, tile, self.network.config), statistics)
        return torch.where(is_constant(slices), slices[..., :1, :1], wanted)

    def memory(self, height: int, width: int) -> int:
        """Estimate the bytes that one slice takes: the widest level holds about six maps at once."""
        config = self.network.config
        fine = height * width * self.spec.factor**2
        maps = max(
            features / (config.patch_size * 2**level) ** 2 for level, features in enumerate(config.features_main)
        )
        return int(fine * 4 * (6 * maps + 6))

    def _run(self, image: Tensor) -> Tensor:
        image = image.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self._device.type, self._dtype, enabled=self._dtype != torch.float32):
            output: Tensor = self.network(image)
        return output.float()

    def _upsample(self, slices: Tensor) -> Tensor:
        height, width = slices.shape[-2:]
        factor, mode = self.spec.factor, self.spec.upsampling
        rows = torch.tensor(upsampling_matrix(height, height * factor, mode), device=slices.device)
        columns = torch.tensor(upsampling_matrix(width, width * factor, mode), device=slices.device)
        return rows @ slices @ columns.T


def load(path: Path) -> UNetRestorer:
    """Load a model file of the kind ``unet``.

    Raises
    ------
    ModelError
        The configuration or the weights don't fit a `UNet`.
    """
    spec, parameters = read_spec(path)
    try:
        config = UNetConfig.model_validate(spec.config)
    except ValidationError as error:
        raise ModelError(
            f"The model {path} is damaged: its configuration's '{faulty_field(error)}' makes no sense. Get it anew."
        ) from error
    # On the meta device a network takes no memory, so that an absurd configuration costs nothing.
    with torch.device("meta"):
        network = UNet(config)
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    if sum(math.prod(shape) for shape in shapes.values()) != parameters:
        raise weights_dont_fit(path)
    weights, fingerprint = load_weights(path, shapes)
    network.load_state_dict(weights, assign=True)
    return UNetRestorer(network, spec, fingerprint)
