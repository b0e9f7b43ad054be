"""The tab "Run": watch a training, stop it, resume it, use its model."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from napari.utils.notifications import show_error
from qtpy.QtCore import QUrl, Signal  # type: ignore[attr-defined,unused-ignore]
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QVBoxLayout, QWidget
from superqt.utils import signals_blocked

from napari_micromri.widgets.shared.looking import Looking
from napari_micromri.widgets.training.curve_lines import loss_lines, quality_lines, rate_lines
from napari_micromri.widgets.training.remembered import remember_run, remembered_runs
from napari_micromri.widgets.training.run_form import RunForm
from napari_micromri.widgets.training.run_model import choice_label, describe_run
from napari_micromri.widgets.training.slice_view import SliceView
from napari_micromri.widgets.training.watching import RunLook, read_runs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari.components import ViewerModel

    from napari_micromri.plugin.run_layers import RunSlice
    from napari_micromri.training.run import Run
    from napari_micromri.widgets.training.run_model import RunStatus
    from napari_micromri.widgets.training.watching import WatchedRun

LOOK_AGAIN_MS = 500


class RunTab(QWidget):
    """Shows one run at a time; ``used`` is sent with the file of the model that is to be used."""

    used = Signal(object)
    listed = Signal(object)

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self.form = RunForm()
        self.view = SliceView(viewer, self)
        self.run: Run | None = None
        self.path: Path | None = None
        self._runs: list[Path] = []
        self._looking: Looking | None = None
        self._doing: Looking | None = None
        self._listing: Looking | None = None
        self._status: RunStatus | None = None
        self._epochs: list[int] = []
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.form)
        self._connect()
        self.form.show_status(None)
        self._list(remembered_runs())

    def _connect(self) -> None:
        form = self.form
        form.runs.activated.connect(self._run_chosen)
        form.open.clicked.connect(self._ask_run)
        form.stop.clicked.connect(self.stop)
        form.resume.clicked.connect(self.resume)
        form.folder.clicked.connect(self._open_folder)
        form.use.clicked.connect(self._use)
        form.show_slice.toggled.connect(self._slice_toggled)
        form.side_by_side.toggled.connect(self._arrange)
        form.history.valueChanged.connect(self._scrub)
        self.view.shown.connect(self._slice_shown)
        self.view.closed.connect(partial(form.show_slice.setChecked, False))
        self.view.failed.connect(show_error)

    def shut_down(self) -> None:
        """Look no more and leave the viewer alone; the training continues."""
        for looking in (self._looking, self._doing, self._listing):
            if looking is not None:
                looking.stop()
        for plot in self.form.plots:
            plot.stop()
        self.view.disconnect_viewer()

    # Which run

    def open_run(self, path: Path, *, with_slice: bool = True) -> None:
        """Show a run, and its validation slice in the viewer if wanted."""
        self._forget()
        self.path = path
        self._list(remember_run(path))
        self._looking = Looking(RunLook(path), self, every_ms=LOOK_AGAIN_MS)
        self._looking.seen.connect(self._take)
        self._looking.failed.connect(self._take_problem)
        self._looking.look()
        self.form.show_slice.setChecked(with_slice)

    def _forget(self) -> None:
        if self._looking is not None:
            self._looking.stop()
            self._looking.deleteLater()
            self._looking = None
        self.run, self._status, self._epochs = None, None, []
        self.form.history.setRange(0, 0)  # at its right end, which follows
        self.form.show_status(None, "Looking at the run…")

    def _list(self, paths: list[Path]) -> None:
        """List runs by their names; their states are looked up in a thread."""
        if paths != self._runs:
            self._runs = paths
            self._fill([path.name for path in paths])
        self.look_up_states()

    def look_up_states(self) -> None:
        """Read the states of the listed runs again."""
        if self._listing is not None:
            self._listing.stop()
            self._listing.deleteLater()
        self._listing = Looking(partial(read_runs, tuple(self._runs)), self)
        self._listing.seen.connect(self._show_states)
        self._listing.look()

    def _show_states(self, found: dict[Path, Run]) -> None:
        self._fill([choice_label(found[path]) if path in found else f"{path.name} (gone)" for path in self._runs])
        self.listed.emit([found[path] for path in self._runs if path in found])

    def _fill(self, labels: list[str]) -> None:
        box = self.form.runs
        with signals_blocked(box):
            box.clear()
            box.addItems(labels)
            for number, path in enumerate(self._runs):
                box.setItemData(number, str(path), 3)  # Qt.ItemDataRole.ToolTipRole
            box.setCurrentIndex(self._runs.index(self.path) if self.path in self._runs else -1)

    def _run_chosen(self, index: int) -> None:
        self.open_run(self._runs[index])

    def _ask_run(self) -> None:
        if (path := self.form.ask_run()) is not None:
            self.open_run(path)

    # How it stands

    def _take(self, snapshot: WatchedRun) -> None:
        before, run = self.run, snapshot.run
        self.run = run
        self._status = describe_run(snapshot)
        self.form.show_status(self._status)
        if before is None or before.epochs != run.epochs:
            self.form.loss.show_lines(loss_lines(run))
            self.form.rate.show_lines(rate_lines(run))
            self.form.quality.show_lines(quality_lines(run), logarithmic=False)
        if not run.images and not run.live:
            self.view.close()  # what another run has left there
        self._show_history()
        if before is None or before.state != run.state:
            self.look_up_states()

    def _take_problem(self, sentence: str) -> None:
        if self.run is None:
            self.form.show_status(None, sentence)
        else:  # it was there a moment ago: perhaps its disk comes back
            self.form.show_problem(sentence)

    # The validation slice

    def _slice_toggled(self, wanted: bool) -> None:
        if wanted:
            self._arrange()
            self._show_history()
        else:
            self.view.close()

    def _arrange(self) -> None:
        self.view.side_by_side(self.form.show_slice.isChecked() and self.form.side_by_side.isChecked())

    def _show_history(self) -> None:
        run, slider = self.run, self.form.history
        epochs = sorted(run.images) if run is not None else []
        shown = self.form.show_slice.isChecked() and bool(epochs)
        for widget in (slider, self.form.history_label):
            widget.setVisible(shown)
        follows = slider.value() == slider.maximum()
        if epochs != self._epochs:
            self._epochs = epochs
            with signals_blocked(slider):
                slider.setRange(0, max(0, len(epochs) - 1))
                if follows:
                    slider.setValue(slider.maximum())
        if shown:
            self._scrub(slider.value())

    def _scrub(self, number: int) -> None:
        if self.run is None or not self._epochs or not self.form.show_slice.isChecked():
            return
        epoch = self._epochs[min(number, len(self._epochs) - 1)]
        self.form.history_label.setText(f"Epoch {epoch}")
        self.view.show(self.run.path, epoch, self.run.images[epoch])

    def _slice_shown(self, shown: RunSlice) -> None:
        self.form.show_slice.setToolTip(f"{shown.title}: layers LR, DL and HR; DL follows the network as it learns.")
        self._arrange()

    # What can be done

    def stop(self) -> None:
        """Ask the run to stop; one that was asked already is ended at once."""
        from napari_micromri.training.process import stop_run

        if self.path is not None and self._status is not None:
            self._do(partial(stop_run, self.path, kill=self._status.can_kill))

    def resume(self) -> None:
        """Resume the run in the background."""
        from napari_micromri.training.process import resume_run

        if self.path is not None:
            self._do(partial(resume_run, self.path))

    def _do(self, work: Callable[[], object]) -> None:
        """Do something to the run in a thread, and look at what became of it."""
        if self._doing is not None:
            if self._doing.busy:
                return
            self._doing.deleteLater()
        self._doing = Looking(work, self)
        self._doing.failed.connect(show_error)
        self._doing.seen.connect(self._look_now)
        self._doing.look()
        self.form.wait_for_answer()

    def _look_now(self) -> None:
        if self._looking is not None:
            self._looking.look()

    def _open_folder(self) -> None:
        if self.path is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self.path)))

    def _use(self) -> None:
        if self.run is not None and self.run.model is not None:
            self.used.emit(self.run.model)
