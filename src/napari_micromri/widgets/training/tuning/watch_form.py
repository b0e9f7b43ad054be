"""The widgets that show a tuning; what they show is decided in `watch_page` and the modules without Qt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QLineEdit

from napari_micromri.widgets.shared.curves import SMALL, CurvePlot
from napari_micromri.widgets.shared.parts import button, column, row, text_line
from napari_micromri.widgets.training.fields import Choice
from napari_micromri.widgets.training.status_form import StatusForm
from napari_micromri.widgets.training.tuning.plots import ScatterPlot
from napari_micromri.widgets.training.tuning.trial_rows import FILTERS
from napari_micromri.widgets.training.tuning.trial_table import TrialTable

if TYPE_CHECKING:
    from napari_micromri.widgets.training.tuning.status import TuneStatus

USE_BEST = "Choose the best trial's model in the dock Denoise with UNet/APDDM."
PAUSE_MS = 60
"""Between the drawing of two plots."""


class WatchForm(StatusForm):
    """Holds the widgets: state and buttons stay in view, trials and plots scroll."""

    def __init__(self) -> None:
        super().__init__("How many of the trials are finished.")
        self._shown: TuneStatus | None = None
        self.best, self.workers, self.problem = text_line(), text_line(), text_line()
        self._make_buttons()
        self._make_trials()
        self._make_plots()
        self._ask = row(self.password, self.give_password, stretch=(1, 0))
        self._ask.hide()
        self._lay_out(
            self.problem,
            self._ask,
            present=(
                self.best,
                self.workers,
                row(*self.steering),
                row(self.use, self.retrain),
                row(self.folder, self.report),
            ),
            inside=(
                self.goal,
                self.history,
                row(self.filter, self.words),
                self.table,
                self.details,
                self.front,
                self.importance,
                self.against,
                self.slices,
            ),
        )

    def _make_buttons(self) -> None:
        self.pause = button("Pause", "Finish the running trials and begin no new ones.")
        self.stop = button(
            "Stop", "Stop the trials after their batch. They continue from there when you resume the tuning."
        )
        self.add = button("Add worker", "Start one more worker on this computer, for one more trial at a time.")
        self.steering = (self.pause, self.stop, self.add)
        self.use = button("Use best in Denoise", USE_BEST)
        self.retrain = button(
            "Retrain best…", "Fill in the tab Set up with the best trial's settings, to train it at full length."
        )
        self.folder = button("Folder", "Show the tuning's files.")
        self.report = button("Report", "Write the results as a page, report.html, and open it in the browser.")
        self.password = QLineEdit()
        self.password.setEchoMode(QLineEdit.EchoMode.Password)
        self.password.setPlaceholderText("Password of the database")
        self.password.setToolTip("Only kept in memory, for as long as napari is open.")
        self.give_password = button("Read", "Read the tuning with this password.")

    def _make_trials(self) -> None:
        self.goal = Choice("The goal that the plots show and that decides which trial is the best.")
        self.filter = Choice("Which trials to list.", tuple(FILTERS.values()))
        self.words = QLineEdit()
        self.words.setPlaceholderText("Filter, e.g. adam")
        self.words.setClearButtonEnabled(True)
        self.words.setToolTip("List only trials with these words among their figures and settings.")
        self.table = TrialTable()
        self.trial = text_line()
        self.curve = CurvePlot(
            "Loss",
            "Loss of the selected trial over its epochs; dashed: the input.",
            height=SMALL,
            named=True,
        )
        self.use_trial = button("Use in Denoise", "Choose this trial's model in the dock Denoise with UNet/APDDM.")
        self.retrain_trial = button("Retrain…", "Fill in the tab Set up with this trial's settings.")
        self.open_trial = button("Open run", "Show this trial in the tab Run.")
        self.details = column(self.trial, self.curve, row(self.use_trial, self.retrain_trial, self.open_trial))

    def _make_plots(self) -> None:
        self.history = ScatterPlot(
            "",
            "Each trial in its order. ★ best, ● suggested (○ drawn at random, ◆ given, ▲ far off), × pruned, blue: "
            "running; the line is the best so far, the dashed one the input itself. Click a trial to select it.",
            whole=True,
            after_ms=PAUSE_MS,
        )
        self.front = ScatterPlot(
            "Goals against each other",
            "★ trials that no other trial beats in all goals. A click chooses a trial.",
            after_ms=2 * PAUSE_MS,
        )
        self.importance = text_line()
        self.importance.setToolTip(
            "How much each setting decides whether a trial is among the best (Optuna's PED-ANOVA)."
        )
        self.against = Choice("Which setting to plot the trials over.")
        self.slices = ScatterPlot("", "Each trial over one setting. Click a trial to select it.", after_ms=3 * PAUSE_MS)

    @property
    def plots(self) -> tuple[CurvePlot | ScatterPlot, ...]:
        """All plots."""
        return self.curve, self.history, self.front, self.slices

    def forget_status(self) -> None:
        """Show the next status, even if it is the same as the last one."""
        self._shown = None

    def show_problem(self, sentence: str, *, ask_password: bool = False) -> None:
        """Say what is wrong, until the tuning can be read again."""
        self._shown = None
        self.problem.setText(sentence)
        self.problem.setVisible(bool(sentence))
        self._ask.setVisible(ask_password)

    def show_status(self, status: TuneStatus | None) -> None:
        """Show the state of the tuning."""
        if status is not None and self._shown == status:
            return
        self._shown = status
        self._present.setVisible(status is not None)
        self._scroll.setVisible(status is not None)
        if status is None:
            return
        self.show_problem("")
        self._shown = status
        self._show_state(status.title, status.colour)
        self.sentence.setText(status.sentence)
        self.workers.setText(status.workers)
        self.workers.setVisible(bool(status.workers))
        self.whole.setValue(status.part)
        self.pause.setText("Resume" if status.can_resume else "Pause")
        self.pause.setEnabled(status.can_pause or status.can_resume)
        self.stop.setText("End at once" if status.can_kill else "Stop")
        self.stop.setEnabled(status.can_stop or status.can_kill)
        self.add.setEnabled(status.can_add)
