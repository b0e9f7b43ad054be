"""Looking at something in a thread, and then at something else."""

from __future__ import annotations

import threading

from qtpy.QtCore import QObject

from napari_micromri.widgets.shared.looking import Looking


def test_what_another_look_was_about_to_give_is_forgotten(qtbot):
    parent = QObject()
    held, seen = threading.Event(), []
    looking = Looking(None, parent)
    looking.seen.connect(seen.append)
    looking.look()
    assert not looking.busy  # there is nothing to look at yet

    def first():
        held.wait(10)
        return "first"

    looking.begin(first)
    assert looking.busy
    looking.begin(lambda: "second")
    held.set()
    qtbot.waitUntil(lambda: seen == ["second"])
    looking.look()
    qtbot.waitUntil(lambda: seen == ["second", "second"])
    assert not looking.busy
