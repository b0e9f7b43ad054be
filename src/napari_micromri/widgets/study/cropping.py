"""What the tab "Crop" does: draw with the mouse, suggest in a thread, for one pair or all that show the same."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from napari_micromri.errors import StudyError
from napari_micromri.plugin.study_layers import corners_box
from napari_micromri.widgets.background import BackgroundJob
from napari_micromri.words import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from napari_micromri.progress import Progress, ShouldStop
    from napari_micromri.study.cropping import Box
    from napari_micromri.study.model import Crop, Pair
    from napari_micromri.study.store import Study
    from napari_micromri.widgets.study.crop_tab import CropTab
    from napari_micromri.widgets.study.curator import Curator


class CropControl(QObject):
    """Connects the tab with the curator.

    ``draft`` is the crop that is being drawn; ``drawing`` is sent when that begins and ends.
    """

    drawing = Signal()

    def __init__(self, tab: CropTab, curator: Curator) -> None:
        super().__init__(tab)
        self.tab, self.curator = tab, curator
        self.draft: Crop | None = None
        self._job: BackgroundJob | None = None
        tab.draw.clicked.connect(self.draw)
        tab.use.clicked.connect(self.use)
        tab.cancel.clicked.connect(self.cancel)
        tab.suggest.clicked.connect(self.suggest)
        tab.remove.clicked.connect(self.remove)
        curator.view.drawn.connect(self._drawn)
        curator.shown.connect(self._forget_draft)
        curator.changed.connect(self.refresh)

    def refresh(self) -> None:
        """Say what the crop is."""
        pair = self.curator.pair
        if pair is not None and self.draft is not None:
            self.curator.view.show_crop(self.draft)
        self.tab.show_crop(pair, len(self._keys(alike=True)), self.draft, self._job is not None)

    def draw(self) -> None:
        """Show a rectangle that can be dragged: the crop, or a frame inside the image."""
        from napari_micromri.study.cropping import snap

        if (pair := self.curator.pair) is None:
            return
        try:
            self.draft = pair.marks.crop or snap(pair, _inside(pair))
        except StudyError as error:
            self.curator.said.emit(str(error))
            return
        self.refresh()
        self.curator.view.edit_crop(True)
        self.drawing.emit()

    def cancel(self) -> None:
        """Discard the rectangle."""
        self.curator.view.edit_crop(False)
        self._forget_draft()
        self.curator.show_marks()

    def use(self) -> None:
        """Keep the rectangle, for all pairs of the region and plane where that was chosen."""
        from napari_micromri.study.cropping import crop_in_mm

        pair, draft = self.curator.pair, self.draft
        self.curator.view.edit_crop(False)
        self.draft = None
        self.drawing.emit()
        if pair is None or draft is None:
            return
        if self.tab.for_all:
            crops, problems = crops_on(self._pairs(), crop_in_mm(pair, draft))
        else:
            crops, problems = {pair.key: draft}, []
        self.curator.crop(crops)
        if problems:
            self.curator.said.emit(f"{counted(len(problems), 'pair')} left unchanged: {problems[0]}")

    def remove(self) -> None:
        """Remove the crop."""
        self.curator.crop(dict.fromkeys(self._keys(alike=self.tab.for_all)))

    def suggest(self) -> None:
        """Find the animal in each of the pairs, in a thread."""
        session = self.curator.session
        if session is None or self._job is not None or not (pairs := self._pairs()):
            return
        self._job = job = BackgroundJob(partial(suggest_crops, session.study, pairs), "Find the animal", self)
        job.progressed.connect(self._progressed)
        job.succeeded.connect(self._found)
        job.failed.connect(self.curator.said)
        job.ended.connect(self._suggested)
        self.curator.said.emit("Looking for the animal…")
        self.refresh()
        job.start()

    def stop(self) -> None:
        """Stop looking for the animal."""
        if self._job is not None:
            self._job.stop()

    def _progressed(self, done: int, total: int) -> None:
        self.curator.said.emit(f"Looking for the animal: {done} of {total}")

    def _found(self, crops: dict[str, Crop | None]) -> None:
        cropped = {key: crop for key, crop in crops.items() if crop is not None}
        if cropped:
            self.curator.crop(cropped)
        else:
            self.curator.said.emit("There is no background to leave out: the animal fills the image.")

    def _suggested(self) -> None:
        self._job = None
        self.refresh()

    def _drawn(self, corners: NDArray[np.floating]) -> None:
        from napari_micromri.study.cropping import snap

        pair = self.curator.pair
        if pair is None:
            return
        if self.draft is None:  # dragged without Draw crop: the outline goes back to where the crop is
            self.curator.show_marks()
            return
        try:
            self.draft = snap(pair, corners_box(corners))
        except StudyError as error:
            self.curator.said.emit(str(error))
        self.refresh()

    def _forget_draft(self) -> None:
        self.draft = None
        self.refresh()
        self.drawing.emit()

    def _keys(self, *, alike: bool) -> tuple[str, ...]:
        session, pair = self.curator.session, self.curator.pair
        if session is None or pair is None:
            return ()
        return session.alike(pair.key) if alike else (pair.key,)

    def _pairs(self) -> list[Pair]:
        session = self.curator.session
        if session is None:
            return []
        return [session.study.pairs_by_key[key] for key in self._keys(alike=self.tab.for_all)]


def crops_on(pairs: Sequence[Pair], box: Box) -> tuple[dict[str, Crop | None], list[str]]:
    """Bring a box in mm onto every pair; where that can't be, the sentence that says why."""
    from napari_micromri.study.cropping import snap

    crops: dict[str, Crop | None] = {}
    problems = []
    for pair in pairs:
        try:
            crops[pair.key] = snap(pair, box)
        except StudyError as error:
            problems.append(str(error))
    return crops, problems


def suggest_crops(
    study: Study, pairs: Sequence[Pair], progress: Progress, should_stop: ShouldStop
) -> dict[str, Crop | None]:
    """Find the animal in each pair; made for a thread.

    Raises
    ------
    CancelledError
        The person asked to stop.
    """
    from napari_micromri.errors import CancelledError
    from napari_micromri.study.cropping import suggest_crop, whole

    crops: dict[str, Crop | None] = {}
    for done, pair in enumerate(pairs):
        if should_stop():
            raise CancelledError("The search for the animal was stopped.")
        progress(done, len(pairs))
        found = suggest_crop(pair, study.scans(pair.key)[1].data)
        crops[pair.key] = None if found == whole(pair) else found
    return crops


def _inside(pair: Pair) -> Crop:
    """Begin with a frame at an eighth of the image from its edges."""
    from napari_micromri.study.model import Crop

    _, rows, columns = pair.hr.shape
    return Crop(rows // 8, rows - rows // 8, columns // 8, columns - columns // 8)
