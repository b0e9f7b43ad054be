"""Work on many slices at once: NumPy and SciPy let other threads run while they compute."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Result = TypeVar("Result")

MOST = 4
"""More threads than that wait for one another, since Python itself runs in one at a time."""


def map_in_threads(work: Callable[..., Result], *columns: Iterable[Any]) -> list[Result]:
    """Give ``list(map(work, *columns))``, computed in as many threads as there are processor cores, up to `MOST`."""
    with ThreadPoolExecutor(min(MOST, os.cpu_count() or 1)) as pool:
        return list(pool.map(work, *columns))
