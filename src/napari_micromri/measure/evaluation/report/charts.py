"""Charts as numbers: where lines, marks and ticks stand. The page's template draws them as SVG.

Drawn here rather than by a plotting library: two simple kinds of chart are needed, and a library would be a large
dependency, with fonts, for them. SVG made of text and lines stays sharp, small and readable by screen readers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WIDTH, HEIGHT = 420, 250
LEFT, RIGHT, TOP, BOTTOM = 58, 12, 24, 44
TICKS = 5
MOST_NAMES = 14
"""From this number of names on the horizontal axis they are numbered instead."""

COLOURS = ("#7a7a7a", "#56b4e9", "#d55e00", "#0072b2", "#009e73", "#cc79a7", "#b8860b", "#000000")
"""Okabe and Ito's, which most colour-blind people tell apart; the first two are for the baselines."""

DASHES = ("2 3", "6 3", "", "8 2 2 2", "1 2", "10 3", "4 4", "3 1")
MARKS = ("circle", "square", "triangle", "diamond", "plus", "cross", "ring", "bar")


@dataclass(frozen=True)
class Tick:
    """A mark on an axis: where, in pixels, and its text."""

    at: float
    text: str


@dataclass(frozen=True)
class Line:
    """One method: its look, and its points in pixels; a gap in the values begins a new part."""

    label: str
    colour: str
    dash: str
    mark: str
    parts: tuple[tuple[tuple[float, float], ...], ...]

    @property
    def points(self) -> tuple[tuple[float, float], ...]:
        """All points."""
        return tuple(point for part in self.parts for point in part)


@dataclass(frozen=True)
class Chart:
    """Everything that the template draws, in pixels from the top left."""

    title: str
    x_label: str
    y_label: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    lines: tuple[Line, ...]
    reference: float | None = None
    """Height of a line that shows what would be perfect."""

    connected: bool = True
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


@dataclass(frozen=True)
class Axis:
    """A range of values, linear or logarithmic, on a range of pixels."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def at(self, value: float) -> float:
        """Give the pixel of a value."""
        low, high = self.low, self.high
        if self.log:
            low, high, value = math.log(low), math.log(high), math.log(value)
        return round(self.start + (value - low) / (high - low) * (self.end - self.start), 2)

    def holds(self, value: float) -> bool:
        """Tell whether a value is on the axis; NaN isn't."""
        return self.low <= value <= self.high

    def ticks(self) -> tuple[Tick, ...]:
        """Choose round values."""
        values = _log_ticks(self.low, self.high) if self.log else nice_ticks(self.low, self.high)
        return tuple(Tick(self.at(value), f"{value:.10g}".replace("-", "−")) for value in values)


def curve_chart(
    title: str,
    x: Sequence[float],
    curves: Mapping[str, Sequence[float]],
    *,
    y_label: str,
    y_range: tuple[float, float],
    log: bool = False,
    reference: float | None = None,
) -> Chart:
    """Chart values against spatial frequency; NaN and what is out of range leave a gap."""
    across = Axis(0, 0.5, LEFT, WIDTH - RIGHT)
    up = Axis(*y_range, HEIGHT - BOTTOM, TOP, log)
    lines = []
    for k, (label, values) in enumerate(curves.items()):
        pixels = [(across.at(f), up.at(v)) if up.holds(v) else None for f, v in zip(x, values, strict=True)]
        lines.append(_line(k, label, pixels))
    return Chart(
        title,
        "cycles per HR pixel",
        y_label,
        across.ticks(),
        up.ticks(),
        tuple(lines),
        None if reference is None else up.at(reference),
    )


def subject_chart(
    title: str, subjects: Sequence[str], values: Mapping[str, Mapping[str, float]], *, reference: float | None = None
) -> Chart:
    """Chart a mark per subject and method; ``values`` is method -> subject -> value."""
    known = [v for mine in values.values() for v in mine.values() if math.isfinite(v)]
    known += [reference] if reference is not None and known else []
    up = Axis(*_padded(known), HEIGHT - BOTTOM, TOP)
    step = (WIDTH - RIGHT - LEFT) / max(len(subjects), 1)
    middles = [LEFT + (k + 0.5) * step for k in range(len(subjects))]
    spread = min(0.6 * step, 14.0 * len(values)) / max(len(values), 1)
    lines = []
    for k, (label, mine) in enumerate(values.items()):
        offset = (k - (len(values) - 1) / 2) * spread
        found = [mine.get(subject, math.nan) for subject in subjects]
        pixels = [
            (round(at + offset, 2), up.at(v)) if math.isfinite(v) else None
            for at, v in zip(middles, found, strict=True)
        ]
        lines.append(_line(k, label, pixels))
    many = len(subjects) > MOST_NAMES
    names = [str(k) if many else _short(name) for k, name in enumerate(subjects, 1)]
    return Chart(
        title,
        "subject, in the order of the table" if many else "subject",
        "",
        tuple(Tick(round(at, 2), name) for at, name in zip(middles, names, strict=True)),
        up.ticks(),
        tuple(lines),
        None if reference is None else up.at(reference),
        connected=False,
    )


def nice_ticks(low: float, high: float, count: int = TICKS) -> list[float]:
    """Choose about ``count`` values of the form 1, 2 or 5 times a power of ten within a range."""
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{k * step:.10g}") for k in range(first, last + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    values = [float(f"{factor}e{power}") for power in powers for factor in (1, 2, 5)]
    return [value for value in values if low <= value <= high]


def _padded(values: Sequence[float]) -> tuple[float, float]:
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    margin = 0.08 * (high - low) or 0.1 * abs(high) or 1.0
    return low - margin, high + margin


def _line(k: int, label: str, pixels: Sequence[tuple[float, float] | None]) -> Line:
    parts: list[list[tuple[float, float]]] = [[]]
    for pixel in pixels:
        if pixel is None:
            parts.append([])
        else:
            parts[-1].append(pixel)
    kept = tuple(tuple(part) for part in parts if part)
    return Line(label, COLOURS[k % len(COLOURS)], DASHES[k % len(DASHES)], MARKS[k % len(MARKS)], kept)


def _short(name: str) -> str:
    return name if len(name) <= 12 else f"{name[:11]}…"
