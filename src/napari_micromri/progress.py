"""How long work tells how far it is and hears that it should stop."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called with the number of finished steps and their total, from the thread that does the work."""

    def __call__(self, done: int, total: int, /) -> None:
        """Take note of ``done`` out of ``total`` steps."""


class ShouldStop(Protocol):
    """Asked between steps; True ends the work with `CancelledError`."""

    def __call__(self) -> bool:
        """Tell whether the person asked to stop."""
        ...


def no_progress(done: int, total: int, /) -> None:
    """Report nothing."""


def never() -> bool:
    """Never stop."""
    return False
