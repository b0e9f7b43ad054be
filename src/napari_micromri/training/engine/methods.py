"""What differs between kinds of models while they learn: how a batch is prepared, what is estimated, what is kept.

Each kind of model gives its own (`napari_micromri.nn.family.Family.method`); loop, validation, checkpoints and events
know nothing of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import torch

from napari_micromri.errors import InputError
from napari_micromri.nn.network import starting_weights
from napari_micromri.nn.preparation import with_noise
from napari_micromri.nn.registry import load_model

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn

    from napari_micromri.nn.network import Network
    from napari_micromri.training.config import TrainConfig
    from napari_micromri.training.engine.batches import Batch
    from napari_micromri.training.engine.samples import Sample


class Method(Protocol):
    """How one kind of model learns. ``note`` says what a person should know of it, in a sentence; mostly nothing.

    ``estimates_as_it_learns`` is False where inference is another thing than learning, so that the loss of validation
    needs a computation of its own.
    """

    label: str
    note: str
    estimates_as_it_learns: bool

    def prepare(self, sample: Sample, number: int, stream: Sequence[int], /) -> Sample:
        """Add what is learned from, in a thread that makes batches; see `training_batches`."""
        ...

    def learn(self, model: nn.Module, batch: Batch, /) -> Tensor:
        """Estimate the good slices, (N, 1, H, W), from what `prepare` gave."""
        ...

    def estimate(self, model: nn.Module, batch: Batch, /) -> Tensor:
        """Estimate them as in inference, from the fast slices alone, (N, 1, H, W)."""
        ...

    def provenance(self) -> dict[str, Any]:
        """Say what else the model file should tell of where the model comes from."""
        ...


class PlainMethod:
    """A network that is given the fast slice and estimates the good one."""

    note, estimates_as_it_learns = "", True

    def __init__(self, label: str) -> None:
        self.label = label

    def prepare(self, sample: Sample, _number: int, _stream: Sequence[int], /) -> Sample:
        """Leave the sample as it is."""
        return sample

    def learn(self, model: nn.Module, batch: Batch, /) -> Tensor:
        """Estimate the good slices."""
        return self.estimate(model, batch)

    def estimate(self, model: nn.Module, batch: Batch, /) -> Tensor:
        """Estimate the good slices."""
        image = with_noise(batch.given, batch.noise)
        estimated: Tensor = model(image.contiguous(memory_format=torch.channels_last))
        return estimated

    def provenance(self) -> dict[str, Any]:
        """Nothing more than the configuration says."""
        return {}


def new_network(config: TrainConfig) -> Network:
    """Make the network of the configuration, with random weights."""
    family = config.family
    return family.build(family.completed(config.network, config.settings))


def first_network(config: TrainConfig, factor: int) -> Network:
    """Make the network to start with: new, or with the weights of ``init_from``.

    Raises
    ------
    InputError
        The model of ``init_from`` is for another factor between the grids.
    """
    network = new_network(config)
    if config.init_from is None:
        return network
    restorer: Any = load_model(config.init_from)
    if restorer.spec.factor != factor:
        raise InputError(
            f"The model {restorer.spec.name} makes {restorer.spec.factor} HR pixels of an LR pixel, but the study has "
            f"{factor}. Start from another model, or from none."
        )
    # settle_config has seen that the shapes fit
    network.load_state_dict(starting_weights(network, restorer.network.state_dict()))
    return network
