"""How long work tells how far it is and hears that it should stop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from napari_micromri.errors import CancelledError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

T = TypeVar("T")


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


def each(steps: Iterable[T], should_stop: ShouldStop) -> Iterator[T]:
    """Give step after step; before each, raise `CancelledError` if ``should_stop`` says so."""
    for step in steps:
        if should_stop():
            raise CancelledError("The work was stopped.")
        yield step
