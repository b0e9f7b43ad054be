"""What surrounds a network in every kind of model: its device and precision, its memory, upsampling, its file."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from napari_micromri.nn.checkpoint import load_weights, weights_dont_fit
from napari_micromri.nn.preparation import Recipe

if TYPE_CHECKING:
    from pathlib import Path

    from napari_micromri.nn.checkpoint import ModelSpec
    from napari_micromri.nn.family import Family, NetworkConfig
    from napari_micromri.nn.network import Network
    from napari_micromri.nn.preparation import Scaling
    from napari_micromri.nn.restorer import Noise


class NetworkRestorer:
    """Holds a `Network` and what a model file says of it; the base of each kind of `Restorer` that has one."""

    def __init__(self, network: Network, spec: ModelSpec, fingerprint: str = "") -> None:
        self.network, self.spec, self.fingerprint = network.eval(), spec, fingerprint
        self.prepare(torch.device("cpu"), torch.float32)

    def prepare(self, device: torch.device, dtype: torch.dtype) -> None:
        """Move to a device and choose the type that convolutions are computed in."""
        self._device, self._dtype = device, dtype
        self.network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # lacks it

    def memory(self, height: int, width: int) -> int:
        """Estimate the bytes that one slice takes: the widest level holds about six maps at once."""
        fine = height * width * self.spec.factor**2
        return int(fine * 4 * (6 * self.network.config.widest + 6))

    def autocast(self) -> torch.autocast:
        """Compute convolutions in the chosen type."""
        return torch.autocast(self._device.type, self._dtype, enabled=self._dtype != torch.float32)

    @property
    def takes_noise(self) -> bool:
        """Whether the network is told the noise."""
        return self.network.config.noise_input

    def prepared(self, slices: Tensor, noise: Noise) -> tuple[Tensor, Scaling]:
        """Bring slices (N, 1, h, w) to the fine grid and to the network's scale."""
        recipe = Recipe.of(self.spec, tells_noise=self.takes_noise)
        scaling = recipe.measure(slices, noise)
        fine = slices.shape[-2] * self.spec.factor, slices.shape[-1] * self.spec.factor
        return recipe.prepare(slices, scaling, fine), scaling


def load_network(path: Path, family: Family, config: NetworkConfig, parameters: int) -> tuple[Network, str]:
    """Load the network of a model file; gives it and the fingerprint of the file.

    Parameters
    ----------
    parameters
        How many numbers the file holds, as `napari_micromri.nn.checkpoint.read_spec` gives it.

    Raises
    ------
    ModelError
        The weights don't fit.
    """
    # On the meta device a network takes no memory, so that an absurd configuration costs nothing.
    with torch.device("meta"):
        network = family.build(config)
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    if sum(math.prod(shape) for shape in shapes.values()) != parameters:
        raise weights_dont_fit(path)
    weights, fingerprint = load_weights(path, shapes)
    network.load_state_dict(weights, assign=True)
    return network, fingerprint
