"""What the tab "Split" does: presets and single subjects, each one undoable step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.utils.notifications import show_warning
from qtpy.QtCore import QObject

from napari_micromri.errors import StudyError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from napari_micromri.study.model import Set
    from napari_micromri.widgets.study.curator import Curator
    from napari_micromri.widgets.study.split_tab import SplitTab


class SplitControl(QObject):
    """Connects the tab with the curator."""

    def __init__(self, tab: SplitTab, curator: Curator) -> None:
        super().__init__(tab)
        self.tab, self.curator = tab, curator
        tab.assigned.connect(curator.assign_one)
        tab.preset.clicked.connect(self.as_in_the_report)
        tab.random.clicked.connect(self.at_random)

    def refresh(self) -> None:
        """Show the split as it is now."""
        session = self.curator.session
        if session is None:
            self.tab.show_split({}, "")
        else:
            study = session.study
            self.tab.show_split({subject: study.set_of(subject) for subject in study.subjects}, session.summary)

    def as_in_the_report(self) -> None:
        """Split by the numbers of the subjects."""
        from napari_micromri.study.splitting import preset_report

        self._assign(preset_report)

    def at_random(self) -> None:
        """Draw subjects for validation and test."""
        from napari_micromri.study.splitting import random_split

        shares = self.tab.validation.value() / 100, self.tab.test.value() / 100
        seed = self.tab.seed.value()
        self._assign(lambda subjects: random_split(subjects, validation=shares[0], test=shares[1], seed=seed))

    def _assign(self, choose: Callable[[list[str]], Mapping[str, Set]]) -> None:
        session = self.curator.session
        if session is None:
            return
        try:
            wanted = choose(list(session.study.subjects))
        except StudyError as error:
            self.curator.said.emit(str(error))
            show_warning(str(error))
            return
        self.curator.assign(wanted)
