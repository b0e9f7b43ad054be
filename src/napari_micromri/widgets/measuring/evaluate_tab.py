"""The tab "Evaluate": models on a set of a study, in a thread, with a table and a report to open."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from napari.utils.notifications import show_error
from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices, QShowEvent
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_micromri.errors import MicroMRIError, ModelError
from napari_micromri.inference.denoise import DEFAULT_MODEL
from napari_micromri.nn.registry import available_models, describe_model
from napari_micromri.widgets.background import BackgroundJob
from napari_micromri.widgets.measuring.evaluate_form import EvaluateForm
from napari_micromri.widgets.measuring.evaluate_model import (
    EvaluateState,
    Request,
    earlier_in,
    look_at,
    proposed_folder,
    run_request,
)
from napari_micromri.widgets.shared.models import model_choices
from napari_micromri.widgets.shared.pace import Pace
from napari_micromri.widgets.shared.recent import recent, remember
from napari_micromri.widgets.shared.torch_loading import with_torch
from napari_micromri.words import counted

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_micromri.nn.registry import ModelEntry
    from napari_micromri.widgets.measuring.evaluate_model import Result, StudyLook
    from napari_micromri.widgets.shared.models import ModelChoice


class EvaluateTab(QWidget):
    """Choose study, set and models; run; read the table and open the report. The disk is looked at when it is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.form = EvaluateForm()
        self.look: StudyLook | None = None
        self._study: Path | None = None
        self._problem: str | None = None
        self._files: list[ModelEntry] = []
        self._choices: list[ModelChoice] = []
        self._rois: list[Path] = []
        self._folder: Path | None = None
        self._asked_to_replace_in: Path | None = None
        self._job: BackgroundJob | None = None
        self._stopping = False
        self._pace = Pace()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.form)
        self._list_models({DEFAULT_MODEL})
        self._connect()
        self.update_state()

    def _connect(self) -> None:
        form = self.form
        form.choose_study.clicked.connect(lambda: self._with(form.ask_study(), self.set_study))
        form.add_model.clicked.connect(lambda: self._with(form.ask_model(), self.add_model))
        form.choose_rois.clicked.connect(lambda: self.set_rois(form.ask_rois()))
        form.choose_folder.clicked.connect(lambda: self._with(form.ask_folder(self.folder), self.set_folder))
        form.split.currentIndexChanged.connect(self.update_state)
        form.models.itemChanged.connect(self.update_state)
        form.sampling.changed.connect(self.update_state)
        form.replace.toggled.connect(self.update_state)
        form.evaluate.clicked.connect(self.start)
        form.stop.clicked.connect(self.stop)
        form.open_report.clicked.connect(self.open_report)

    def showEvent(self, event: QShowEvent) -> None:
        """Read the study again, or the one that was open last: sets and marks may have changed."""
        super().showEvent(event)
        study = self._study or recent()
        if study is not None:
            self.set_study(study)

    def shut_down(self) -> None:
        """Stop the run; what is done is kept in its folder."""
        if self._job is not None:
            self._job.stop()

    # Choosing

    def set_study(self, path: Path) -> None:
        """Choose a study."""
        self._study, self._problem = path, None
        try:
            self.look = look_at(path)
        except MicroMRIError as error:
            self.look, self._problem = None, str(error)
        else:
            remember(path)
        self.form.show_study(self.look)
        self.update_state()

    def add_model(self, path: Path) -> None:
        """Add a model file to the list and tick it; a file that is none is refused in a sentence."""
        try:
            entry = describe_model(path)
        except ModelError as error:
            show_error(str(error))
            return
        self._files = [known for known in self._files if known.path != path] + [entry]
        self._list_models({choice.model for choice in self._ticked} | {path})
        self.update_state()

    def set_rois(self, paths: list[Path]) -> None:
        """Measure regions as well, or none."""
        self._rois = paths
        self.form.rois.setText(", ".join(path.name for path in paths))
        self.update_state()

    def set_folder(self, path: Path) -> None:
        """Choose where the results go."""
        self._folder = path
        self.update_state()

    @property
    def folder(self) -> Path | None:
        """Where the results go: what was chosen, or a folder beside the study."""
        models = self._ticked
        if self._folder is not None or self.look is None or not models:
            return self._folder
        names = [choice.name for choice in models]
        sampling = self.form.sampling
        return proposed_folder(
            self.look.path, self.look.name, self.form.chosen_set(), names, sampling.steps, sampling.draws
        )

    @property
    def _ticked(self) -> list[ModelChoice]:
        return [self._choices[k] for k in self.form.ticked()]

    def _list_models(self, ticked: set[str | Path]) -> None:
        self._choices = model_choices(available_models(), self._files)
        self.form.show_models(self._choices, ticked)

    @staticmethod
    def _with(path: Path | None, then: Callable[[Path], None]) -> None:
        if path is not None:
            then(path)

    # Running

    def start(self) -> None:
        """Evaluate."""
        request = self._request()
        if request is None or self._job is not None:
            return
        self._pace, self._stopping = Pace(), False
        self.form.progress.setRange(0, 0)
        self.form.say("Loading the models…")
        title = f"Evaluating {counted(len(request.models), 'model')}"
        self._job = job = BackgroundJob(with_torch(partial(run_request, request)), title, self)
        job.progressed.connect(self._show_progress)
        job.succeeded.connect(self._finished)
        job.cancelled.connect(partial(self.form.say, "Stopped. Finished slices are kept."))
        job.failed.connect(self.form.say)
        job.ended.connect(self._ended)
        self.update_state()
        job.start()

    def stop(self) -> None:
        """Stop after this slice."""
        if self._job is not None:
            self._stopping = True
            self._job.stop()
            self.update_state()

    def open_report(self) -> None:
        """Open the page in the browser."""
        if self.folder is not None:
            from napari_micromri.measure.evaluation.folder import PAGE

            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self.folder / PAGE)))

    def _request(self) -> Request | None:
        from napari_micromri.measure.evaluation import EvaluationOptions

        folder, models = self.folder, self._ticked
        if self.look is None or folder is None or not models:
            return None
        options = EvaluationOptions(
            rois=tuple(self._rois),
            device=self.form.device.current,
            steps=self.form.sampling.steps,
            draws=self.form.sampling.draws,
            overwrite=not self.form.replace.isHidden() and self.form.replace.isChecked(),
        )
        chosen = tuple(choice.model for choice in models)
        return Request(self.look.path, self.form.chosen_set(), chosen, folder, options)

    def _show_progress(self, done: int, total: int) -> None:
        self.form.progress.setRange(0, total)
        self.form.progress.setValue(done)
        said = self._pace.describe(done, total, time.monotonic())
        self.form.say("Writing the report…" if done == total else said)

    def _finished(self, result: Result) -> None:
        self.form.say("")
        self.form.replace.setChecked(False)
        self.form.show_result(result)

    def _ended(self) -> None:
        self._job = None
        self.update_state()

    def update_state(self, _changed: object = None) -> None:
        """Bring fields, buttons and hint up to date."""
        models = self._ticked
        most_steps = min((choice.most_steps for choice in models if choice.most_steps > 1), default=1)
        self.form.sampling.show_for(most_steps)
        self.form.sampling.setVisible(most_steps > 1)
        folder, running = self.folder, self._job is not None
        if folder != self._asked_to_replace_in:
            # Leave to replace one evaluation is none to replace another.
            self._asked_to_replace_in = folder
            self.form.replace.setChecked(False)
        self.form.show_state(
            EvaluateState(
                study=self.look,
                split=self.form.chosen_set(),
                models=tuple(choice.name for choice in models),
                folder=folder,
                earlier=earlier_in(folder),
                replace=self.form.replace.isChecked(),
                problem=self._problem,
                running=running,
                stopping=running and self._stopping,
            )
        )
