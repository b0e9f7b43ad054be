"""The unsupervised network that gives maps from the signals of a slice, after Huang (2022, Phys Med Biol 67 215018).

The details of the source are not public; this is what its text says: the signals of a slice are channels, three 3 x 3
convolutions with ELU and dropout and a 1 x 1 convolution give D, f and D* within bounds, and the network learns by
making the biexponential signals of its own output look like the measured ones. No true maps are needed.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from napari_micromri.errors import InputError, ModelError
from napari_micromri.ivim.signal import Bounds
from napari_micromri.nn.checkpoint import ModelCard, ModelSpec, load_weights, read_spec, save_checkpoint

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

KIND = "ivim-network"
SAME_B = 0.05
"""b-values of another scan may differ from those of training by this part, or by 1 s/mm^2."""


@dataclass(frozen=True)
class NetworkConfig:
    """Shape of the network.

    Parameters
    ----------
    b_values
        Distinct and rising, in s/mm^2: one input channel each.
    kernel
        3, or 1 for voxels without neighbours.
    """

    b_values: tuple[float, ...]
    bounds: Bounds = field(default_factory=Bounds)
    features: int = 64
    kernel: int = 3
    dropout: float = 0.01


class IvimNetwork(nn.Module):
    """Maps (N, B, y, x) of S / S0 to D, f, D* (N, 3, y, x) within the bounds."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        widths = [len(config.b_values), *[config.features] * 3]
        layers: list[nn.Module] = []
        for given, features in pairwise(widths):
            padding = config.kernel // 2
            layers.append(nn.Conv2d(given, features, config.kernel, padding=padding, padding_mode="replicate"))
            layers += [nn.ELU(), nn.Dropout(config.dropout)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(config.features, 3, 1))
        low, high = (torch.tensor(b, dtype=torch.float32) for b in (config.bounds.lower, config.bounds.upper))
        self.register_buffer("low", low.view(3, 1, 1), persistent=False)
        self.register_buffer("range", (high - low).view(3, 1, 1), persistent=False)
        b = torch.tensor(config.b_values, dtype=torch.float32).view(-1, 1, 1)
        self.register_buffer("b", b, persistent=False)

    def forward(self, signals: Tensor) -> Tensor:
        """Give the maps."""
        maps: Tensor = self.low + self.range * torch.sigmoid(self.layers(signals))  # type: ignore[operator]
        return maps

    def signals(self, maps: Tensor) -> Tensor:
        """Give the biexponential signals (N, B, y, x) of maps, relative to that at the smallest b, as measured ones."""
        D, f, Dp = torch.split(maps, 1, dim=1)
        fast, slow = torch.exp(-self.b * Dp), torch.exp(-self.b * D)  # type: ignore[operator]
        signals: Tensor = f * fast + (1 - f) * slow
        return signals if self.config.b_values[0] == 0 else signals / signals[:, :1]


def check_same_b(config: NetworkConfig, b_values: Sequence[float]) -> None:
    """Refuse a scan with other b-values than those of training.

    Raises
    ------
    InputError
        They differ.
    """
    trained = config.b_values
    if len(trained) != len(b_values) or not np.allclose(trained, b_values, rtol=SAME_B, atol=1):
        shown = [", ".join(f"{b:g}" for b in values) for values in (trained, b_values)]
        raise InputError(
            f"The network was trained on the b-values {shown[0]}, and the scan has {shown[1]}. Train one on this scan."
        )


def save_network(
    path: Path | str, network: IvimNetwork, method: str, provenance: dict[str, Any], *, overwrite: bool = False
) -> Path:
    """Write a trained network as a model file."""
    spec = ModelSpec(
        name=method,
        kind=KIND,
        config=asdict(network.config) | {"method": method},
        factor=1,
        provenance=provenance,
        card=ModelCard(
            summary=f"IVIM maps by the method {method}, for one set of b-values",
            intended_use="Scans with the b-values, the tissue and the noise of training.",
            limits="It gives no standard deviations. Maps of other tissue or other noise are biased.",
        ),
    )
    return save_checkpoint(path, network.state_dict(), spec, overwrite=overwrite)


def load_network(path: Path | str) -> tuple[IvimNetwork, str, str]:
    """Read a model file; give network, method and fingerprint.

    Raises
    ------
    ModelError
        The file is missing, damaged, or holds another kind of model.
    """
    spec, _ = read_spec(path)
    if spec.kind != KIND:
        raise ModelError(f"{path} holds a model of the kind '{spec.kind}', not a network for IVIM.")
    try:
        content = dict(spec.config)
        method = str(content.pop("method"))
        bounds = Bounds.of(content.pop("bounds"))
        config = NetworkConfig(bounds=bounds, **content | {"b_values": tuple(map(float, content["b_values"]))})
        if not (1 <= config.features <= 1024 and config.kernel in (1, 3) and 4 <= len(config.b_values) <= 1024):
            raise ValueError("sizes make no sense")
        network = IvimNetwork(config)
    except (KeyError, TypeError, ValueError, AttributeError, InputError) as error:
        raise ModelError(f"The model {path} is damaged: its description makes no sense. Get it again.") from error
    weights, fingerprint = load_weights(path, {k: tuple(v.shape) for k, v in network.state_dict().items()})
    network.load_state_dict(weights)
    return network.eval(), method, fingerprint
