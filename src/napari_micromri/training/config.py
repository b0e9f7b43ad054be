"""All knobs of a training run, in one frozen object that is stored with the run (report, section 4.2)."""

from __future__ import annotations

import difflib
import json
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializeAsAny,
    ValidationError,
    ValidationInfo,
    create_model,
    field_validator,
    model_validator,
)

from napari_micromri.errors import InputError, describe_os_error, describe_parse_error
from napari_micromri.io.small_files import read_small
from napari_micromri.nn.families import FAMILIES, OWN_SETTINGS, FamilySettings
from napari_micromri.nn.family import NetworkConfig
from napari_micromri.nn.normalisation import Normalisation
from napari_micromri.simulation.resampling import Upsampling
from napari_micromri.training.figures import BY_NAME
from napari_micromri.training.simulated_settings import SimulatedSettings
from napari_micromri.words import what_is_wrong

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic.fields import FieldInfo

    from napari_micromri.nn.family import Family


def _known(kind: str) -> str:
    if kind not in FAMILIES:
        raise ValueError(f"choose {' or '.join(map(repr, FAMILIES))}")
    return kind


def _judging(figure: str) -> str:
    if figure not in BY_NAME:
        raise ValueError(f"choose {' or '.join(map(repr, BY_NAME))}")
    return figure


