"""Work on many slices at once: NumPy and SciPy let other threads run while they compute."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Result = TypeVar("Result")

MOST = 4
"""More threads than that wait for one another, since Python itself runs in one at a time."""

_here = threading.local()


def one_by_one() -> None:
    """Let this thread do all work of `map_in_threads` itself, since it is one of several that keep the cores busy."""
    _here.alone = True


def map_in_threads(work: Callable[..., Result], *columns: Iterable[Any]) -> list[Result]:
    """Give ``list(map(work, *columns))``, computed in as many threads as there are processor cores, up to `MOST`."""
    if getattr(_here, "alone", False):
        return list(map(work, *columns))
    with ThreadPoolExecutor(min(MOST, os.cpu_count() or 1)) as pool:
        return list(pool.map(work, *columns))
