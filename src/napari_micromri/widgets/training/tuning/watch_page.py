"""Watch a tuning, steer its workers, take its best trial."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from napari.utils.notifications import show_error
from qtpy.QtCore import QTimer, Signal

from napari_micromri.errors import WriteError
from napari_micromri.tuning import process
from napari_micromri.tuning.folder import TuneFolder
from napari_micromri.widgets.shared.looking import Looking
from napari_micromri.widgets.training.following import Follower, show_file
from napari_micromri.widgets.training.remembered import remembered_workers
from napari_micromri.widgets.training.tuning.looks import TuneWatch, has_storage, model_of
from napari_micromri.widgets.training.tuning.new_model import with_password
from napari_micromri.widgets.training.tuning.retraining import retraining
from napari_micromri.widgets.training.tuning.status import best_row, best_sentence, loss_sentence
from napari_micromri.widgets.training.tuning.trial_details import TrialDetails
from napari_micromri.widgets.training.tuning.trial_rows import FILTERS
from napari_micromri.widgets.training.tuning.watch_form import PAUSE_MS, USE_BEST, WatchForm
from napari_micromri.widgets.training.tuning.watch_plots import WatchPlots

if TYPE_CHECKING:
    from pathlib import Path

    from napari_micromri.tuning.state import TrialRow, TuneState
    from napari_micromri.widgets.training.tuning.looks import TuneLook
    from napari_micromri.widgets.training.tuning.trial_rows import Wanted

LOOK_AGAIN_MS = 1000
REPORT = "report.html"


class WatchPage(Follower):
    """Shows one tuning at a time.

    ``used`` is sent with the file of the model that is to be used, ``retrained`` with a `Retraining`, ``opened`` with
    the run of a trial that is to be shown, ``changed`` when workers came or went.
    """

    form: WatchForm
    used = Signal(object)
    retrained = Signal(object)
    opened = Signal(object)
    changed = Signal()

    def __init__(self) -> None:
        super().__init__(WatchForm(), every_ms=LOOK_AGAIN_MS)
        self.look: TuneLook | None = None
        self.details = TrialDetails(self.form)
        self.plots = WatchPlots(self.form)
        self._chosen: int | None = None
        self._reporting = Looking(None, self)
        self._reporting.failed.connect(show_error)
        self._reporting.seen.connect(show_file)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(PAUSE_MS)
        self._soon.timeout.connect(self._show_rest)
        self._connect()
        self.form.show_status(None)

    def _connect(self) -> None:
        form = self.form
        form.pause.clicked.connect(self.pause_or_resume)
        form.stop.clicked.connect(self.stop)
        form.add.clicked.connect(self.add_worker)
        form.use.clicked.connect(lambda: self._use(self.best))
        form.retrain.clicked.connect(lambda: self._retrain(self.best))
        form.folder.clicked.connect(self._open_folder)
        form.report.clicked.connect(self._open_report)
        form.password.returnPressed.connect(self._take_password)
        form.give_password.clicked.connect(self._take_password)
        form.filter.currentIndexChanged.connect(self._filter)
        form.words.textChanged.connect(self._filter)
        form.goal.currentIndexChanged.connect(self._show_best)
        form.table.chosen.connect(self._choose)
        for plot in (form.history, form.front, form.slices):
            plot.clicked.connect(form.table.select)
        form.use_trial.clicked.connect(lambda: self._use(self.details.row))
        form.retrain_trial.clicked.connect(lambda: self._retrain(self.details.row))
        form.open_trial.clicked.connect(self._open_trial)

    @property
    def best(self) -> TrialRow | None:
        """The best trial, by the goal that is looked at."""
        return best_row(self.look.state, self.plots.objective) if self.look is not None else None

    def open(self, path: Path) -> None:
        """Show a tuning."""
        self._forget()
        self.path = path
        self._looking.begin(TuneWatch(path))
        self.form.show_problem("Looking at the tuning…")

    def shut_down(self) -> None:
        """Look no more; the workers continue."""
        super().shut_down()
        self._reporting.stop()
        self._forget()

    def _forget(self) -> None:
        self._looking.stop()
        self._soon.stop()
        self.details.show(None, None)
        self.plots.forget()
        self.path, self.look, self._chosen = None, None, None
        self.form.table.clearSelection()
        self.form.show_status(None)

    # Showing

    def _take(self, look: TuneLook) -> None:
        before, self.look = self.look, look
        self.form.show_status(look.status)
        self.form.table.show_table(look.table)
        self._show_best()
        self._soon.start()
        if before is None or before.status.live != look.status.live or self._lost:
            self._lost = False
            self.changed.emit()

    def _show_rest(self) -> None:
        """Show what takes a while a moment later, so that the window isn't held for all of it at once."""
        if self.look is not None:
            self.details.show(self.look.state, self._row(self._chosen))
            self.plots.show(self.look, self._chosen)

    def _take_problem(self, sentence: str) -> None:
        self.form.show_problem(sentence, ask_password=self.path is not None and has_storage(self.path))
        if not self._lost:
            self._lost = True
            self.changed.emit()

    def _show_best(self) -> None:
        form, best = self.form, self.best
        lost = loss_sentence(self.look.state, best) if self.look is not None and best is not None else ""
        found = best is not None and self.look is not None and best.number in self.look.models and not lost
        text = best_sentence(self.look.state, self.plots.objective) if self.look is not None and best else ""
        form.best.setText(text)
        form.best.setVisible(bool(text))
        form.use.setEnabled(found)
        form.use.setToolTip(f"{lost} Choose a trial in the table to use it all the same." if lost else USE_BEST)
        form.retrain.setEnabled(best is not None)

    def _row(self, number: int | None) -> TrialRow | None:
        trials = self.look.state.trials if self.look is not None else ()
        return trials[number] if number is not None and number < len(trials) else None

    def _choose(self, number: int | None) -> None:
        self._chosen = number
        self._show_rest()

    def _filter(self) -> None:
        wanted: Wanted = list(FILTERS)[max(0, self.form.filter.currentIndex())]
        self.form.table.choose(wanted, self.form.words.text())

    # Steering

    def pause_or_resume(self) -> None:
        """Pause the workers, or let the tuning continue, with as many workers as were started last if none is there."""
        if self.path is None or self.look is None:
            return
        if self.look.status.can_pause:
            self._do(partial(process.pause_tuning, self.path))
        elif self.look.status.can_resume:
            self._do(
                partial(process.resume_tuning, self.path, workers=0 if self.look.status.live else remembered_workers())
            )

    def stop(self) -> None:
        """Ask the workers to end; those that were asked already are ended at once."""
        if self.path is not None and self.look is not None:
            self._do(partial(process.stop_tuning, self.path, kill=self.look.status.can_kill))

    def add_worker(self) -> None:
        """Start one worker more."""
        if self.path is not None:
            self._do(partial(process.start_workers, self.path))

    def _take_password(self) -> None:
        if self.path is not None:
            self._do(partial(_give_password, self.path, self.form.password.text()))
            self.form.password.clear()

    # Using

    def _use(self, row: TrialRow | None) -> None:
        model = model_of(row) if row is not None else None
        if model is not None:
            self.used.emit(model)
        elif row is not None:
            show_error(f"The model of trial {row.number} is no longer in the tuning's folder.")

    def _retrain(self, row: TrialRow | None) -> None:
        if row is not None and self.look is not None and (wanted := retraining(self.look.state, row)) is not None:
            self.retrained.emit(wanted)

    def _open_trial(self) -> None:
        if self.details.row is not None and self.details.row.run is not None:
            self.opened.emit(self.details.row.run)

    def _open_report(self) -> None:
        if self.path is not None and self.look is not None and not self._reporting.busy:
            self._reporting.begin(partial(_write_report, self.path / REPORT, self.look.state))


def _write_report(page: Path, state: TuneState) -> Path:
    """Write the report, over the one that is there; gives the page."""
    from napari_micromri.tuning.report.page import write_page

    if not page.parent.is_dir():
        raise WriteError(f"{page.parent} does not exist any more. Check that the disk is connected.")
    write_page(page, state, overwrite=True)
    return page


def _give_password(path: Path, password: str) -> None:
    """Keep the password of a tuning's storage in this process and those that it starts, and in no file."""
    from napari_micromri.tuning import address

    if (url := TuneFolder(path).read().storage) is not None:
        address.remember(with_password(url, password))
