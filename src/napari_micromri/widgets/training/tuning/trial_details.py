"""The trial that is chosen: how it went, and its own curves as its run directory has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject

from napari_micromri.curves import Line
from napari_micromri.tuning.objectives import OBJECTIVES, at_length
from napari_micromri.tuning.words import setting
from napari_micromri.widgets.shared.looking import Looking
from napari_micromri.widgets.training.curve_lines import VALIDATION, loss_lines
from napari_micromri.widgets.training.tuning.looks import model_of
from napari_micromri.widgets.training.tuning.status import trial_sentence
from napari_micromri.widgets.training.tuning.words import setting_label
from napari_micromri.widgets.training.watching import RunLook

if TYPE_CHECKING:
    from pathlib import Path

    from napari_micromri.tuning.state import TrialRow, TuneState
    from napari_micromri.widgets.training.tuning.watch_form import WatchForm
    from napari_micromri.widgets.training.watching import WatchedRun

LOOK_AGAIN_MS = 1000


class TrialDetails(QObject):
    """Shows one trial at a time, and follows its run while it lasts."""

    def __init__(self, form: WatchForm) -> None:
        super().__init__(form)
        self._form = form
        self._looking = Looking(None, self, every_ms=LOOK_AGAIN_MS)
        self._looking.seen.connect(self._take)  # a run that is elsewhere shows what the tuning knows of it
        self._run: Path | None = None
        self._known = False
        self.row: TrialRow | None = None
        form.details.hide()

    def show(self, state: TuneState | None, row: TrialRow | None) -> None:
        """Show a trial as the tuning has it; nothing without one."""
        form, before = self._form, self.row
        self.row = row
        form.details.setVisible(row is not None)
        if state is None or row is None:
            self.stop()
            return
        if before is None or before.number != row.number or self._run != row.run:
            self._follow(row.run)
        parameters = "; ".join(f"{setting_label(key)} {setting(value)}" for key, value in row.parameters.items())
        form.trial.setText("\n".join(text for text in (trial_sentence(state, row), parameters) if text))
        if not self._known:
            form.curve.set_title(at_length(state.objectives[0]))
            form.curve.show_lines(_reported(state, row), logarithmic=OBJECTIVES[state.objectives[0]].logarithmic)
        form.use_trial.setEnabled(model_of(row) is not None)
        form.retrain_trial.setEnabled(bool(row.parameters))
        form.open_trial.setEnabled(self._known)

    def stop(self) -> None:
        """Follow no run."""
        self._looking.stop()
        self._run, self._known = None, False

    def _follow(self, run: Path | None) -> None:
        self.stop()
        self._run = run
        if run is not None:
            self._looking.begin(RunLook(run))

    def _take(self, snapshot: WatchedRun) -> None:
        form, run = self._form, snapshot.run
        self._known = True
        form.open_trial.setEnabled(True)
        form.curve.set_title("Loss")
        form.curve.show_lines(loss_lines(run))
        if not run.live:
            self._looking.stop()  # all is known


def _reported(state: TuneState, row: TrialRow) -> list[Line]:
    """Draw what a trial reported after each epoch."""
    if not row.curve:
        return []
    epochs, values = zip(*row.curve, strict=True)
    return [Line(at_length(state.objectives[0]), VALIDATION, tuple(map(float, epochs)), values)]
