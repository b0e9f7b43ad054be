"""What can be searched: a choice of values, a range of numbers, a range of whole numbers."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr, model_validator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optuna.trial import BaseTrial

Scalar: TypeAlias = StrictBool | StrictInt | StrictFloat | StrictStr | None
Value: TypeAlias = Scalar | tuple[Scalar, ...]
"""A value of a setting; a list, such as the channels of a network, is a tuple."""


class _Conditional(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

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

    def suggest(self, name: str, trial: BaseTrial) -> Value:
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


class _Range(_Conditional):
    """Numbers from ``low`` to ``high``, both ends included."""

    low: float
    high: float
    log: bool = False
    step: float | None = None

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        step = None if self.log and self.step == 1 else self.step  # the usual one of whole numbers
        if not self.low <= self.high:
            raise ValueError(f"'low' ({self.low:g}) is above 'high' ({self.high:g})")
        if self.log and self.low <= 0:
            raise ValueError("with 'log', 'low' must be above 0")
        if self.log and step is not None:
            raise ValueError("'step' and 'log' exclude each other")
        if step is not None and (rest := _distance(self.low, self.high) % _exact(step)):
            raise ValueError(f"'high' lies no whole number of steps above 'low'; use {_exact(self.high) - rest}")
        return self

    def holds(self, value: object) -> bool:
        """Tell whether a value can be chosen."""
        if not isinstance(value, float | int) or isinstance(value, bool) or not self.low <= value <= self.high:
            return False
        return self.step is None or _distance(self.low, value) % _exact(self.step) == 0

    @property
    def bounds(self) -> tuple[Value, ...]:
        """Values to be checked: the ends."""
        return self.low, self.high


class Float(_Range):
    """A number of a range."""

    kind: Literal["float"] = "float"
    step: float | None = Field(default=None, gt=0)

    def suggest(self, name: str, trial: BaseTrial) -> Value:
        """Let a trial choose."""
        return trial.suggest_float(name, self.low, self.high, step=self.step, log=self.log)


class Int(_Range):
    """A whole number of a range."""

    kind: Literal["int"] = "int"
    low: StrictInt
    high: StrictInt
    step: StrictInt = Field(default=1, ge=1)

    def suggest(self, name: str, trial: BaseTrial) -> Value:
        """Let a trial choose."""
        return trial.suggest_int(name, self.low, self.high, step=self.step, log=self.log)


Parameter: TypeAlias = Annotated[Choice | Float | Int, Field(discriminator="kind")]


def as_stored(value: Value) -> Scalar:
    """Write a value as Optuna stores it: lists as text, since it takes single values only."""
    return json.dumps(value) if isinstance(value, tuple) else value


def _distance(low: float, high: float) -> Decimal:
    return _exact(high) - _exact(low)


def _exact(value: float) -> Decimal:
    return Decimal(str(value))
