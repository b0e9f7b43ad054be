"""The search space: which settings are searched, in which ranges, and on what that depends (report, section 4.2.1)."""

from __future__ import annotations

import copy
import difflib
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from napari_micromri.errors import InputError
from napari_micromri.nn.families import FAMILIES
from napari_micromri.training.config import TrainConfig, known_keys, parse_config
from napari_micromri.tuning.parameters import Choice, Float, Int, Parameter, Value
from napari_micromri.words import what_is_wrong

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from optuna.trial import BaseTrial

__all__ = ["Choice", "Float", "Int", "Parameter", "SearchSpace", "Value", "default_space", "full_space", "setting_of"]

NOT_SEARCHED = ("name", "monitor", "devices", "nodes", "device")
"""Settings that say nothing about the result, or by what results are compared."""


class SearchSpace(BaseModel):
    """Settings to search, by name: those of `TrainConfig`, list entries as ``network.features_main.0``.

    Raises
    ------
    pydantic.ValidationError
        See `make_space` for one sentence instead.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    parameters: dict[str, Parameter] = Field(min_length=1)

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        for name, parameter in self.parameters.items():
            check_parameter(name, parameter)
        self.in_order()
        return self

    def in_order(self) -> list[str]:
        """List the parameters so that each stands behind those on which it depends."""
        graph = {
            name: [other for other in parameter.when if other in self.parameters]
            for name, parameter in self.parameters.items()
        }
        try:
            return list(TopologicalSorter(graph).static_order())
        except CycleError as error:
            raise ValueError(f"these depend on each other in a circle: {', '.join(error.args[1][:-1])}") from error

    def suggest(self, trial: BaseTrial, base: Mapping[str, Any] | None = None) -> dict[str, Value]:
        """Let a trial choose values for what applies.

        Parameters
        ----------
        base
            Settings, as nested dicts, on which parameters may depend that are not searched; those of `TrainConfig`
            by default.
        """
        base = TrainConfig().model_dump(mode="json") if base is None else base
        return self._choose(base, lambda name: self.parameters[name].suggest(name, trial))

    def values_of(self, settings: Mapping[str, Any]) -> dict[str, Value] | None:
        """Read from settings the values that a trial would have to choose for them; None when the space lacks one."""

        def read(name: str) -> Value:
            value = setting_of(settings, name)
            found: Value = tuple(value) if isinstance(value, list) else value
            return found

        values = self._choose(settings, read)
        return values if all(self.parameters[name].holds(value) for name, value in values.items()) else None

    def _choose(self, base: Mapping[str, Any], choose: Callable[[str], Value]) -> dict[str, Value]:
        """Choose a value for each parameter that applies, those first on which others depend."""
        conditions = {name for parameter in self.parameters.values() for name in parameter.when}
        fixed = {name: setting_of(base, name) for name in conditions if name not in self.parameters}
        values: dict[str, Value] = {}
        for name in self.in_order():
            if self.parameters[name].applies(fixed | values):
                values[name] = choose(name)
        return values

    def settings(self, values: Mapping[str, Value], base: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Lay values over settings; gives all of them, as `napari_micromri.training.config.parse_config` takes them."""
        settings = copy.deepcopy(dict(TrainConfig().model_dump(mode="json") if base is None else base))
        for name in sorted(values, key=_list_place):
            _put(settings, name.split("."), values[name])
        return settings


def make_space(parameters: Mapping[str, Any]) -> SearchSpace:
    """Check a search space.

    Raises
    ------
    InputError
        A setting doesn't exist (the nearest one is named), can't be searched, or can't have such a value.
    """
    try:
        return SearchSpace.model_validate({"parameters": dict(parameters)})
    except ValidationError as error:
        raise InputError(explain_error(error)) from error


def explain_error(error: ValidationError) -> str:
    """Say in a sentence what is wrong with a search space, or with a parameter."""
    first = error.errors(include_url=False)[0]
    words = what_is_wrong(first)
    where = [str(part) for part in first["loc"] if part not in ("parameters", "choice", "float", "int")]
    if first["type"] == "extra_forbidden":
        words = f"there is no '{where.pop()}' here"
    elif first["type"] == "missing":
        words = f"'{where.pop()}' is missing"
    return f"The search space can't be used: {': '.join([*where, words])}.".replace("?.", "?")


