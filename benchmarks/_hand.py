"""A hand that works in napari's window by mouse alone, and counts: what isn't under the pointer can't be clicked."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QMimeData, QPoint, QPointF, Qt, QTimer, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent, QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QDialogButtonBox, QFileDialog, QRadioButton

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qtpy.QtWidgets import QWidget

PATIENCE = 300.0
STEPS = (0.0, 0.3, 0.6, 1.0)
LEFT, PLAIN, COPY = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, Qt.DropAction.CopyAction


class Hand:
    """Clicks, drags and drops on what is seen; ``clicks`` tells what each was.

    A click is a press of the mouse on a menu, an entry, a button or a choice; a drag; a drop; or a file dialog as a
    whole, which is answered here.
    """

    def __init__(self, window: Any) -> None:
        self.window = window
        self.clicks: list[str] = []

    def open_folder(self, path: Path) -> None:
        """Choose *File > Open Folder* and answer the dialog."""
        self.answer(path)
        bar: Any = self.window.menuBar()
        for title in ("File", "Open Folder"):
            action = next(one for one in bar.actions() if one.text().replace("&", "").startswith(title))
            self._press(bar, bar.actionGeometry(action).center(), title)
            bar = action.menu()

    def drop_folder(self, path: Path) -> None:
        """Drop a folder on the middle of the window."""
        at = self.window.mapToGlobal(self.window.rect().center())
        target: Any = QApplication.widgetAt(at)
        while not target.acceptDrops():
            target = target.parentWidget()
        data, place = QMimeData(), QPointF(target.mapFromGlobal(at))
        data.setUrls([QUrl.fromLocalFile(str(path))])
        entering = QDragEnterEvent(place.toPoint(), COPY, data, LEFT, PLAIN)
        QApplication.sendEvent(target, entering)
        if not entering.isAccepted():
            raise RuntimeError("The window takes no folder.")
        self.clicks.append("drop")
        QApplication.sendEvent(target, QDropEvent(place, COPY, data, LEFT, PLAIN, QEvent.Type.Drop))

    def choose_plugin(self, name: str) -> None:
        """Answer napari's question which plugin is to open a folder, as soon as it is asked."""

        def choose() -> None:
            dialog: Any = QApplication.activeModalWidget()
            if dialog is None:
                QTimer.singleShot(20, choose)
                return
            self.click(next(one for one in dialog.findChildren(QRadioButton) if one.text() == name))
            self.click(dialog.findChild(QDialogButtonBox).button(QDialogButtonBox.StandardButton.Ok))

        choose()

    def click(self, button: Any) -> None:
        """Click on a button, as soon as it can be clicked."""
        wait(lambda: button.isVisible() and button.isEnabled())
        self._press(button, QPoint(min(10, button.width() // 2), button.height() // 2), button.text())

    def drag(self, canvas: QWidget, start: tuple[float, float], end: tuple[float, float], held: Any = PLAIN) -> None:
        """Drag on the canvas between two places, in parts of its size; a key may be held."""
        width, height = canvas.width(), canvas.height()
        (x, y), (right, below) = start, end
        places = [QPoint(round(width * (x + t * (right - x))), round(height * (y + t * (below - y)))) for t in STEPS]
        if QApplication.widgetAt(canvas.mapToGlobal(places[0])) is not canvas:
            raise RuntimeError("Something lies over the canvas.")
        self.clicks.append("drag" if held == PLAIN else f"{held.name}-drag")
        QTest.mousePress(canvas, LEFT, held, places[0])
        for place in places[1:]:
            where = canvas.mapToGlobal(place)
            event = QMouseEvent(QEvent.Type.MouseMove, QPointF(place), QPointF(where), LEFT, LEFT, held)
            QApplication.sendEvent(canvas, event)  # QTest's moves know neither button nor key
            QTest.qWait(20)
        QTest.mouseRelease(canvas, LEFT, held, places[-1])

    def answer(self, path: Path) -> None:
        """Answer file dialogs with a path from now on."""

        def answering(given: Any) -> Any:
            def asked(*_: object, **__: object) -> Any:
                self.clicks.append("file dialog")
                return given

            return staticmethod(asked)

        setattr(QFileDialog, "getExistingDirectory", answering(str(path)))  # noqa: B010
        setattr(QFileDialog, "exec", answering(1))  # noqa: B010
        setattr(QFileDialog, "selectedFiles", lambda _: [str(path)])  # noqa: B010

    def _press(self, widget: QWidget, place: QPoint, what: str) -> None:
        at = widget.mapToGlobal(place)
        wait(lambda: QApplication.widgetAt(at) is widget)
        self.clicks.append(what)
        QTest.mouseClick(widget, LEFT, PLAIN, place)


def wait(done: Callable[[], bool]) -> None:
    """Let the window work until something is so."""
    end = time.monotonic() + PATIENCE
    while not done():
        if time.monotonic() > end:
            raise TimeoutError
        QApplication.processEvents()
        time.sleep(0.005)
