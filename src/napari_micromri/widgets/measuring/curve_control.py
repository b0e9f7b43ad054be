"""What the tab "Plots" shows besides bars: profiles along a line, and the histogram of a region."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject

from napari_micromri.widgets.measuring.curves import histograms, profiles
from napari_micromri.widgets.measuring.form import PROFILE
from napari_micromri.widgets.measuring.line import LineLayer
from napari_micromri.widgets.shared.looking import Looking

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from napari_micromri.measure.comparison import ComparedImage
    from napari_micromri.measure.roi import Roi
    from napari_micromri.widgets.measuring.curves import Curves
    from napari_micromri.widgets.measuring.dock import MeasureWidget


class CurveControl(QObject):
    """Computes in a thread what is asked for; of requests that come meanwhile, only the last one counts."""

    def __init__(self, dock: MeasureWidget) -> None:
        super().__init__(dock)
        self._dock = dock
        self.line = LineLayer(dock.viewer, self)
        self.shown: Curves | None = None
        self._looking: Looking | None = None
        dock.form.draw_line.clicked.connect(self.draw_line)

    def draw_line(self) -> None:
        """Let the person draw the line of the profiles."""
        scan = self._dock.layers.finest()
        if scan is not None:
            self.line.draw(scan)

    def ask(self, images: Sequence[ComparedImage], rois: Sequence[Roi | None], at: Mapping[str, int]) -> None:
        """Show profiles of images, or the histogram of the selected region, else of the first."""
        self._stop()
        work = self._work(images, rois, at)
        if work is None:
            self._show(None)
            return
        self._looking = Looking(work, self)
        self._looking.seen.connect(self._show)
        self._looking.failed.connect(self._fail)
        self._looking.look()

    def shut_down(self) -> None:
        """Compute no more, and listen to the viewer no more."""
        self._stop()
        self.line.disconnect_viewer()

    def _stop(self) -> None:
        if self._looking is not None:
            self._looking.stop()
            self._looking.deleteLater()
            self._looking = None

    @property
    def _wants_profile(self) -> bool:
        return self._dock.form.quantity.currentText() == PROFILE

    def _work(
        self, images: Sequence[ComparedImage], rois: Sequence[Roi | None], at: Mapping[str, int]
    ) -> Callable[[], Curves] | None:
        if self._wants_profile:
            line = self.line.line
            return partial(profiles, images, line, at) if line is not None else None
        selected = [rois[k] for k in sorted(self._dock.rois.selection) if k < len(rois)]
        roi = next((one for one in (*selected, *rois) if one is not None), None)
        return partial(histograms, images, roi, at) if roi is not None else None

    def _show(self, curves: Curves | None) -> None:
        self.shown = curves
        form = self._dock.form
        if curves is None:
            form.bars.empty()
            wanted = form.draw_line if self._wants_profile else form.draw_roi
            form.curve_words.setText(f"Click {wanted.text()}, and drag on the image.")
        else:
            form.bars.show_lines(curves.curves, curves.left, curves.bottom)
            form.curve_words.setText(curves.words)

    def _fail(self, sentence: str) -> None:
        self._show(None)
        self._dock.form.curve_words.setText(sentence)
