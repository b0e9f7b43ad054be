"""Where round figures stand on a logarithmic axis, without Qt."""

from __future__ import annotations

import math


def logarithmic_ticks(low: float, high: float, most: int) -> list[float]:
    """Choose round figures between two powers of ten, given and returned as exponents; at most ``most`` of them."""
    for steps in ((1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 5), (1, 3), (1,)):
        decades = range(math.floor(low), math.ceil(high) + 1)
        ticks = [tick for k in decades for step in steps if low <= (tick := k + math.log10(step)) <= high]
        if 3 <= len(ticks) <= most:
            return ticks
    decades = range(math.ceil(low), math.floor(high) + 1)
    if len(decades) >= 2:
        return [float(k) for k in decades[:: -(-len(decades) // most)]]
    return _linear_ticks(low, high, most)


def _linear_ticks(low: float, high: float, most: int) -> list[float]:
    """Choose ticks for less than a decade, where a linear scale does as well."""
    first, last = 10.0**low, 10.0**high
    if not last > first:
        return []
    raw = (last - first) / most
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * size for factor in (1, 2, 5, 10) if factor * size >= raw)
    return [math.log10(k * step) for k in range(math.ceil(first / step), math.floor(last / step) + 1)]
