"""From a study to a tuning that goes on in the background."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from napari.utils.notifications import show_error
from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined,unused-ignore]
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_micromri.errors import InputError
from napari_micromri.widgets.shared.looking import Looking
from napari_micromri.widgets.training.new_folder import TUNING
from napari_micromri.widgets.training.remembered import remember_study, remember_workers, remembered_workers
from napari_micromri.widgets.training.study_chooser import StudyChooser
from napari_micromri.widgets.training.tuning import starting
from napari_micromri.widgets.training.tuning.new_form import NewForm
from napari_micromri.widgets.training.tuning.new_model import (
    AS_SET_UP,
    PRUNERS,
    SAMPLERS,
    NewState,
    Wish,
    advice,
    presets,
    split_password,
    storage_problem,
    tune_config,
    with_password,
)
from napari_micromri.widgets.training.tuning.space_editor import SpaceEditor

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtpy.QtGui import QShowEvent

    from napari_micromri.training.config import TrainConfig
    from napari_micromri.tuning.config import TuneConfig


class NewPage(QWidget):
    """Chooses what to search; ``started`` is sent with the folder of a tuning that began.

    Parameters
    ----------
    set_up
        Gives the settings that are filled in in the tab Set up; raises `InputError` when they make no sense.
    """

    started = Signal(object)

    def __init__(self, set_up: Callable[[], TrainConfig]) -> None:
        super().__init__()
        self._set_up = set_up
        self.form = form = NewForm()
        self.studies = StudyChooser(form.study)
        self.space = SpaceEditor(form, self.base)
        self._starting: Looking | None = None
        self._proposed = self._said = ""
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(form)
        self._explain_choices()
        form.workers.setValue(remembered_workers())
        self._connect()
        self.space.reset()
        self._base_chosen()
        self.studies.refresh()

    def _explain_choices(self) -> None:
        for box, words in ((self.form.sampler, SAMPLERS), (self.form.pruner, PRUNERS)):
            for number, said in enumerate(words.values()):
                box.setItemData(number, f"{said[:1].upper()}{said[1:]}.", Qt.ItemDataRole.ToolTipRole)

    def _connect(self) -> None:
        form = self.form
        self.studies.chosen.connect(self._study_chosen)
        self.studies.changed.connect(self._update)
        form.browse_study.clicked.connect(self._ask_study)
        form.base.currentIndexChanged.connect(self._base_chosen)
        self.space.changed.connect(self._update)
        form.storage.currentIndexChanged.connect(self._update)
        form.url.editingFinished.connect(self._hide_password)
        form.browse_folder.clicked.connect(self._ask_folder)
        form.start.clicked.connect(self.start)
        for line in (form.url, form.password, form.folder):
            line.textChanged.connect(self._update)
        for box in (form.sampler, form.pruner):
            box.currentIndexChanged.connect(self._update)
        for count in form.counts:
            count.valueChanged.connect(self._update)
        for tick in form.objectives.values():
            tick.toggled.connect(self._update)

    def showEvent(self, event: QShowEvent) -> None:
        """Judge anew what may have changed in the tab Set up."""
        super().showEvent(event)
        self._update()

    def shut_down(self) -> None:
        """Stop what runs in threads; a tuning that began goes on."""
        self.studies.stop()
        if self._starting is not None:
            self._starting.stop()

    def base(self) -> TrainConfig:
        """Give the settings of what isn't searched.

        Raises
        ------
        InputError
            Those of the tab Set up make no sense.
        """
        name = self.form.base.currentText()
        return self._set_up() if name == AS_SET_UP else presets()[name]

    def config(self) -> TuneConfig:
        """Make what the fields describe.

        Raises
        ------
        InputError
            Something makes no sense.
        """
        return tune_config(self._wish())

    # Choices

    def _study_chosen(self) -> None:
        study = self.studies.current
        if study is not None and self.form.folder.text() == self._proposed:
            self._proposed = str(TUNING.propose(study))
            self.form.folder.setText(self._proposed)
        self._update()

    def _base_chosen(self) -> None:
        try:
            base = self.base()
        except InputError:  # told by the hint
            self._update()
            return
        self.form.epochs.setValue(base.epochs)
        self.space.refresh()

    def _ask_study(self) -> None:
        if (path := self.form.ask_study()) is not None:
            self.studies.use(path)

    def _ask_folder(self) -> None:
        if (path := self.form.ask_folder()) is not None:
            self.form.folder.setText(str(path))

    def _hide_password(self) -> None:
        """Move a password that was typed with the address to where it isn't seen."""
        url, password = split_password(self.form.url.text())
        if password:
            self.form.password.setText(password)
            self.form.url.setText(url)

    # Start

    def start(self) -> None:
        """Make the tuning and start its workers."""
        self._hide_password()
        study, form = self.studies.current, self.form
        if study is None or not self._state().can_start:
            self._update()  # what is filled in in Set up may have changed since
            return
        url = with_password(form.url.text(), form.password.text()) if form.in_database else None
        work = partial(starting.begin, self._folder(), self.config(), form.workers.value(), url)
        self._starting = Looking(work, self)
        self._starting.seen.connect(self._began)
        self._starting.failed.connect(self._not_begun)
        self._starting.look()
        remember_study(study)
        remember_workers(form.workers.value())
        self._say("")

    def _began(self, folder: Path) -> None:
        self._starting = None
        self._proposed = self.form.folder.text()  # it is taken now: name the next one
        self._study_chosen()
        self.started.emit(folder)

    def _not_begun(self, sentence: str) -> None:
        self._starting = None
        self._say(sentence)
        show_error(sentence)

    # Showing

    def _say(self, text: str) -> None:
        self._said = text
        self._update()

    def _folder(self) -> Path:
        return Path(self.form.folder.text().strip()).expanduser()

    def _wish(self) -> Wish:
        form = self.form
        return Wish(
            study=self.studies.current or Path(),
            base=self.base(),
            epochs=form.epochs.value(),
            rows=self.space.rows,
            objectives=[name for name, box in form.objectives.items() if box.isChecked()],
            trials=form.trials.value(),
            sampler=form.sampler.currentText(),
            pruner=form.pruner.currentText(),
            seed=form.seed.value(),
            timeout_minutes=form.timeout.value(),
            folder=self._folder(),
        )

    def _settings_problem(self) -> str | None:
        try:
            self.config()
        except InputError as error:
            return str(error)
        return None

    def _state(self) -> NewState:
        form = self.form
        folder = TUNING.problem(form.folder.text())
        return NewState(
            has_study=self.studies.current is not None,
            summary=self.studies.summary,
            study_problem=self.studies.problem,
            settings_problem=self._settings_problem() if folder is None else None,
            storage_problem=storage_problem(form.url.text(), form.password.text()) if form.in_database else None,
            folder_problem=folder,
            starting=self._starting is not None,
        )

    def _update(self) -> None:
        state, form, summary = self._state(), self.form, self.studies.summary
        warning = summary.warning if summary is not None else None
        form.warning.setText(warning or "")
        form.warning.setVisible(bool(warning))
        form.start.setEnabled(state.can_start)
        tip = advice(self._wish(), form.workers.value()) if state.problem is None else ""
        form.hint.setText(state.hint or self._said or tip)
