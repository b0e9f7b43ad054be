"""Keep the warnings of a library from the terminal, in one thread.

`warnings.catch_warnings` swaps one list for all threads: two of them at once leave it with the other's rules, for good.
Here the list gets one rule that stays, and that asks whether the thread that warns wants quiet.
"""

from __future__ import annotations

import threading
import warnings
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Thread = Callable[[], threading.Thread]

_helpers: Counter[str] = Counter()
_changing = threading.Lock()


class _Thread(threading.local):
    """What the thread that asks wants. ``match`` stands where Python expects a pattern for the text."""

    said: list[str] | None = None

    def match(self, text: str, *, helpers: Counter[str] = _helpers, this: Thread = threading.current_thread) -> bool:
        # Defaults, since Python still warns when it ends, after it has emptied modules.
        if self.said is None:
            return helpers[this().name] > 0
        if "deprecat" not in text.casefold():  # that is for programmers
            self.said.append(" ".join(text.split()).rstrip("."))
        return True


_here = _Thread()
_RULE = ("ignore", _here, Warning, None, 0)


@contextmanager
def quiet(helper: str = "") -> Iterator[list[str]]:
    """Ignore what is warned of in this thread; gives the texts as they come.

    ``helper`` names a thread of the library's that warns in our stead, such as zarr's ``zarr_io``.
    """
    rules: list[object] = warnings.filters  # type: ignore[assignment]
    with _changing:
        if rules[:1] != [_RULE]:  # whoever changes the list puts a rule first, or brings an older list back
            rules[:] = [_RULE, *(rule for rule in rules if rule != _RULE)]
        _helpers[helper] += 1
    before, _here.said = _here.said, []
    try:
        yield _here.said
    finally:
        _here.said = before
        with _changing:
            _helpers[helper] -= 1
