"""The dock "Study and slice curation"."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import QTimer
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QCheckBox, QTabWidget, QVBoxLayout, QWidget

from napari_micromri.plugin.letters import show_letters
from napari_micromri.study.model import REASONS
from napari_micromri.widgets.background import BackgroundJob
from napari_micromri.widgets.shared.dock import Dock
from napari_micromri.widgets.shared.parts import row, text_line
from napari_micromri.widgets.shared.places import with_tilde
from napari_micromri.widgets.shared.recent import recent, remember
from napari_micromri.widgets.study.crop_tab import CropTab
from napari_micromri.widgets.study.cropping import CropControl
from napari_micromri.widgets.study.curator import Curator
from napari_micromri.widgets.study.header import Header
from napari_micromri.widgets.study.hints import Situation
from napari_micromri.widgets.study.keys import Keys
from napari_micromri.widgets.study.marks import MarksControl
from napari_micromri.widgets.study.pairs_tab import PairsTab
from napari_micromri.widgets.study.session import open_session
from napari_micromri.widgets.study.slices import slice_rows
from napari_micromri.widgets.study.slices_tab import SlicesTab
from napari_micromri.widgets.study.split_tab import SplitTab
from napari_micromri.widgets.study.splitting import SplitControl
from napari_micromri.widgets.study.suspicious_tab import SuspiciousTab
from napari_micromri.widgets.study.tree import pair_title

if TYPE_CHECKING:
    import os
    from collections.abc import Callable
    from pathlib import Path

    from napari.components import ViewerModel
    from qtpy.QtGui import QKeyEvent

    from napari_micromri.widgets.study.session import Session

LOOK_AGAIN_MS = 2000


class StudyWidget(Dock):
    """Look through a study: pairs, slices and their marks, suggestions, crop and split."""

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.header = Header()
        self.pairs, self.slices, self.suspicious = PairsTab(), SlicesTab(), SuspiciousTab()
        self.crop, self.split = CropTab(), SplitTab()
        self.side_by_side = QCheckBox("Side by side")
        self.side_by_side.setToolTip("Show LR and HR beside each other, in napari's grid, instead of over each other.")
        self.status = text_line()
        self.curator = Curator(napari_viewer, self)
        self.cropping = CropControl(self.crop, self.curator)
        self.splitting = SplitControl(self.split, self.curator)
        self.marks = MarksControl(self.header, self.curator)
        self.keys = Keys(self._key_actions())
        self._job: BackgroundJob | None = None
        self._lay_out()
        self._connect()
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_AGAIN_MS)
        self._timer.timeout.connect(self.curator.look_again)
        self._last = recent()
        show_letters(napari_viewer)
        self.refresh()

    def _lay_out(self) -> None:
        self.tabs = QTabWidget()
        self.tabs.setUsesScrollButtons(False)
        for title, tab in (
            ("Pairs", self.pairs),
            ("Slices", self.slices),
            ("Suspicious", self.suspicious),
            ("Crop", self.crop),
            ("Split", self.split),
        ):
            self.tabs.addTab(tab, title)
        content = QWidget()
        layout = QVBoxLayout(content)
        layout.setContentsMargins(2, 2, 2, 2)
        layout.setSpacing(4)
        layout.addWidget(self.header)
        layout.addWidget(self.tabs, 1)
        layout.addWidget(row(self.side_by_side))
        layout.addWidget(self.status)
        self.hold(content)

    def _connect(self) -> None:
        header, curator = self.header, self.curator
        header.open.clicked.connect(self._ask_study)
        header.reopen.clicked.connect(self._reopen)
        header.new.clicked.connect(lambda: self.ask_new_study())
        header.undo.clicked.connect(curator.undo)
        header.redo.clicked.connect(curator.redo)
        self.pairs.opened.connect(curator.open_pair)
        self.pairs.picked.connect(self._show_report)
        self.pairs.assigned.connect(curator.assign_one)
        self.pairs.filtered.connect(self._show_tree)
        self.slices.chosen.connect(curator.view.go_to)
        self.slices.reason_chosen.connect(curator.choose_reason)
        self.slices.exclude.clicked.connect(curator.toggle)
        self.slices.previous.clicked.connect(curator.previous)
        self.slices.next.clicked.connect(curator.next)
        self.slices.suspicious.clicked.connect(curator.next_suspicious)
        self.suspicious.chosen.connect(curator.open_pair)
        self.side_by_side.toggled.connect(curator.view.side_by_side)
        self.cropping.drawing.connect(self._show_hint)
        curator.changed.connect(self.refresh)
        curator.shown.connect(self._pair_shown)
        curator.moved.connect(self._show_position)
        curator.said.connect(self.status.setText)

    def _key_actions(self) -> dict[str, Callable[[], object]]:
        curator = self.curator
        actions: dict[str, Callable[[], object]] = {
            "X": curator.toggle,
            "N": curator.next,
            "P": curator.previous,
            "S": curator.next_suspicious,
        }
        return actions | {str(k): partial(curator.choose_reason, reason) for k, reason in enumerate(REASONS, 1)}

    # Opening and closing

    def open_study(self, path: str | os.PathLike[str]) -> None:
        """Open a study in a thread and show its pairs."""
        if self._job is not None:
            self._job.stop()
        self._job = job = BackgroundJob(partial(open_session, path), "Open the study", self)
        job.succeeded.connect(self._opened)
        job.failed.connect(self.status.setText)
        job.ended.connect(self._ended)
        self.status.setText("Opening the study…")
        job.start()

    def ask_new_study(self, *sources: Path, target: Path | None = None) -> None:
        """Open the window that makes a study; it looks for pairs at once where scans or folders are given."""
        from napari_micromri.widgets.study.new_study import NewStudyDialog

        dialog = NewStudyDialog(self)
        dialog.add_sources(*sources, target=target)
        dialog.built.connect(self.open_study)
        dialog.show()
        if sources:
            dialog.find_pairs()

    def shut_down(self) -> None:
        """Give keys and canvas back, stop what runs in threads, and listen to the viewer no more."""
        if self._job is not None:
            self._job.stop()
        self._timer.stop()
        self.keys.release()
        self.cropping.stop()
        self.curator.shut_down()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Take the curation keys, and undo and redo, when a list or button of the dock has the focus."""
        if event.matches(QKeySequence.StandardKey.Undo):
            self.curator.undo()
        elif event.matches(QKeySequence.StandardKey.Redo):
            self.curator.redo()
        elif event.modifiers() or not self.keys.press(event.text()):
            super().keyPressEvent(event)

    def _ask_study(self) -> None:
        if (path := self.header.ask_study()) is not None:
            self.open_study(path)

    def _reopen(self) -> None:
        if self._last is not None:
            self.open_study(self._last)

    def _opened(self, session: Session) -> None:
        self.curator.use(session)
        remember(session.study.path)
        self._timer.start()
        self.refresh()
        count = len(session.pairs)
        self.status.setText(f"{count} pair{'s' * (count != 1)}; {session.summary}.")

    def _ended(self) -> None:
        if self.sender() is self._job:  # not one that was stopped for another
            self._job = None

    # Showing

    def refresh(self) -> None:
        """Show the study and its marks as they are now."""
        session = self.curator.session
        study = session.study if session is not None else None
        self.header.path.setText(with_tilde(study.path) if study is not None else "")
        self.header.read_only.setVisible(study is not None and study.read_only)
        self.header.reopen.setVisible(study is None and self._last is not None)
        if self._last is not None:
            self.header.reopen.setText(f"Reopen {self._last.name}")
        self.header.more.setEnabled(study is not None)
        self.header.undo.setEnabled(session is not None and session.history.can_undo)
        self.header.redo.setEnabled(session is not None and session.history.can_redo)
        for k in range(1, self.tabs.count()):
            self.tabs.setTabEnabled(k, study is not None)
        self._show_tree()
        self._show_slices()
        if session is not None and study is not None:
            self.suspicious.show_suspected(session.suspected, study.pairs_by_key)
        self.splitting.refresh()
        self.cropping.refresh()
        self._show_position()

    def _show_tree(self) -> None:
        session = self.curator.session
        self.pairs.tree.show_rows(session.rows(self.pairs.filter) if session is not None else ())
        self._show_report(self.pairs.tree.current_key)

    def _show_report(self, key: str | None) -> None:
        session = self.curator.session
        self.pairs.show_report(session.pair(key) if session is not None else None)

    def _show_slices(self) -> None:
        session, pair = self.curator.session, self.curator.pair
        if session is None or pair is None:
            self.slices.show_slices("", (), -1)
        else:
            self.slices.show_slices(pair_title(pair), slice_rows(pair, session.scores), self.curator.index)

    def _show_position(self) -> None:
        pair, index = self.curator.pair, self.curator.index
        self.slices.show_current(index if pair is not None else -1)
        self.slices.choose_reason(self.curator.reason)
        self.suspicious.show_current(pair.key if pair is not None else None, index)
        self._show_hint()

    def _show_hint(self) -> None:
        session = self.curator.session
        situation = Situation(
            has_study=session is not None,
            pair_count=len(session.pairs) if session is not None else 0,
            damaged=len(session.study.damaged) if session is not None else 0,
            shows_pair=self.curator.pair is not None,
            drawing=self.cropping.draft is not None,
            undecided=session.undecided if session is not None else 0,
        )
        self.header.hint.setText(situation.hint)

    def _pair_shown(self) -> None:
        pair = self.curator.pair
        if pair is None:
            self.keys.release()
        else:
            self.keys.bind([self.viewer, *self.curator.view.layers])
            self.pairs.tree.select(pair.key)
        self.refresh()
