"""What the tabs *Run* and *Tune* share: a list of folders, following one of them, and doing something to it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error
from qtpy.QtCore import QObject, Qt, QUrl, Signal
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QVBoxLayout, QWidget
from superqt.utils import signals_blocked

from napari_micromri.widgets.shared.looking import Looking

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from napari_micromri.widgets.training.fields import Choice
    from napari_micromri.widgets.training.status_form import StatusForm


class FolderList(QObject):
    """Lists folders that were shown before, newest first; a thread finds out how each of them stands.

    ``chosen`` is sent with the folder that the person chooses (None: what stands first), ``found`` with what the thread
    found.

    Parameters
    ----------
    look
        Gives what is known of folders, by folder; those that can't be read are left out.
    label
        Names a folder by its path and what is known of it, or None.
    first
        What stands above the folders.
    """

    chosen = Signal(object)
    found = Signal(object)

    def __init__(
        self,
        box: Choice,
        look: Callable[[Sequence[Path]], dict[Path, Any]],
        label: Callable[[Path, Any], str],
        first: tuple[str, ...] = (),
    ) -> None:
        super().__init__(box)
        self.paths: list[Path] = []
        self._box, self._look, self._label, self._first = box, look, label, first
        self._shown: Path | None = None
        self._labels: dict[Path, str] = {}
        self._looking = Looking(None, self)
        self._looking.seen.connect(self._take)
        box.activated.connect(self._activated)

    def show(self, paths: list[Path], shown: Path | None = None) -> None:
        """List these, one of which is shown."""
        self.paths, self._shown = paths, shown
        self._fill()
        self.look_up()

    def look_up(self) -> None:
        """Find out again how each stands."""
        self._looking.begin(partial(self._look, tuple(self.paths)))

    def stop(self) -> None:
        """Look no more."""
        self._looking.stop()

    def _take(self, known: dict[Path, Any]) -> None:
        self._labels = {path: self._label(path, known.get(path)) for path in self.paths}
        self._fill()
        self.found.emit(known)

    def _fill(self) -> None:
        box, before = self._box, len(self._first)
        with signals_blocked(box):
            box.clear()
            box.addItems([*self._first, *(self._labels.get(path, path.name) for path in self.paths)])
            for number, path in enumerate(self.paths, before):
                box.setItemData(number, str(path), Qt.ItemDataRole.ToolTipRole)
            box.setCurrentIndex(self.paths.index(self._shown) + before if self._shown in self.paths else before - 1)

    def _activated(self, index: int) -> None:
        self.chosen.emit(self.paths[index - len(self._first)] if index >= len(self._first) else None)


class Follower(QWidget):
    """Follows what runs in the background, and does to it what the person asks for, both in threads."""

    def __init__(self, form: StatusForm, *, every_ms: int) -> None:
        super().__init__()
        self.form = form
        self.path: Path | None = None
        self._lost = False  # it can't be read any more
        self._looking = Looking(None, self, every_ms=every_ms)
        self._looking.seen.connect(self._take)
        self._looking.failed.connect(self._take_problem)
        self._doing = Looking(None, self)
        self._doing.failed.connect(show_error)
        for answered in (self._doing.seen, self._doing.failed):
            answered.connect(self._looking.look)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(form)

    def shut_down(self) -> None:
        """Look no more; what is followed continues."""
        for looking in (self._looking, self._doing):
            looking.stop()

    def _take(self, look: Any) -> None:
        """Show how it stands."""
        raise NotImplementedError

    def _take_problem(self, sentence: str) -> None:
        """Say why it can't be read."""
        raise NotImplementedError

    def _do(self, work: Callable[[], object]) -> None:
        """Do something to it, and look at what became of it."""
        if not self._doing.busy:
            self._doing.begin(work)
            self.form.wait_for_answer()

    def _open_folder(self) -> None:
        if self.path is not None:
            show_file(self.path)


def show_file(path: Path) -> None:
    """Show a file or folder in the program that the system has for it."""
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))
