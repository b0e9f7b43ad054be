"""The tab "Signal quality" of the dock "IVIM maps"."""

from __future__ import annotations

import pytest
from qtpy.QtGui import QPainter, QPicture

from napari_micromri.curves import Line
from napari_micromri.widgets.ivim.signal_tab import SignalTab
from napari_micromri.widgets.shared.curves import CurvePlot


@pytest.fixture
def tab(qtbot):
    widget = SignalTab()
    widget.extent = (1, 8)
    widget.epochs.setValue(10)
    qtbot.addWidget(widget, before_close_func=lambda widget: widget.shut_down())
    widget.show()
    return widget


def idle(tab, qtbot):
    qtbot.waitUntil(lambda: tab._job is None, timeout=60_000)


def test_a_training_fills_the_plots_and_can_be_saved(tab, qtbot, tmp_path):
    assert not tab.save.isEnabled()
    tab.train.click()
    assert not tab.train.isEnabled()
    idle(tab, qtbot)
    assert [look.epoch for look in tab.looks] == [5, 10]
    assert "Phenomenon 1" in tab.status.text()
    qtbot.waitUntil(lambda: all(plot.labels for plot in tab.plots))
    assert "training signals" in tab.plots[2].labels
    tab.save_to(str(tmp_path / "out"))
    idle(tab, qtbot)
    assert (tmp_path / "out" / "plots.png").exists()
    tab.save_to(str(tmp_path / "out"))
    idle(tab, qtbot)
    assert "out" in tab.status.text()  # it is there already


def test_what_was_seen_before_a_stop_stays(tab, qtbot):
    tab.epochs.setValue(2000)
    tab.train.click()
    qtbot.waitUntil(lambda: bool(tab.looks), timeout=60_000)
    tab.cancel.click()
    idle(tab, qtbot)
    assert tab.looks[-1].epoch < 2000
    assert tab.status.text().startswith("Stopped")
    assert tab.save.isEnabled()


def test_a_training_that_is_stopped_at_once_shows_nothing_of_the_one_before(tab, qtbot):
    tab.train.click()
    idle(tab, qtbot)
    qtbot.waitUntil(lambda: all(plot.labels for plot in tab.plots))
    tab.train.click()
    tab.cancel.click()
    assert tab.status.text() == "Stopping…"
    idle(tab, qtbot)
    assert tab.status.text() == "Stopped."
    qtbot.waitUntil(lambda: not any(plot.isVisible() or plot.labels for plot in tab.plots))
    assert not any(heading.text() for heading in tab.headings)
    assert not tab.save.isEnabled()


def test_the_name_of_an_axis_lies_beside_its_figures(qtbot):
    plot = CurvePlot("", "", height=160)
    qtbot.addWidget(plot, before_close_func=lambda widget: widget.stop())
    plot.resize(220, 160)
    plot.show()
    line = Line("predicted", "#55aaff", (5.0, 10.0, 12.0), (0.0562, 0.0395, 0.0341))
    plot.show_lines((line,), logarithmic=False, labels=("epoch", "fraction of S0"))
    qtbot.waitUntil(lambda: bool(plot.labels))
    axis = plot._plot.getAxis("left")
    picture = QPicture()

    def figures():
        """List what stands at the ticks, with its place."""
        painter = QPainter(picture)
        try:
            return axis.generateDrawSpecs(painter)[2]
        finally:
            painter.end()

    qtbot.waitUntil(lambda: any(text.startswith("0.0") for _, _, text in figures()))
    name = axis.label.mapRectToParent(axis.label.boundingRect())
    margin = axis.label.document().documentMargin()
    assert min(rect.left() for rect, _, _ in figures()) >= name.right() - margin
