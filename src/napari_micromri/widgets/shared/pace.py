"""How far work is and how long it still takes, in words."""

from __future__ import annotations

import math


class Pace:
    """Says how far the work is and how long it will still take, from the times at which steps were done."""

    def __init__(self, doing: str = "Denoising") -> None:
        self._doing = doing
        self._start: tuple[int, float] | None = None

    def describe(self, done: int, total: int, now: float) -> str:
        """Take note of ``done`` of ``total`` slices at ``now`` (seconds) and put it in words."""
        if self._start is None:
            self._start = (done, now)
        if done == 0:
            return f"{self._doing} {total} slice{'s' * (total != 1)}…"
        text = f"Slice {done} of {total}"
        steps, seconds = done - self._start[0], now - self._start[1]
        if steps <= 0 or seconds <= 0 or done >= total:
            return text
        return f"{text}, {duration(seconds / steps * (total - done))} left"


def duration(seconds: float) -> str:
    """Say a time as a person would: "about 40 s", "about 3 min", "about 1 h 20 min"."""
    if seconds < 60:
        return f"about {max(1, math.ceil(seconds))} s"
    minutes = math.ceil(seconds / 60)
    if minutes < 60:
        return f"about {minutes} min"
    return f"about {minutes // 60} h {minutes % 60} min"
