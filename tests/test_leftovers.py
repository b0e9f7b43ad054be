"""Tests end what they have started: the check itself sees what it is for."""

from __future__ import annotations

import subprocess
import sys

import psutil
import pytest

from leftovers import Watch

SLEEP = "import time; time.sleep(600)"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no sleep command")
def test_processes_left_alive_are_named_and_ended() -> None:
    watch = Watch()
    child = subprocess.Popen([sys.executable, "-c", SLEEP])
    # This one's parent ends at once, so that nobody's list of children holds it any more.
    orphan = subprocess.run(["/bin/sh", "-c", "sleep 601 >/dev/null 2>&1 & echo $!"], capture_output=True, check=True)
    left = watch.end(patience=0)
    assert sorted(left) == sorted([f"{sys.executable} -c {SLEEP}", "sleep 601"])
    assert child.wait(10) < 0
    assert not psutil.pid_exists(int(orphan.stdout)) or psutil.Process(int(orphan.stdout)).status() == "zombie"


def test_processes_that_end_by_themselves_are_waited_for() -> None:
    watch = Watch()
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(0.2)"])
    assert watch.end() == []
    assert child.wait() == 0
