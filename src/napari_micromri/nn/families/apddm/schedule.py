"""How much noise each step of the path adds: f, and the sums that follow from it (report, appendix C).

Times count from 0 (the good scan) to T (the fast one); arrays over time have T + 1 entries, so that index t is time t.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import numpy as np
from pydantic import BeforeValidator, Field, PlainSerializer, TypeAdapter, WithJsonSchema

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Parabola:
    """``f = 4 alpha (1 - alpha)``, the report's choice (eq. 21)."""

    name: Literal["parabola"] = "parabola"

    def __call__(self, alpha: NDArray[np.float64]) -> NDArray[np.float64]:
        """Evaluate f at alpha = t / T."""
        return np.asarray(4 * alpha * (1 - alpha))


@dataclass(frozen=True)
class Sine:
    """``f = sin(pi alpha)``, which also begins and ends at zero."""

    name: Literal["sine"] = "sine"

    def __call__(self, alpha: NDArray[np.float64]) -> NDArray[np.float64]:
        """Evaluate f at alpha = t / T."""
        return np.asarray(np.sin(np.pi * alpha))


@dataclass(frozen=True)
class Bridge:
    """``f = 2 sqrt(alpha (1 - alpha))``, the course of a Brownian bridge's standard deviation."""

    name: Literal["bridge"] = "bridge"

    def __call__(self, alpha: NDArray[np.float64]) -> NDArray[np.float64]:
        """Evaluate f at alpha = t / T."""
        return np.asarray(2 * np.sqrt(np.clip(alpha * (1 - alpha), 0, None)))


@dataclass(frozen=True)
class ConstantVariance:
    """``f = 1``: every step adds the same variance, so that it grows linearly."""

    name: Literal["constant"] = "constant"

    def __call__(self, alpha: NDArray[np.float64]) -> NDArray[np.float64]:
        """Evaluate f at alpha = t / T."""
        return np.ones_like(alpha)


@dataclass(frozen=True)
class Points:
    """A course of one's own: values of f at equal distances from alpha = 0 to 1, with straight lines between."""

    values: Annotated[tuple[Annotated[float, Field(ge=0)], ...], Field(min_length=2)]
    name: Literal["points"] = "points"

    def __call__(self, alpha: NDArray[np.float64]) -> NDArray[np.float64]:
        """Evaluate f at alpha = t / T."""
        return np.asarray(np.interp(alpha, np.linspace(0, 1, len(self.values)), self.values))


Schedule: TypeAlias = Annotated[
    Parabola | Sine | Bridge | ConstantVariance | Points,
    Field(discriminator="name"),
]
"""The policies for f; in a file each is told by its ``name``."""

SCHEDULE: TypeAdapter[Any] = TypeAdapter(Schedule)
POLICIES: dict[str, type[Parabola | Sine | Bridge | ConstantVariance]] = {
    "parabola": Parabola,
    "sine": Sine,
    "bridge": Bridge,
    "constant": ConstantVariance,
}
"""Those that need nothing but their name."""


def parse_schedule(value: Any) -> Any:
    """Read what a person writes: the name of a policy, or values of f (`Points`) as a list or as ``0, 0.5, 1``.

    Raises
    ------
    ValueError
        It is neither.
    """
    if isinstance(value, list | tuple):
        return {"name": "points", "values": value}
    if not isinstance(value, str):
        return value
    if value in POLICIES:
        return POLICIES[value]()
    try:
        return {"name": "points", "values": [float(part) for part in value.split(",")]}
    except ValueError:
        known = ", ".join(POLICIES)
        raise ValueError(f"it is none of {known}, and no list of numbers such as 0, 1, 0.5") from None


def write_schedule(schedule: Schedule) -> str | list[float]:
    """Write it as `parse_schedule` reads it."""
    return list(schedule.values) if isinstance(schedule, Points) else schedule.name


WrittenSchedule: TypeAlias = Annotated[
    Schedule,
    BeforeValidator(parse_schedule),
    PlainSerializer(write_schedule),
    WithJsonSchema({"type": "string", "enum": list(POLICIES)}),
]
"""A schedule in a configuration that people write."""


def noise_levels(schedule: Any, steps: int) -> NDArray[np.float64]:
    """Give f(t) for t = 0 to T; f(0) is 0, since nothing is added before the first step."""
    levels = np.asarray(schedule(np.arange(steps + 1) / steps), dtype=np.float64)
    levels[0] = 0.0
    return levels


def accumulated(schedule: Any, steps: int) -> NDArray[np.float64]:
    """``S_t = sum over tau <= t of f(tau)^2`` for t = 0 to T."""
    return np.cumsum(noise_levels(schedule, steps) ** 2)


def accumulated_parabola(t: NDArray[Any] | int, steps: int) -> NDArray[np.float64]:
    """``S_t`` of the report's parabola in closed form (eq. 29)."""
    t, end = np.asarray(t, dtype=np.float64), float(steps)
    bracket = 6 * t**3 - 15 * t**2 * end + 9 * t**2 + 10 * t * end**2 - 15 * t * end + t + 5 * end**2 - 1
    return np.asarray(8 / 15 * t * (t + 1) * bracket / end**4)
