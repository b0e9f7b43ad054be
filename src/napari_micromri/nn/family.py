"""What a kind of model is: all that the rest of the package asks of it, and nothing that needs torch to be looked at.

A kind has a folder in `napari_micromri.nn.families` with a subclass of `NetworkConfig`, one of `Family`, and what these
import when it is needed: the network, and for a kind that isn't just a network its restorer and training method.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from napari_micromri.errors import InputError, ModelError
from napari_micromri.nn.checkpoint import faulty_field

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from napari_micromri.nn.checkpoint import ModelSpec
    from napari_micromri.nn.network import Network
    from napari_micromri.nn.restorer import Restorer
    from napari_micromri.training.config import TrainConfig
    from napari_micromri.training.data import SlicePair
    from napari_micromri.training.engine.methods import Method

T = TypeVar("T", bound=BaseModel)


class NetworkConfig(BaseModel):
    """Shape of a network; its fields hold all that forms, tables and tuning know of them.

    ``title`` is its name in the docks, ``description`` explains it (a field without one follows from other settings and
    is shown nowhere). ``examples`` are values to offer where others can be typed, too. ``json_schema_extra`` may hold
    ``search``, the values that a tuning tries by default (of a list: of each entry), ``search_more``, those that it
    tries on request, and ``only_with``, another setting and those of its values with which the field counts.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    if TYPE_CHECKING:  # fields of every subclass, which gives them their place in the form, default and words
        residual: bool = True
        patch_size: int = 1
        noise_input: bool = False

    @property
    def input_channels(self) -> int:
        """Channels of the images that the network takes."""
        return 1 + self.noise_input

    @property
    def multiple(self) -> int:
        """Height and width are padded to a multiple of this inside the network, in fine pixels."""
        return self.patch_size

    @property
    def reach(self) -> int | None:
        """Distance in fine pixels beyond which the input can't change the output; None when all of it counts.

        A network of the latter sort is never run on tiles, which would change its result.
        """
        raise NotImplementedError

    @property
    def widest(self) -> float:
        """The most channels that one resolution has, per fine pixel: what memory goes by."""
        raise NotImplementedError


@dataclass(frozen=True)
class Preset:
    """Settings to start from, as `napari_micromri.training.config.parse_config` takes them, and what they are for."""

    summary: str
    settings: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Family:
    """A kind of model. Subclasses give at least `build`; the others are those of a network that takes one step.

    Parameters
    ----------
    kind
        As in the header of a model file.
    label, plural, about
        For people: in lists, in sentences, and to choose by.
    network
        Shape of its network.
    settings
        Settings of its training beyond those of every kind; in `TrainConfig` they bear the name of the kind.
    title
        Heading of these settings in the docks.
    starts_from
        Kinds of models that its training can start from.
    keeps
        Those of ``settings`` that a model of this kind brings along when a training starts from it.
    """

    kind: str
    label: str
    plural: str
    about: str
    network: type[NetworkConfig]
    settings: type[BaseModel] | None = None
    title: str = ""
    presets: Mapping[str, Preset] = field(default_factory=dict)
    starts_from: tuple[str, ...] = ()
    keeps: tuple[str, ...] = ()

    # What a configuration means

    def check(self, network: NetworkConfig, settings: BaseModel | None) -> None:
        """Raise a ValueError where they don't fit together."""

    def model(self, network: NetworkConfig, settings: BaseModel | None) -> BaseModel:
        """Describe the model apart from its weights: the ``config`` of its file."""
        del settings
        return network

    def completed(self, network: NetworkConfig, settings: BaseModel | None) -> NetworkConfig:
        """Give the network the inputs that follow from the kind of model."""
        del settings
        return network

    def shape(self, spec: ModelSpec, where: Path | None = None) -> NetworkConfig:
        """Read the shape of its network, as a configuration gives it, from the description in the file ``where``.

        Raises
        ------
        ModelError
            It makes no sense.
        """
        return self.read(self.network, spec, where)

    def most_steps(self, config: Mapping[str, Any]) -> int:
        """Look up how many steps inference may take, in the unchecked ``config`` of a model file."""
        del config
        return 1

    def takes_noise(self, config: Mapping[str, Any]) -> bool:
        """Look up whether the network is told the noise, in the unchecked ``config`` of a model file."""
        return config.get("noise_input") is True

    def start_from(self, spec: ModelSpec, other: Family, config: TrainConfig) -> dict[str, BaseModel]:
        """Say what a model brings to a training of this kind: ``network``, and maybe the settings of the kind.

        Raises
        ------
        InputError
            The configuration asks for what the model can't become.
        ModelError
            Its description makes no sense.
        """
        network = other.shape(spec)
        told = network.noise_input or config.network.noise_input  # a new channel's weights start at zero
        return {"network": network.model_copy(update={"noise_input": told})}

    # What needs torch

    def build(self, network: NetworkConfig) -> Network:
        """Make the network, with random weights."""
        raise NotImplementedError

    def load(self, path: Path) -> Restorer:
        """Load a model file.

        Raises
        ------
        ModelError
            The configuration or the weights make no sense.
        """
        from napari_micromri.nn.plain_restorer import load

        return load(path, self)

    def method(self, config: TrainConfig, slices: Sequence[SlicePair]) -> Method:
        """Say how it learns; ``slices`` are those of training."""
        from napari_micromri.training.engine.methods import PlainMethod

        del config, slices
        return PlainMethod(self.label)

    @staticmethod
    def read(model: type[T], spec: ModelSpec, where: Path | None = None) -> T:
        """Check the ``config`` of the model file ``where``.

        Raises
        ------
        ModelError
            It makes no sense.
        """
        try:
            return model.model_validate(spec.config)
        except ValidationError as error:
            raise ModelError(
                f"The model {where or spec.name} is damaged: its configuration's '{faulty_field(error)}' makes no "
                "sense. Get the file again."
            ) from error


def cant_choose(key: str, model: str | None) -> InputError:
    """Make the error for a setting that the model brings along which training starts from."""
    return InputError(f"'{key}' can't be chosen, since {model} brings its own. Leave one of them out.")