def check_parameter(name: str, parameter: Choice | Float | Int) -> None:
    """Check that a setting exists and may have the values that a parameter gives it.

    Raises
    ------
    ValueError
        It doesn't, or mayn't.
    """
    for key in (name, *parameter.when):
        _check_name(key)
    if plain_name(name) in NOT_SEARCHED:
        raise ValueError(f"'{name}' can't be searched")
    for value in parameter.bounds:
        # Beside the others of a list it is checked alone: the list's length is not known here.
        content = [value] if name != plain_name(name) else value
        settings: dict[str, Any] = {"kind": kind_of([name])}
        _put(settings, plain_name(name).split("."), content)
        try:
            parse_config(settings)
        except InputError as error:
            raise ValueError(str(error).rstrip(".")) from error


def setting_of(settings: Mapping[str, Any], name: str) -> Any:
    """Look a setting up by name; None where a list is too short."""
    value: Any = settings
    for part in name.split("."):
        if isinstance(value, (list, tuple)):
            value = value[int(part)] if int(part) < len(value) else None
        else:
            value = value[part]
    return value


def _check_name(name: str) -> None:
    plain = plain_name(name)
    is_entry = plain != name
    if plain in known_keys():
        defaults = parse_config({"kind": kind_of([plain])}).model_dump()
        if not is_entry or isinstance(setting_of(defaults, plain), tuple):
            return
    near = difflib.get_close_matches(plain, known_keys(), n=1, cutoff=0.5) or [
        key for key in known_keys() if key.rpartition(".")[2] == plain.rpartition(".")[2]
    ]
    raise ValueError(f"there is no setting '{name}'" + (f", did you mean '{near[0]}'?" if near else ""))


def plain_name(name: str) -> str:
    """Leave the place in a list out."""
    outer, _, last = name.rpartition(".")
    return outer if last.isdecimal() else name


def _list_place(name: str) -> tuple[str, int]:
    last = name.rpartition(".")[2]
    return plain_name(name), int(last) if last.isdecimal() else -1


def _put(settings: dict[str, Any], names: list[str], value: Value | list[Value]) -> None:
    outer: Any = settings
    for name in names[:-1]:
        inner = outer.setdefault(name, {})
        if isinstance(inner, tuple):
            inner = outer[name] = list(inner)
        outer = inner
    if isinstance(outer, list):
        place = int(names[-1])
        outer.extend([value] * (place + 1 - len(outer)))
        outer[place] = value
    else:
        outer[names[-1]] = list(value) if isinstance(value, tuple) else value


def default_space(kind: str = "unet") -> SearchSpace:
    """Give what is searched by default: the network of a kind of model, as its fields say, and how it learns (4.2.1).

    For the UNet it is the space of the report, its third level with the 64 that it found best as well.
    """
    return SearchSpace(
        parameters={
            **_network_space(kind, "search"),
            "learning_rate": Float(low=1e-6, high=1e-2, log=True),
            "optimizer": Choice(values=("adam", "adamw", "sgd", "rmsprop")),
            "scheduler": Choice(values=("exponential", "step", "plateau")),
            "decay": Choice(values=(0.1, 0.3, 0.5), when={"scheduler": ("exponential", "step", "plateau")}),
        }
    )


def full_space(kind: str = "unet") -> SearchSpace:
    """Give `default_space` with what the report searched on request."""
    return SearchSpace(
        parameters=default_space(kind).parameters
        | _network_space(kind, "search_more")
        | {
            "loss": Choice(values=("mse", "mae", "hybrid")),
            "alpha": Float(low=0.0, high=1.0, when={"loss": ("hybrid",)}),
            "batch_size": Choice(values=(8, 16, 32)),
        }
    )


def _network_space(kind: str, which: str) -> dict[str, Choice]:
    """Read from the fields of a network which values are searched; see `napari_micromri.nn.family.NetworkConfig`."""
    found: dict[str, Choice] = {}
    for name, field in FAMILIES[kind].network.model_fields.items():
        extra: Any = field.json_schema_extra
        values = extra.get(which) if isinstance(extra, dict) else None
        entries = values if isinstance(values, dict) else {} if values is None else {"": values}
        for place, choices in entries.items():
            found[f"network.{name}.{place}".rstrip(".")] = Choice(values=tuple(choices))
    return found


def has_setting(kind: str, name: str) -> bool:
    """Tell whether a kind of model has a setting; list entries as ``network.features_main.0``."""
    return plain_name(name) in known_keys(kind)


def kind_of(names: Collection[str]) -> str:
    """Name the first kind of model that has all of these settings; the first of all when there is none."""
    having = (kind for kind in FAMILIES if all(has_setting(kind, name) for name in names))
    return next(having, next(iter(FAMILIES)))
