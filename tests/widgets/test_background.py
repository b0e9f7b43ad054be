from __future__ import annotations

import gc
import threading
import weakref
from functools import partial

import pytest
from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QApplication, QLabel, QWidget

from napari_micromri.errors import CancelledError, InputError
from napari_micromri.widgets import background
from napari_micromri.widgets.background import BackgroundJob


def outcomes(job):
    seen = []
    job.succeeded.connect(lambda value: seen.append(("succeeded", value)))
    job.cancelled.connect(lambda: seen.append(("cancelled", None)))
    job.failed.connect(lambda sentence: seen.append(("failed", sentence)))
    job.ended.connect(lambda: seen.append(("ended", None)))
    return seen


def run(qtbot, job):
    seen = outcomes(job)
    with qtbot.waitSignal(job.ended, timeout=5000):
        job.start()
    return seen


def test_work_is_done_in_a_thread_and_its_result_arrives_on_this_one(qtbot):
    job = BackgroundJob(lambda progress, should_stop: threading.current_thread(), "work")
    where = []
    job.succeeded.connect(lambda thread: where.append((thread, threading.current_thread())))
    run(qtbot, job)
    [(worked, arrived)] = where
    assert worked is not threading.main_thread()
    assert arrived is threading.main_thread()


def test_progress_arrives_however_much_is_reported(qtbot):
    finished = threading.Event()

    def work(progress, should_stop):
        for done in range(100_000):
            progress(done + 1, 100_000)
        finished.wait(5)

    job = BackgroundJob(work, "work")
    seen = []
    job.progressed.connect(lambda done, total: seen.append((done, total)))
    job.start()
    qtbot.waitUntil(lambda: (100_000, 100_000) in seen)
    with qtbot.waitSignal(job.ended):
        finished.set()
    assert len(seen) < 100


@pytest.mark.parametrize("drawn", ["total", "update"])
def test_no_progress_arrives_after_the_end(qtbot, monkeypatch, drawn):
    over = threading.Event()

    class Bar:
        """Lets events through while it is drawn, as napari's does, for so long that the job ends in there."""

        n = 0
        _total = 0

        def __init__(self, **_):
            pass

        @property
        def total(self):
            return self._total

        @total.setter
        def total(self, total):
            self._total = total
            self.draw("total")

        def update(self, n):
            assert "ended" not in [kind for kind, _ in seen]
            self.draw("update")

        def draw(self, part):
            if part == drawn:
                over.set()
                qtbot.waitUntil(lambda: "ended" in [kind for kind, _ in seen])

        def close(self):
            pass

    def work(progress, should_stop):
        progress(1, 2)
        over.wait(5)

    monkeypatch.setattr(background, "activity", Bar)
    job = BackgroundJob(work, "work")
    seen = outcomes(job)
    job.progressed.connect(lambda done, total: seen.append(("progressed", done)))
    job.start()
    qtbot.waitUntil(lambda: "ended" in [kind for kind, _ in seen])
    qtbot.wait(50)
    assert [kind for kind, _ in seen] == ["progressed", "succeeded", "ended"]


def test_what_was_foreseen_is_a_sentence(qtbot, shown):
    def work(progress, should_stop):
        raise InputError("The scan is upside down.")

    assert run(qtbot, BackgroundJob(work, "work")) == [("failed", "The scan is upside down."), ("ended", None)]
    assert [str(record.message) for record in shown] == ["The scan is upside down."]


@pytest.mark.parametrize("error", [RuntimeError("CUDA is gone"), ValueError(), MemoryError()])
def test_a_bug_ends_the_job_too_and_is_shown(qtbot, shown, error):
    def work(progress, should_stop):
        raise error

    [(kind, sentence), ended] = run(qtbot, BackgroundJob(work, "work"))
    assert (kind, ended) == ("failed", ("ended", None))
    assert (str(error) or type(error).__name__) in sentence
    assert [record.exception for record in shown] == [error]


def test_a_job_that_was_stopped_is_cancelled(qtbot):
    def work(progress, should_stop):
        while not should_stop():
            pass
        raise CancelledError("stopped")

    job = BackgroundJob(work, "work")
    job.progressed.connect(lambda *_: None)
    seen = outcomes(job)
    job.start()
    with qtbot.waitSignal(job.ended):
        job.stop()
    assert seen == [("cancelled", None), ("ended", None)]


@pytest.mark.parametrize(("keep", "kind"), [(True, "succeeded"), (False, "cancelled")])
def test_what_a_stopped_job_gives_counts_only_when_asked(qtbot, keep, kind):
    def work(progress, should_stop):
        while not should_stop():
            pass
        return "half"

    job = BackgroundJob(work, "work")
    seen = outcomes(job)
    job.start()
    with qtbot.waitSignal(job.ended):
        job.stop(keep=keep)
    assert seen[0][0] == kind


@pytest.mark.parametrize("fails", [False, True])
def test_nothing_arrives_at_a_widget_that_has_gone(qtbot, fails):
    going, over = threading.Event(), threading.Event()

    def work(progress, should_stop):
        going.wait()
        stopped = should_stop()
        over.set()
        if fails:
            raise CancelledError("stopped")
        return stopped

    owner = QWidget()
    label = QLabel(owner)
    job = BackgroundJob(work, "work", owner)
    seen = outcomes(job)
    job.succeeded.connect(lambda value: label.setText(str(value)))
    job.cancelled.connect(partial(label.setText, "stopped"))
    job.start()
    owner.deleteLater()
    QApplication.sendPostedEvents(owner, QEvent.Type.DeferredDelete)
    with pytest.raises(RuntimeError):
        label.text()
    going.set()
    qtbot.waitUntil(lambda: over.is_set() and job not in background._alive)
    assert seen == []
    assert job.should_stop()


class Big:
    """Stands for a scan."""


def test_nothing_is_held_once_the_job_has_ended(qtbot):
    big = Big()
    alive = weakref.ref(big)
    job = BackgroundJob(lambda progress, should_stop, big=big: big, "work")
    worker = job._worker  # napari keeps this as long as its window lives
    del big
    with qtbot.waitSignal(job.ended):
        job.start()
    del job
    gc.collect()
    assert worker is not None
    assert alive() is None