class TrainConfig(FamilySettings):
    """How a model is trained. Without arguments it is the report's first run."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = Field(default="", max_length=100, description="name of the model; empty for that of the run's folder")
    seed: int = Field(default=0, ge=0, lt=2**31, description="same seed, same machine: same curve")

    kind: Annotated[str, AfterValidator(_known)] = Field(
        default="unet", description=f"kind of model: {', '.join(FAMILIES)}"
    )
    network: SerializeAsAny[NetworkConfig] = Field(
        default=None, validate_default=True, description="shape of the network; depends on the kind of model"
    )
    init_from: str | None = Field(
        default=None,
        description="model to start from, by name or file; its network, upsampling and normalisation then take the "
        "place of those given here",
    )
    upsampling: Upsampling = Field(default="nearest", description="how LR slices are brought to the HR grid")
    normalisation: Normalisation = Field(default=Normalisation(), description="how slices are scaled")

    pairs: Literal["study", "simulated"] = Field(
        default="study",
        description="study: learn from the fast scans of the study; simulated: make them from its good scans, with "
        "other noise at every draw",
    )
    simulated: SimulatedSettings = Field(default=SimulatedSettings(), description="only with pairs=simulated")

    epochs: int = Field(default=200, ge=1, description="passes over the training slices, at most")
    minutes: float | None = Field(
        default=None,
        gt=0,
        description="train for this long instead of all epochs; the cosine schedule then follows the time; none: off",
    )
    draws: int | None = Field(
        default=None, ge=1, description="slices drawn at random in each epoch; none: each training slice once"
    )
    balance: Literal["slices", "subjects"] = Field(
        default="slices",
        description="subjects: with draws, every subject is drawn equally often, however many slices it has",
    )
    batch_size: int = Field(default=32, ge=1, description="slices per step, over all processes together")
    cuts: int = Field(default=1, ge=1, le=64, description="random squares cut from each slice, with crop")
    crop: int | None = Field(
        default=None, ge=16, description="train on random squares, this many HR pixels wide; none: whole slices"
    )
    flips: bool = Field(default=True, description="flip slices at random, up-down and left-right, each with p = 0.5")
    transpose: bool = Field(default=False, description="swap rows and columns at random, with p = 0.5")
    scaling: float = Field(
        default=0.0, ge=0, le=2, description="multiply both images by exp(u), u uniform within ± this value"
    )

    loss: Literal["mse", "mae", "hybrid", "relative", "structural"] = Field(
        default="mse",
        description="hybrid: alpha MSE + (1 - alpha)(1 - SSIM), eq. 7; relative: squared error over that of the input; "
        "structural: relative, with SSIM and local brightness",
    )
    alpha: float = Field(default=0.8, ge=0, le=1, description="weight of the MSE in the hybrid loss")
    optimizer: Literal["adam", "adamw", "sgd", "rmsprop"] = Field(default="rmsprop", description="optimisation method")
    learning_rate: float = Field(default=1e-4, gt=0, le=10, description="initial rate; with warm-up, the rate after it")
    weight_decay: float = Field(default=0.0, ge=0, description="decay of the weights towards zero")
    momentum: float = Field(default=0.0, ge=0, lt=1, description="for sgd and rmsprop")
    scheduler: Literal["none", "exponential", "step", "plateau", "cosine"] = Field(
        default="plateau", description="how the learning rate decreases"
    )
    decay: float = Field(default=0.5, gt=0, le=1, description="factor of exponential (each epoch), step and plateau")
    decay_epochs: int = Field(default=10, ge=1, description="step: epochs between two decays")
    plateau_patience: int = Field(default=3, ge=0, description="plateau: epochs without improvement before a decay")
    warmup_epochs: float = Field(
        default=0.0, ge=0, description="cosine: epochs in which the learning rate rises from zero"
    )
    final_rate: float = Field(
        default=0.01, ge=0, le=1, description="cosine: final learning rate, as a fraction of the first"
    )
    clip: float | None = Field(default=None, gt=0, description="largest norm of the gradient; none: no limit")
    ema: float = Field(
        default=0.0, ge=0, lt=1, description="decay of the moving average of the weights, e.g. 0.998; 0: off"
    )

    monitor: Annotated[str, AfterValidator(_judging)] = Field(
        default="mse",
        json_schema_extra={"enum": list(BY_NAME)},
        description="validation figure that decides which epoch is best; the loss of a diffusion model is that over "
        "all times of its path",
    )
    patience: int | None = Field(
        default=6, ge=1, description="stop after this many epochs without improvement; none: never"
    )
    least_epochs: int = Field(default=10, ge=1, description="never stop early before this many epochs")

    device: str = Field(default="auto", description="auto, cpu, cuda or mps")
    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        default="auto",
        description="auto: bfloat16 on GPUs that have it, float32 elsewhere; bfloat16 is faster on some CPUs too",
    )
    devices: int = Field(
        default=1, ge=1, description="processes per computer; set by torchrun or SLURM where they start them"
    )
    nodes: int = Field(default=1, ge=1, description="computers; set by torchrun or SLURM where they start them")
    threads: int | None = Field(
        default=None, ge=1, le=1024, description="CPU threads for computing; none: torch decides"
    )
    workers: int = Field(
        default=1, ge=0, le=64, description="threads that prepare batches in advance; 0: prepare them between steps"
    )
    cache_megabytes: int = Field(default=2048, ge=0, description="memory for slices, so that each is read only once")
    checkpoint_minutes: float = Field(default=10.0, ge=0, description="minutes between checkpoints within an epoch")

    @field_validator("network", mode="before")
    @classmethod
    def _of_its_kind(cls, value: Any, info: ValidationInfo) -> NetworkConfig:
        network = FAMILIES[info.data.get("kind", "unet")].network  # without a kind there is an error already
        if isinstance(value, NetworkConfig) and not isinstance(value, network):
            raise ValueError(f"it isn't a network of the kind {info.data['kind']}")
        return network() if value is None else network.model_validate(value)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.pairs == "study" and self.simulated != SimulatedSettings():
            raise ValueError("the settings 'simulated' only count with pairs=simulated")
        if self.balance == "subjects" and self.draws is None:
            raise ValueError("balance=subjects needs draws, the number of slices of an epoch")
        if self.cuts > 1 and self.crop is None:
            raise ValueError("cuts needs crop, the size of the squares that are cut out")
        for kind, settings in OWN_SETTINGS.items():
            if kind != self.kind and getattr(self, kind) != settings():
                raise ValueError(f"the settings '{kind}' only count with kind={kind}")
        self.family.check(self.network, self.settings)
        return self

    @property
    def family(self) -> Family:
        """The kind of model."""
        return FAMILIES[self.kind]

    @property
    def settings(self) -> BaseModel | None:
        """Settings that only this kind of model has; None where there are none."""
        return getattr(self, self.kind, None)

    @property
    def model(self) -> BaseModel:
        """What the model is, apart from its weights: the ``config`` of its file."""
        return self.family.model(self.network, self.settings)


def parse_config(content: Mapping[str, Any]) -> TrainConfig:
    """Check a configuration.

    Raises
    ------
    InputError
        A key is unknown (the nearest known one is named) or a value makes no sense.
    """
    try:
        return TrainConfig.model_validate(content)
    except ValidationError as error:
        raise InputError(_explain(error, content.get("kind", "unet"))) from error


def read_config(path: Path | str) -> dict[str, Any]:
    """Read a ``.json`` or ``.toml`` file, also the ``config.json`` of a run; unchecked, see `make_config`.

    Raises
    ------
    InputError
        The file can't be read or isn't of its kind.
    """
    path = Path(path)
    try:
        text = read_small(path).decode("utf-8-sig")
        content = tomllib.loads(text) if path.suffix.lower() == ".toml" else json.loads(text)
    except OSError as error:
        raise InputError(describe_os_error(error, path)) from error
    except ValueError as error:
        raise InputError(f"{path} isn't valid JSON or TOML: {describe_parse_error(error)}.") from error
    if isinstance(content, dict) and "micromri-run" in content:
        content = content.get("config")
    if not isinstance(content, dict):
        raise InputError(f"{path} holds no settings by name.")
    return content


def make_config(preset: str | None = None, file: Path | str | None = None, settings: Iterable[str] = ()) -> TrainConfig:
    """Put a configuration together: the preset, over it the file, over it settings as ``network.residual=false``.

    Raises
    ------
    InputError
        See `parse_config` and `read_config`; no such preset; a setting isn't of the form key=value.
    """
    from napari_micromri.training.presets import find_preset

    content = find_preset(preset).model_dump(mode="json", exclude_unset=True) if preset else {}
    if file is not None:
        content = _merge(content, read_config(file))
    for setting in settings:
        content = _merge(content, _parse_setting(setting))
    return parse_config(content)


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        nested = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if nested else value
    return merged


def _parse_setting(setting: str) -> dict[str, Any]:
    key, equals, text = setting.partition("=")
    names = key.strip().split(".")
    if not equals or not all(names):
        raise InputError(f"'{setting}' isn't a setting. Write key=value, for example learning_rate=0.001.")
    value = _parse_value(text.strip())
    for name in reversed(names):
        value = {name: value}
    result: dict[str, Any] = value
    return result


def _parse_value(text: str) -> Any:
    if text.lower() in ("none", "null"):
        return None
    for candidate in (text, f"[{text}]") if "," in text else (text,):
        try:
            return json.loads(candidate)
        except ValueError:
            continue
    return text


def _explain(error: ValidationError, kind: str) -> str:
    first = error.errors(include_url=False)[0]
    where, said = ".".join(str(part) for part in first["loc"]), what_is_wrong(first)
    if first["type"] == "extra_forbidden":
        return f"There is no setting '{where}'.{_suggest(where, kind)}"
    if not where:
        return f"The settings don't fit together: {said}."
    said = said[:1].lower() + said[1:]
    return f"The setting '{where}' can't be {json.dumps(first['input'], default=str)}: {said}."


def _suggest(key: str, kind: str) -> str:
    if having := [other for other in FAMILIES if key in known_keys(other)]:
        return f" Models of the kind {' or '.join(having)} have it, but not those of the kind {kind}."
    # The right name in the wrong place, such as residual for network.residual, is nearer than any other.
    keys = known_keys(kind)
    near = [known for known in keys if known.rpartition(".")[2] == key.rpartition(".")[2]]
    near = near or difflib.get_close_matches(key, keys, n=1, cutoff=0.5)
    return f" Did you mean '{near[0]}'?" if near else f" Known are {', '.join(TrainConfig.model_fields)}."


def known_keys(kind: str | None = None) -> list[str]:
    """List all settings by name, those of the network as ``network.residual``; of all kinds of models, or of one."""
    return list(known_fields(kind))


def known_fields(kind: str | None = None) -> dict[str, FieldInfo]:
    """Give the fields of all settings by name; see `known_keys`."""
    families = FAMILIES if kind is None else {kind: FAMILIES[kind]}
    nested: list[tuple[str, type[BaseModel]]] = [
        *(("network", family.network) for family in families.values()),
        *((name, settings) for name, settings in OWN_SETTINGS.items() if name in families),
        ("normalisation", Normalisation),
        ("simulated", SimulatedSettings),
    ]
    fields = dict(TrainConfig.model_fields)
    for outer, model in nested:
        fields |= {f"{outer}.{inner}": field for inner, field in model.model_fields.items()}
    return fields


def config_of_kind(kind: str) -> type[TrainConfig]:
    """Give `TrainConfig` as it is for one kind of model: to read its fields and their schema, not to make any."""
    family = FAMILIES[kind]
    fields: dict[str, Any] = {"network": (family.network, Field(default=family.network(), description="its shape"))}
    return create_model("TrainConfig", __base__=TrainConfig, **fields)
