"""Which study to train on, and what it holds."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Qt, Signal
from superqt.utils import signals_blocked

from napari_micromri.widgets.shared.looking import Looking
from napari_micromri.widgets.shared.recent import recent
from napari_micromri.widgets.training.remembered import remembered_study
from napari_micromri.widgets.training.setup_model import look_at_study

if TYPE_CHECKING:
    from pathlib import Path

    from napari_micromri.widgets.training.setup_model import StudySummary
    from napari_micromri.widgets.training.start_form import StudyChoice

LOOK_AGAIN_MS = 2000


class StudyChooser(QObject):
    """Lists studies, and looks again and again at the chosen one, which may be curated meanwhile.

    ``chosen`` is sent when it is another one, ``changed`` when something new is known of it.
    """

    chosen = Signal()
    changed = Signal()

    def __init__(self, box: StudyChoice) -> None:
        super().__init__(box)
        self.paths: list[Path] = []
        self.summary: StudySummary | None = None
        self.problem: str | None = None
        self._box = box
        self._looking: Looking | None = None
        box.opening.connect(self.refresh)
        box.currentIndexChanged.connect(self._take_choice)

    @property
    def current(self) -> Path | None:
        """The chosen study."""
        index = self._box.currentIndex()
        return self.paths[index] if 0 <= index < len(self.paths) else None

    def refresh(self) -> None:
        """Offer the study that is open in the Study dock, and the one that was trained on last."""
        known = [path for path in (recent(), remembered_study()) if path is not None and path.is_dir()]
        self._list([*self.paths, *known], self.current or next(iter(known), None))

    def use(self, path: Path) -> None:
        """Choose a study."""
        self._list([path, *self.paths], path)

    def stop(self) -> None:
        """Look no more."""
        if self._looking is not None:
            self._looking.stop()
            self._looking.deleteLater()
            self._looking = None

    def _list(self, paths: list[Path], wanted: Path | None) -> None:
        before, box = self.current, self._box
        self.paths = list(dict.fromkeys(paths))
        with signals_blocked(box):
            box.clear()
            for number, path in enumerate(self.paths):
                box.addItem(path.name.removesuffix(".mri.zarr"))
                box.setItemData(number, str(path), Qt.ItemDataRole.ToolTipRole)
            box.setCurrentIndex(self.paths.index(wanted) if wanted is not None else -1)
        if wanted != before:
            self._take_choice()

    def _take_choice(self) -> None:
        self.stop()
        self.summary, self.problem = None, None
        path = self.current
        if path is not None:
            self._box.setToolTip(str(path))
            self._looking = Looking(partial(look_at_study, path), self, every_ms=LOOK_AGAIN_MS)
            self._looking.seen.connect(self._take_summary)
            self._looking.failed.connect(self._take_problem)
            self._looking.look()
        self.chosen.emit()

    def _take_summary(self, summary: StudySummary) -> None:
        if summary != self.summary or self.problem is not None:
            self.summary, self.problem = summary, None
            self.changed.emit()

    def _take_problem(self, sentence: str) -> None:
        if sentence != self.problem:
            self.summary, self.problem = None, sentence
            self.changed.emit()
