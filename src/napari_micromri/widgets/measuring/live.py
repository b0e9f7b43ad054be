"""Keeps the figures up to date: at once where little changed, in a thread where much is to be read or measured."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_micromri.errors import MicroMRIError
from napari_micromri.measure.comparison import compare
from napari_micromri.measure.measurer import Measurer
from napari_micromri.measure.roi import slices_of
from napari_micromri.widgets.background import BackgroundJob
from napari_micromri.words import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_micromri.measure.comparison import ComparedImage, Comparison, Settings
    from napari_micromri.measure.roi import Roi
    from napari_micromri.progress import Progress, ShouldStop

    Request = tuple[Sequence[ComparedImage], Sequence[Roi], Settings]

MANY = 300
"""New measurements that take longer than a window should wait."""


class LiveComparison(QObject):
    """Measures what it is asked to; of requests that come while it works, only the last one counts."""

    found = Signal(object)
    failed = Signal(str)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._measurer = Measurer()
        self._seen: set[Roi] = set()
        self._job: BackgroundJob | None = None
        self._next: Request | None = None

    @property
    def busy(self) -> bool:
        """A thread measures."""
        return self._job is not None

    def forget(self) -> None:
        """Take note that pixels changed."""
        # A running job continues with what it has; the measurer that it holds isn't used again.
        self._measurer = Measurer()
        self._seen = set()

    def stop(self) -> None:
        """Stop what is measured."""
        self._next = None
        if self._job is not None:
            self._job.stop()

    def ask(self, images: Sequence[ComparedImage], rois: Sequence[Roi], settings: Settings) -> None:
        """Measure; ``found`` or ``failed`` is sent when it is done."""
        if self._job is not None:
            self._next = (images, rois, settings)
        elif self._is_much(images, rois, settings):
            self._in_thread(images, rois, settings)
        else:
            try:
                found = compare(images, rois, settings, measurer=self._measurer)
            except MicroMRIError as error:
                self.failed.emit(str(error))
            else:
                self._done(set(rois), found)

    def _done(self, seen: set[Roi], found: Comparison) -> None:
        self._seen = seen
        if self._next is None:
            self.found.emit(found)

    def _is_much(self, images: Sequence[ComparedImage], rois: Sequence[Roi], settings: Settings) -> bool:
        new = [roi for roi in rois if roi not in self._seen]
        if len(new) * len(images) > MANY:
            return True
        lazy = [image for image in images if not isinstance(image.scan.data, np.ndarray)]
        return any(
            not self._measurer.knows_plane(image.scan, roi.axes, index, settings.at)
            for image in lazy
            for roi in rois
            for index in slices_of(roi, image.scan)
        )

    def _in_thread(self, images: Sequence[ComparedImage], rois: Sequence[Roi], settings: Settings) -> None:
        measurer = self._measurer

        def work(progress: Progress, should_stop: ShouldStop) -> Comparison:
            return compare(images, rois, settings, measurer=measurer, progress=progress, should_stop=should_stop)

        self._job = job = BackgroundJob(work, f"Measuring {counted(len(rois), 'ROI')}", self)
        job.succeeded.connect(partial(self._done, set(rois)))
        job.failed.connect(self.failed)
        job.ended.connect(self._ended)
        job.start()

    def _ended(self) -> None:
        self._job = None
        request, self._next = self._next, None
        if request is not None:
            self.ask(*request)
