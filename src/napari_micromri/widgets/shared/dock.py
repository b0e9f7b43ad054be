"""What all docks share: they open as tabs of one area, scroll where the window is low, and let go when closed."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, QSize, Qt, QTimer
from qtpy.QtWidgets import QDockWidget, QLabel, QMainWindow, QScrollArea, QSizePolicy, QTabBar, QVBoxLayout, QWidget

from napari_micromri.widgets.shared.garbage import collect_garbage_here

PLUGIN = "napari-micromri"
TICKS = """QAbstractItemView::indicator:unchecked {
  width: 11px; height: 11px; border: 1px solid palette(text); border-radius: 2px;
}"""
"""napari's style draws nothing where a line of a list could be ticked but isn't."""

SOON_MS = 15
"""Until a dock gets its content; napari lays out its canvas anew before."""

OURS = "napari-micromri dock"
"""Property of a dock widget that holds one of ours. A list of them would outlive windows and what Qt destroys."""


class Dock(QWidget):
    """The widget of a dock: ``hold`` gives it its content, ``shut_down`` is called when the dock is closed."""

    def __init__(self) -> None:
        super().__init__()
        collect_garbage_here()
        # Else napari would give a part of the height to an empty space below.
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self.setStyleSheet(TICKS)
        self.installEventFilter(_Watch(self))
        self._held: Scroll | None = None

    def hold(self, content: QWidget) -> None:
        """Show the content, in a scroll area: a dock must never push the window beyond a laptop's screen."""
        self._held = Scroll(content)
        QTimer.singleShot(SOON_MS, self, self.show_content)

    def show_content(self) -> None:
        """Put the content in. In napari's window this waits for a later turn of the event loop.

        Qt goes through the window's style sheet for each widget whenever a widget moves to another parent, which napari
        does several times while it opens a dock: 40 ms of 75 for the dock *Scans*.
        """
        if self._held is not None and self.layout() is None:
            layout = QVBoxLayout(self)
            layout.setContentsMargins(0, 0, 0, 0)
            content = self._held.takeWidget()  # already in it, all of it would be styled twice
            layout.addWidget(self._held)
            self._held.setWidget(content)
            self._held.show()

    def sizeHint(self) -> QSize:
        """Ask for the content's room before it is there."""
        return super().sizeHint() if self.layout() or self._held is None else self._held.sizeHint()

    def changeEvent(self, event: QEvent) -> None:
        """Let go when napari takes the widget out of its dock, which is how a dock is closed."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.shut_down()

    def shut_down(self) -> None:
        """Stop what runs, and listen to the viewer no more."""
        raise NotImplementedError


class Scroll(QScrollArea):
    """Scrolls its content up and down, and is never narrower than that."""

    def __init__(self, content: QWidget) -> None:
        super().__init__()
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidgetResizable(True)
        self.setWidget(content)
        self._content = content
        content.installEventFilter(self)

    def minimumSizeHint(self) -> QSize:
        """Keep room for the content's width and the bar, and for little height."""
        width = self._content.minimumSizeHint().width() + self.verticalScrollBar().sizeHint().width()
        return QSize(width, super().minimumSizeHint().height())

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Ask for another width when the content needs one, as when a section is unfolded."""
        if event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return super().eventFilter(watched, event)


class _Watch(QObject):
    """Waits for the widget to be put into a dock, and the dock into a window: napari does so one after the other."""

    def __init__(self, widget: Dock) -> None:
        super().__init__(widget)
        self._widget = widget

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Look when the widget is shown; nothing is kept from it."""
        if event.type() == QEvent.Type.Show:
            self._widget.removeEventFilter(self)
            self._join()
        return False

    def _join(self) -> None:
        dock = _dock_around(self._widget)
        window = None if dock is None else dock.parentWidget()
        if dock is None or not isinstance(window, QMainWindow):
            self._widget.show_content()
            return
        title = getattr(dock.titleBarWidget(), "title", None)  # napari's own, as wide as its text
        if isinstance(title, QLabel):
            title.setText(_short(title.text()))
        dock.setWindowTitle(_short(dock.windowTitle()))  # what its tab says
        area = window.dockWidgetArea(dock)
        for other in window.findChildren(QDockWidget, options=Qt.FindChildOption.FindDirectChildrenOnly):
            here = other.property(OURS) and not other.isHidden() and not other.isFloating()
            if here and window.dockWidgetArea(other) == area:
                window.tabifyDockWidget(other, dock)
                dock.raise_()
                _show_whole_names(window)
                break
        dock.setProperty(OURS, True)


def _short(title: str) -> str:
    return title.removesuffix(f" ({PLUGIN})")


def _show_whole_names(window: QMainWindow) -> None:
    """Let tabs of docks scroll when there are many; Qt would cut their names."""
    for bar in window.findChildren(QTabBar, options=Qt.FindChildOption.FindDirectChildrenOnly):
        bar.setElideMode(Qt.TextElideMode.ElideNone)


def _dock_around(widget: QWidget) -> QDockWidget | None:
    around: QWidget | None = widget
    while around is not None and not isinstance(around, QDockWidget):
        around = around.parentWidget()
    return around
