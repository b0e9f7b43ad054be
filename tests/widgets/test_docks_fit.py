"""Every dock in a dock area of 320 pixels, tab by tab, with every section unfolded."""

from __future__ import annotations

from importlib import import_module

import pytest
from napari.components import ViewerModel
from napari.qt import get_stylesheet
from npe2 import PluginManifest
from qtpy.QtWidgets import QAbstractButton, QApplication, QLabel, QTabWidget, QToolButton, QWidget
from superqt import QElidingLabel

from napari_micromri.plugin.layers import scan_to_layer
from napari_micromri.widgets.scans.dock import ScansWidget

WIDTH, HEIGHT = 320, 560
"""Of the dock area; an 800 pixels high window has 640 for it, less the dock's title and its tab."""


def docks() -> dict[str, str]:
    manifest = PluginManifest.from_distribution("napari-micromri").contributions
    places = {command.id: command.python_name for command in manifest.commands or ()}
    return {widget.display_name: str(places[widget.command]) for widget in manifest.widgets or ()}


@pytest.fixture(params=docks().values(), ids=docks())
def dock(request, make_scan, qtbot):
    module, name = request.param.split(":")
    viewer = ViewerModel()
    data, attributes, _ = scan_to_layer(make_scan((4, 40, 36), name="T2_TurboRARE_3D_highres_cor_A_0001"))
    viewer.add_image(data, **attributes)
    widget = getattr(import_module(module), name)(viewer)
    widget.setStyleSheet(get_stylesheet("dark"))
    qtbot.addWidget(widget, before_close_func=lambda widget: widget.shut_down())
    widget.show()
    return widget


def unfold(dock: QWidget) -> None:
    for fold in dock.findChildren(QToolButton):
        if fold.isCheckable() and fold.isVisible():
            fold.setChecked(True)
    if isinstance(dock, ScansWidget):
        dock.offer_folders()
        dock.form.many.setText("Denoise 200")


def cut(dock: QWidget) -> list[str]:
    """Name what is seen in part only: texts that have less width than they need, and what reaches beyond its parent."""
    found = []
    for one in dock.findChildren(QWidget):
        if not one.isVisibleTo(dock) or one.visibleRegion().isEmpty():
            continue
        text = one.text() if isinstance(one, QLabel | QAbstractButton) else ""
        may_wrap = isinstance(one, QElidingLabel) or (isinstance(one, QLabel) and one.wordWrap())
        parent = one.parentWidget()
        beyond = parent is not None and not one.isWindow() and one.geometry().right() > parent.rect().right()
        if beyond or (text and not may_wrap and one.width() < one.sizeHint().width()):
            found.append(f"{type(one).__name__} '{text}': {one.width()} of {one.sizeHint().width()}")
    return found


def test_a_dock_fits_an_area_of_320_pixels_with_everything_unfolded(dock):
    tabs = dock.findChildren(QTabWidget)
    for k in range(max((one.count() for one in tabs), default=1)):
        for one in tabs:
            one.setCurrentIndex(k)
        unfold(dock)
        dock.resize(WIDTH, HEIGHT)
        QApplication.sendPostedEvents()
        QApplication.processEvents()
        least = dock.minimumSizeHint()
        assert least.width() <= WIDTH, k
        assert least.height() <= HEIGHT, k
        assert not cut(dock), k
