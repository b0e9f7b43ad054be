"""Who frees what cycles hold: the window's thread only."""

from __future__ import annotations

import gc
import threading

import pytest
from qtpy.QtWidgets import QWidget

from napari_micromri.widgets.background import BackgroundJob
from napari_micromri.widgets.shared.dock import Dock
from napari_micromri.widgets.shared.garbage import (
    AT_FIRST,
    ENOUGH,
    GROWN,
    Collector,
    collect_garbage_here,
    look_away_elsewhere,
)


class Cycle(QWidget):
    """Tells which thread freed it."""

    def __init__(self, freed):
        super().__init__()
        self.me, self.freed = self, freed

    def __del__(self):
        self.freed.append(threading.current_thread())


@pytest.fixture
def collecting(qapp):
    """Collection as Python begins with it, and no dock there yet."""
    collect_garbage_here.cache_clear()
    gc.collect()
    gc.set_threshold(*ENOUGH)
    gc.callbacks.remove(look_away_elsewhere)
    yield
    gc.set_threshold(0)
    collect_garbage_here().stop()
    collect_garbage_here.cache_clear()


def work_that_makes_garbage():
    for _ in range(10 * ENOUGH[0]):
        cycle = []
        cycle.append(cycle)


def in_another_thread(work):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


@pytest.mark.parametrize("enabled_again", [False, True], ids=["plain", "as dask does"])
@pytest.mark.parametrize("make", [Dock, lambda: BackgroundJob(print, "work")], ids=["dock", "job"])
def test_another_thread_frees_no_window_once_ours_is_there(qtbot, collecting, make, enabled_again):
    ours = make()
    if isinstance(ours, QWidget):
        qtbot.addWidget(ours)
    if enabled_again:
        gc.enable()
    freed = []
    Cycle(freed)
    in_another_thread(work_that_makes_garbage)
    assert freed == []
    qtbot.waitUntil(lambda: freed == [threading.main_thread()])


@pytest.mark.parametrize("times", [1, 2])
def test_a_collection_asked_for_by_another_thread_frees_no_window(collecting, times):
    collect_garbage_here()
    freed = []
    Cycle(freed)
    for _ in range(times):
        in_another_thread(gc.collect)
    assert freed == []
    gc.collect()
    assert freed == [threading.main_thread()]


def test_without_much_to_free_nothing_is_done(collecting):
    gc.set_threshold(0)
    collector = Collector()
    gc.collect()
    freed = []
    Cycle(freed)
    collector.collect_what_is_due()
    assert freed == []
    work_that_makes_garbage()
    collector.collect_what_is_due()
    assert freed == [threading.main_thread()]


def test_all_objects_are_looked_at_only_after_there_are_many_more(collecting):
    gc.set_threshold(0)
    collector = Collector()
    gc.collect()
    looked_at = []
    watch = lambda phase, info: looked_at.append(info["generation"]) if phase == "start" else None  # noqa: E731
    gc.callbacks.append(watch)
    try:
        for more, generations in ((0.5, {0, 1}), (1.1, {0, 1, 2})):
            kept = [[] for _ in range(int(more * GROWN * AT_FIRST))]
            looked_at.clear()
            for _ in range(150):
                work_that_makes_garbage()
                collector.collect_what_is_due()
            assert set(looked_at) == generations, f"with {len(kept)} more"
    finally:
        gc.callbacks.remove(watch)
