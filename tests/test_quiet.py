"""Quiet is of one thread, and leaves the rules of others as they were."""

from __future__ import annotations

import threading
import warnings

import pytest

from napari_micromri.quiet import quiet


def in_thread(work, name=None):
    found = []

    def run():
        try:
            found.append(work())
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=run, name=name)
    thread.start()
    thread.join()
    return found[0]


def warn():
    warnings.warn("of  the\nlibrary.", stacklevel=1)


def test_what_a_thread_is_warned_of_is_kept_and_raises_nothing():
    with quiet() as said:
        warn()
        warnings.warn("This is deprecated.", DeprecationWarning, stacklevel=1)
    assert said == ["of the library"]
    with pytest.raises(UserWarning):
        warn()


def test_other_threads_are_not_quiet_but_the_named_helper_is():
    with quiet("helper"):
        assert isinstance(in_thread(warn), UserWarning)
        assert in_thread(warn, "helper") is None
    assert isinstance(in_thread(warn, "helper"), UserWarning)


def test_two_threads_that_leave_in_the_order_they_came_leave_no_rule_behind():
    first, second = quiet(), quiet()
    first.__enter__()
    in_thread(second.__enter__)
    first.__exit__(None, None, None)
    with pytest.raises(UserWarning):
        warn()


def test_rules_that_others_bring_meanwhile_do_not_end_the_quiet_of_the_next():
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("error")
        with quiet() as said:
            warn()
    assert said == ["of the library"]
