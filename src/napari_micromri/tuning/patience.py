"""Patience with a storage that is away for a while, as when its server is started anew."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from napari_micromri.errors import TrainingError
from napari_micromri.tuning.storage import is_unreachable, reason_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_micromri.progress import ShouldStop

T = TypeVar("T")

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 15.0
LIMIT_SECONDS = 30 * 60.0


class StorageAwayError(TrainingError):
    """The storage stayed away; what was to be told isn't."""


class Patience:
    """Makes calls, and makes them again for half an hour while the storage can't be reached.

    What is called may have happened although its answer was lost: it must bear being called again.

    Parameters
    ----------
    tell
        Is told that the storage is away, and with an empty text that it is back.
    should_stop
        Ends the patience.
    """

    def __init__(self, tell: Callable[[str], None], should_stop: ShouldStop) -> None:
        self._tell, self._should_stop = tell, should_stop

    def __call__(self, call: Callable[[], T]) -> T:
        """Make a call.

        Raises
        ------
        StorageAwayError
            The storage stayed away.
        """
        pause, until, away = FIRST_PAUSE, time.monotonic() + LIMIT_SECONDS, False
        while True:
            try:
                result = call()
            except Exception as error:
                if not is_unreachable(error):
                    raise
                words = f"The storage can't be reached: {reason_of(error)}."
                if self._should_stop() or time.monotonic() > until:
                    raise StorageAwayError(words) from error
                away = True
                self._tell(f"{words} It is tried again.")
                time.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                if away:
                    self._tell("")
                return result
