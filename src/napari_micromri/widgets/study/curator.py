"""What the buttons and keys of the dock do to the study and to the pair that is shown."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from napari.utils.notifications import show_warning
from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QMessageBox, QWidget

from napari_micromri.errors import StudyError
from napari_micromri.plugin.study_layers import PairPixels, load_pair
from napari_micromri.study.model import REASON_WORDS, REASONS
from napari_micromri.widgets.background import BackgroundJob
from napari_micromri.widgets.study.slices import SUSPICIOUS
from napari_micromri.widgets.study.tree import pair_title
from napari_micromri.widgets.study.viewing import PairView
from napari_micromri.words import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from napari.components import ViewerModel

    from napari_micromri.study.model import Crop, Pair, Reason, Set
    from napari_micromri.widgets.study.session import Session


class Curator(QObject):
    """Holds the open study and the pair that is shown.

    ``changed`` is sent when marks changed, ``shown`` when another pair or none is shown, ``moved`` when another slice
    is, ``said`` with a line for the person.
    """

    changed = Signal()
    shown = Signal()
    moved = Signal()
    said = Signal(str)

    def __init__(self, viewer: ViewerModel, parent: QObject) -> None:
        super().__init__(parent)
        self.session: Session | None = None
        self.view = PairView(viewer, self)
        self.reason: Reason = REASONS[0]
        self._own_reason: Reason = REASONS[0]
        self._loading: BackgroundJob | None = None
        self._goal: tuple[str, int | None] | None = None
        self.view.moved.connect(self._slice_changed)
        self.view.closed.connect(self.shown)

    # What is shown

    @property
    def pair(self) -> Pair | None:
        """The pair that is shown, with its marks as they are now."""
        if self.session is None or self.view.pair is None:
            return None
        return self.session.pair(self.view.pair.key)

    @property
    def index(self) -> int:
        """The slice that is shown."""
        return self.view.index

    @property
    def loading(self) -> str | None:
        """The key of the pair that is being read."""
        return self._goal[0] if self._goal is not None else None

    def use(self, session: Session | None) -> None:
        """Curate another study; the pair of the one before is taken away."""
        self.stop()
        self.view.close()
        self.session = session
        self.shown.emit()

    def open_pair(self, key: str, index: int | None = None) -> None:
        """Show a pair, at a slice if one is given, as soon as it is read."""
        if self.session is None or (pair := self.session.pair(key)) is None:
            return
        if self.view.pair is not None and self.view.pair.key == key and self._loading is None:
            if index is not None:
                self.view.go_to(index)
            return
        self.stop()
        self._goal = (key, index)
        self._loading = job = BackgroundJob(
            partial(load_pair, self.session.study, pair), f"Read {pair_title(pair)}", self
        )
        job.succeeded.connect(self._show)
        job.failed.connect(self.said)
        job.ended.connect(self._ended)
        self.said.emit(f"Reading {pair_title(pair)}…")
        job.start()

    def stop(self) -> None:
        """Drop what is being read."""
        if self._loading is not None:
            self._loading.stop()
        self._loading = self._goal = None

    def shut_down(self) -> None:
        """Stop what runs in threads and let the viewer go; the layers stay."""
        self.stop()
        self.view.disconnect_viewer()

    def _show(self, pixels: PairPixels) -> None:
        if self._goal is None or self._goal[0] != pixels.pair.key or self.session is None:
            return
        index = self._goal[1]
        self.view.show(pixels)
        if index is not None:
            self.view.go_to(index)
        self.show_marks()
        self.shown.emit()
        self.said.emit(f"{pair_title(pixels.pair)}: {counted(pixels.pair.slice_count, 'slice')}, LR over HR.")

    def _ended(self) -> None:
        if self.sender() is self._loading:  # not one that was stopped for another
            self._loading = self._goal = None

    def _slice_changed(self) -> None:
        self._suggest_reason()
        self.show_marks()
        self.moved.emit()

    def _suggest_reason(self) -> None:
        """On a suspicious slice offer the reason that was measured, elsewhere the person's own."""
        self.reason = self._own_reason
        pair = self.pair
        if self.session is None or pair is None:
            return
        found = self.session.scores.get((pair.key, self.index))
        marked = pair.marks.excluded.get(self.index)
        if marked is not None:
            self.reason = marked
        elif found is not None and found.score >= SUSPICIOUS and found.suggested_reason is not None:
            self.reason = found.suggested_reason

    def show_marks(self) -> None:
        """Frame the slice if it is excluded, and outline the crop."""
        pair = self.pair
        if pair is None:
            return
        self.view.show_mark(pair.marks.excluded.get(self.index))
        self.view.show_crop(pair.marks.crop)

    # Keys and buttons

    def toggle(self) -> None:
        """Exclude the slice that is shown and move to the next, or keep it again and stay.

        In 3-D view, where all slices are seen, the person is asked whether the slider's one is meant.
        """
        if (pair := self.pair) is None or self.session is None:
            return
        session, index = self.session, self.index
        excluded = index in pair.marks.excluded
        if self.view.viewer.dims.ndisplay == 3 and not self._means(pair, index, excluded=excluded):
            return
        if self._tried(lambda: session.toggle(pair.key, index, self.reason)):
            self._say_mark(pair.key, index)
            if not excluded:
                self.next()

    def _means(self, pair: Pair, index: int, *, excluded: bool) -> bool:
        what = f"{'Keep' if excluded else 'Exclude'} slice {pair.slice_words(index)}"
        parent = self.parent()
        answer = QMessageBox.question(
            parent if isinstance(parent, QWidget) else None,
            "Which slice?",
            f"The 3-D view shows all slices. {what}, the one at the slider?",
        )
        return answer == QMessageBox.StandardButton.Yes

    def choose_reason(self, reason: Reason) -> None:
        """Exclude for this reason from now on; an excluded slice that is shown gets it too."""
        self.reason = self._own_reason = reason
        pair, session, index = self.pair, self.session, self.index
        if pair is not None and session is not None and index in pair.marks.excluded:
            if self._tried(lambda: session.change_reason(pair.key, index, reason)):
                self._say_mark(pair.key, index)
        else:
            self.moved.emit()

    def next(self) -> None:
        """Show the next slice."""
        self.view.go_to(self.index + 1)

    def previous(self) -> None:
        """Show the slice before."""
        self.view.go_to(self.index - 1)

    def next_suspicious(self) -> None:
        """Show the next slice that should be looked at."""
        if self.session is None:
            return
        key = self.loading or (self.view.pair.key if self.view.pair is not None else None)
        found = self.session.next_suspicious(key, self.index)
        if found is None:
            self.said.emit("No other suspicious slice is left.")
        else:
            self.open_pair(*found)

    def undo(self) -> None:
        """Undo the last change of marks."""
        session = self.session
        if session is not None and session.history.can_undo and self._tried(session.history.undo):
            self.said.emit("Undone.")

    def redo(self) -> None:
        """Make the change that was taken back once more."""
        session = self.session
        if session is not None and session.history.can_redo and self._tried(session.history.redo):
            self.said.emit("Redone.")

    def assign_one(self, subject: str, to: Set) -> None:
        """Put one subject into a set."""
        self.assign({subject: to})

    def assign(self, wanted: Mapping[str, Set]) -> None:
        """Put subjects into sets."""
        session = self.session
        if session is not None and self._tried(lambda: session.split(wanted)):
            self.said.emit(session.summary)

    def crop(self, crops: Mapping[str, Crop | None]) -> None:
        """Crop pairs, or show all of them for None."""
        session = self.session
        if session is None:
            return
        changed = 0

        def change() -> None:
            nonlocal changed
            changed = session.crop(crops)

        if self._tried(change):
            s = "s" * (changed != 1)
            done = f"The crop of {changed} pair{s} was changed and saved. Undo reverts it."
            self.said.emit(done if changed else "Nothing to change: the crop is already like that.")

    def look_again(self) -> None:
        """Show what another program changed."""
        if self.session is None:
            return
        try:
            there_is_news = self.session.reload()
        except StudyError as error:
            self.said.emit(str(error))
            return
        if there_is_news:
            if self.view.pair is not None and self.pair is None:
                self.view.close()
                self.shown.emit()
            self.refresh()
            self.said.emit("Another window or program changed the study. This is its current state.")

    def refresh(self) -> None:
        """Show the marks as they are now."""
        self._suggest_reason()
        self.show_marks()
        self.changed.emit()

    def _tried(self, change: Callable[[], object]) -> bool:
        try:
            change()
        except StudyError as error:
            self.said.emit(str(error))
            show_warning(str(error))
            return False
        finally:
            self.refresh()
        return True

    def _say_mark(self, key: str, index: int) -> None:
        pair = self.session.pair(key) if self.session is not None else None
        reason = pair.marks.excluded.get(index) if pair is not None else None
        words = f"is excluded ({REASON_WORDS[reason]})" if reason is not None else "is kept"
        where = pair.slice_words(index) if pair is not None else index
        self.said.emit(f"Slice {where} {words}; saved.")
