"""Processes that a test has started and left alive: found, ended, and told, so that none disturbs a later test."""

from __future__ import annotations

import os
import time

import psutil

MARK = "MICROMRI_TESTS"
"""Environment variable that processes inherit from the tests, also those whose parent has ended."""
KEPT = "kept"
"""Value of the mark of a process that a fixture ends later."""
PATIENCE = 30.0
"""Seconds that a process which is about to end may take; on a busy machine, Python needs some to shut down."""


class Watch:
    """Sees the processes that were started since it was made."""

    def __init__(self) -> None:
        self._before = set(psutil.pids())

    def end(self, patience: float = PATIENCE) -> list[str]:
        """End what is alive after ``patience`` seconds, wait until it is gone, and give its command lines."""
        until = time.monotonic() + patience
        # Few tests start processes, so that most pay for two listings alone.
        while (left := self._left()) and time.monotonic() < until:
            time.sleep(0.02)
        ended = [_command(process) for process in left]
        for process in left:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        until = time.monotonic() + PATIENCE  # a killed process dies only when it is its turn
        while any(map(_lives, left)) and time.monotonic() < until:
            time.sleep(0.02)
        return ended

    def _left(self) -> list[psutil.Process]:
        candidates = []
        for pid in set(psutil.pids()) - self._before:
            try:
                process = psutil.Process(pid)
                if _is_ours(process) and _lives(process):
                    candidates.append(process)
                    continue
            except psutil.Error:
                pass
            self._before.add(pid)
        return candidates


def _is_ours(process: psutil.Process) -> bool:
    # A fork has the environment that its program began with, in which the mark of these tests is missing.
    mark = process.environ().get(MARK)
    return mark == str(os.getpid()) or (process.ppid() == os.getpid() and mark != KEPT)


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return f"process {process.pid}"
