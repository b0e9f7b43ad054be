"""What can be searched: a choice of values, a range of numbers, a range of whole numbers."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Literal, Protocol, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr, model_validator

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Scalar: TypeAlias = StrictBool | StrictInt | StrictFloat | StrictStr | None
Value: TypeAlias = Scalar | tuple[Scalar, ...]
"""A value of a setting; a list, such as the channels of a network, is a tuple."""


class Suggests(Protocol):
    """What an Optuna trial can do."""

    def suggest_categorical(self, name: str, choices: Sequence[bool | int | float | str | None]) -> object:
        """Choose one of some values."""

    def suggest_float(self, name: str, low: float, high: float, *, step: float | None, log: bool) -> float:
        """Choose a number."""

    def suggest_int(self, name: str, low: int, high: int, *, step: int, log: bool) -> int:
        """Choose a whole number."""


class _Conditional(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    when: dict[str, tuple[Scalar, ...]] = Field(
        default={}, description="searched only where other settings have one of these values"
    )

    def applies(self, known: Mapping[str, object]) -> bool:
        """Tell whether it is searched, given what is known of the other settings."""
        return all(name in known and known[name] in allowed for name, allowed in self.when.items())


class Choice(_Conditional):
    """One of some values."""

    kind: Literal["choice"] = "choice"
    values: tuple[Value, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _differ(self) -> Self:
        if len({json.dumps(value) for value in self.values}) < len(self.values):
            raise ValueError("a value is listed twice in 'values'")
        return self

    def suggest(self, name: str, trial: Suggests) -> Value:
        """Let a trial choose."""
        texts = {as_stored(value): value for value in self.values}
        chosen = trial.suggest_categorical(name, list(texts))
        return next(value for text, value in texts.items() if text == chosen and type(text) is type(chosen))

    def holds(self, value: object) -> bool:
        """Tell whether a value is among them; True and 1 are two things."""
        return any(value == one and type(value) is type(one) for one in self.values)

    @property
    def bounds(self) -> tuple[Value, ...]:
        """Values to be checked: all of them."""
        return self.values


class Float(_Conditional):
    """A number of a range, both ends included."""

    kind: Literal["float"] = "float"
    low: float
    high: float
    log: bool = False
    step: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        _check_range(self.low, self.high, self.step, log=self.log)
        return self

    def suggest(self, name: str, trial: Suggests) -> Value:
        """Let a trial choose."""
        return trial.suggest_float(name, self.low, self.high, step=self.step, log=self.log)

    def holds(self, value: object) -> bool:
        """Tell whether a value can be chosen."""
        return isinstance(value, float | int) and _in_range(value, self.low, self.high, self.step)

    @property
    def bounds(self) -> tuple[Value, ...]:
        """Values to be checked: the ends."""
        return self.low, self.high


class Int(_Conditional):
    """A whole number of a range, both ends included."""

    kind: Literal["int"] = "int"
    low: StrictInt
    high: StrictInt
    log: bool = False
    step: StrictInt = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        _check_range(self.low, self.high, None if self.log else self.step, log=self.log)
        if self.log and self.step != 1:
            raise ValueError("'step' and 'log' exclude each other")
        return self

    def suggest(self, name: str, trial: Suggests) -> Value:
        """Let a trial choose."""
        return trial.suggest_int(name, self.low, self.high, step=self.step, log=self.log)

    def holds(self, value: object) -> bool:
        """Tell whether a value can be chosen."""
        return isinstance(value, int) and _in_range(value, self.low, self.high, self.step)

    @property
    def bounds(self) -> tuple[Value, ...]:
        """Values to be checked: the ends."""
        return self.low, self.high


Parameter: TypeAlias = Annotated[Choice | Float | Int, Field(discriminator="kind")]


def as_stored(value: Value) -> Scalar:
    """Write a value as Optuna stores it: lists as text, since it takes single values only."""
    return json.dumps(value) if isinstance(value, tuple) else value


def _in_range(value: float, low: float, high: float, step: float | None) -> bool:
    inside = low <= value <= high and not isinstance(value, bool)
    return inside and (step is None or (Decimal(str(value)) - Decimal(str(low))) % Decimal(str(step)) == 0)


def _check_range(low: float, high: float, step: float | None, *, log: bool) -> None:
    if not low <= high:
        raise ValueError(f"'low' ({low:g}) is above 'high' ({high:g})")
    if log and low <= 0:
        raise ValueError("with 'log', 'low' must be above 0")
    if log and step is not None:
        raise ValueError("'step' and 'log' exclude each other")
    if step is not None and (rest := (Decimal(str(high)) - Decimal(str(low))) % Decimal(str(step))):
        raise ValueError(f"'high' lies no whole number of steps above 'low'; use {Decimal(str(high)) - rest}")
