"""The tab "Run": watch a training, stop it, resume it, use its model."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from napari.utils.notifications import show_error
from qtpy.QtCore import Signal
from superqt.utils import signals_blocked

from napari_micromri.widgets.training.curve_lines import loss_lines, quality_lines, rate_lines
from napari_micromri.widgets.training.following import FolderList, Follower
from napari_micromri.widgets.training.remembered import remember_run, remembered_runs
from napari_micromri.widgets.training.run_form import RunForm
from napari_micromri.widgets.training.run_model import choice_label, describe_run
from napari_micromri.widgets.training.slice_view import SliceView
from napari_micromri.widgets.training.watching import RunLook, read_runs

if TYPE_CHECKING:
    from pathlib import Path

    from napari.components import ViewerModel

    from napari_micromri.plugin.run_layers import RunSlice
    from napari_micromri.training.run import Run
    from napari_micromri.widgets.training.run_model import RunStatus
    from napari_micromri.widgets.training.watching import WatchedRun

LOOK_AGAIN_MS = 500


class RunTab(Follower):
    """Shows one run at a time; ``used`` is sent with the file of the model that is to be used."""

    form: RunForm
    used = Signal(object)
    listed = Signal(object)

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__(RunForm(), every_ms=LOOK_AGAIN_MS)
        self.view = SliceView(viewer, self)
        self.run: Run | None = None
        self._status: RunStatus | None = None
        self._epochs: list[int] = []
        self.runs = FolderList(self.form.runs, read_runs, _label)
        self._connect()
        self.form.show_status(None)
        self.runs.show(remembered_runs())

    def _connect(self) -> None:
        form = self.form
        self.runs.chosen.connect(self.open_run)
        self.runs.found.connect(self._tell_list)
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
        super().shut_down()
        self.runs.stop()
        for plot in self.form.plots:
            plot.stop()
        self.view.disconnect_viewer()

    # Which run

    def open_run(self, path: Path, *, with_slice: bool = True) -> None:
        """Show a run, and its validation slice in the viewer if wanted."""
        self._forget()
        self.path = path
        self.runs.show(remember_run(path), path)
        self._looking.begin(RunLook(path))
        self.form.show_slice.setChecked(with_slice)

    def _forget(self) -> None:
        self.run, self._status, self._epochs = None, None, []
        self.form.history.setRange(0, 0)  # at its right end, which follows
        self.form.show_status(None, "Looking at the run…")

    def _tell_list(self, found: dict[Path, Run]) -> None:
        self.listed.emit([found[path] for path in self.runs.paths if path in found])

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
        if before is None or before.state != run.state or self._lost:
            self._lost = False
            self.runs.look_up()

    def _take_problem(self, sentence: str) -> None:
        if self.run is None:
            self.form.show_status(None, sentence)
        else:  # it was there a moment ago: perhaps its disk comes back
            self.form.show_problem(sentence)
        if not self._lost:
            self._lost = True
            self.runs.look_up()

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

    def _use(self) -> None:
        if self.run is not None and self.run.model is not None:
            self.used.emit(self.run.model)


def _label(path: Path, run: Run | None) -> str:
    return choice_label(run) if run is not None else f"{path.name} (gone)"
