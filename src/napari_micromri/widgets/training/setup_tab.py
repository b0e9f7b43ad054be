"""The tab "Set up": from a study to a training that runs."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from napari.utils.notifications import show_error
from qtpy.QtCore import Signal  # type: ignore[attr-defined,unused-ignore]
from qtpy.QtWidgets import QVBoxLayout, QWidget
from superqt.utils import signals_blocked

from napari_micromri.errors import InputError
from napari_micromri.nn.families import FAMILIES
from napari_micromri.training.presets import PRESETS
from napari_micromri.training.process import start_run
from napari_micromri.widgets.background import BackgroundJob
from napari_micromri.widgets.shared.looking import Looking
from napari_micromri.widgets.training.new_folder import RUN
from napari_micromri.widgets.training.remembered import remember_study
from napari_micromri.widgets.training.settings import Setting, settings_of_kind
from napari_micromri.widgets.training.settings_form import SettingsForm
from napari_micromri.widgets.training.setup_form import SetupForm
from napari_micromri.widgets.training.setup_model import (
    SetupState,
    config_of,
    estimate_sentence,
    preset_texts,
)
from napari_micromri.widgets.training.start_chooser import StartChooser
from napari_micromri.widgets.training.study_chooser import StudyChooser

if TYPE_CHECKING:
    from napari_micromri.nn.family import Family
    from napari_micromri.progress import Progress, ShouldStop
    from napari_micromri.training.config import TrainConfig
    from napari_micromri.training.forecast import Forecast


class SetupTab(QWidget):
    """Chooses study, model and settings; ``started`` is sent with the folder of a run that began."""

    started = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.form = form = SetupForm()
        self.studies = StudyChooser(form.study)
        self.start_from = StartChooser(form.start_from)
        self._starting: Looking | None = None
        self._job: BackgroundJob | None = None
        self._proposed = self._said = ""
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(form)
        form.family.addItems([family.label for family in FAMILIES.values()])
        self._use_family()
        self._connect()
        self.studies.refresh()

    def _connect(self) -> None:
        form = self.form
        self.studies.chosen.connect(self._study_chosen)
        self.studies.changed.connect(self._update)
        form.family.currentIndexChanged.connect(self._use_family)
        form.preset.currentIndexChanged.connect(self._use_preset)
        form.start_from.currentIndexChanged.connect(self._start_chosen)
        form.browse_study.clicked.connect(self._ask_study)
        form.browse_model.clicked.connect(self._ask_model)
        form.browse_folder.clicked.connect(self._ask_folder)
        form.folder.textChanged.connect(self._update)
        form.estimate.clicked.connect(self.toggle_estimate)
        form.start.clicked.connect(self.start)

    @property
    def family(self) -> Family:
        """The kind of model that is chosen."""
        return list(FAMILIES.values())[max(0, self.form.family.currentIndex())]

    def config(self) -> TrainConfig:
        """Make the configuration that the fields describe.

        Raises
        ------
        InputError
            A value makes no sense.
        """
        return config_of(self.family, self.fields.texts(), self.settings, self.start_from.current)

    def shut_down(self) -> None:
        """Stop what runs in threads; a training that began goes on."""
        self.studies.stop()
        if self._starting is not None:
            self._starting.stop()
        if self._job is not None:
            self._job.stop()

    # Choices

    def _study_chosen(self) -> None:
        self._propose()
        self._update()

    def _use_family(self) -> None:
        family, form = self.family, self.form
        self.settings: dict[str, Setting] = settings_of_kind(family.kind)
        self.fields = SettingsForm(self.settings)
        self.fields.changed.connect(self._update)
        form.show_settings(self.fields)
        form.family.setToolTip(family.about)
        self.start_from.list_models(family)
        with signals_blocked(form.preset):
            form.preset.clear()
            form.preset.addItems(list(family.presets))
        self._use_preset()

    def _use_preset(self) -> None:
        name = self.form.preset.currentText()
        preset = PRESETS[name]
        self.form.preset_about.setText(f"{preset.summary[:1].upper()}{preset.summary[1:]}.")
        self.fields.set_texts(preset_texts(preset.config, self.settings))
        self.start_from.choose(preset.config.init_from)
        self._start_chosen()
        self._propose()

    def _start_chosen(self) -> None:
        start = self.start_from.current
        self.fields.set_from_model(start.kind if start is not None else None)
        self._update()

    def _ask_study(self) -> None:
        if (path := self.form.ask_study()) is not None:
            self.studies.use(path)

    def _ask_model(self) -> None:
        if (path := self.form.ask_model()) is not None:
            self.start_from.use_file(path, self.family)

    def _ask_folder(self) -> None:
        if (path := self.form.ask_folder()) is not None:
            self.form.folder.setText(str(path))

    def _propose(self) -> None:
        """Name a folder, unless the person has named one."""
        study = self.studies.current
        if study is not None and self.form.folder.text() == self._proposed:
            self._proposed = str(RUN.propose(study, self.form.preset.currentText()))
            self.form.folder.setText(self._proposed)

    # Estimate and start

    def toggle_estimate(self) -> None:
        """Begin an estimate, or stop the one that is under way."""
        study = self.studies.current
        if self._job is not None:
            self._job.stop()
        elif study is not None and self._state().can_estimate:
            config = self.config()
            self._job = job = BackgroundJob(partial(_estimate, config, study), "Estimate the training")
            job.succeeded.connect(lambda found: self._say(estimate_sentence(config, found)))
            job.failed.connect(self._say)
            job.cancelled.connect(partial(self._say, ""))
            job.ended.connect(self._estimated)
            self._say("Trying a few steps…")
            job.start()

    def _estimated(self) -> None:
        self._job = None
        self._update()

    def start(self) -> None:
        """Begin to train, in a process of its own."""
        study = self.studies.current
        if study is None or not self._state().can_start:
            return
        folder = Path(self.form.folder.text().strip()).expanduser()
        self._starting = Looking(partial(_begin, self.config(), study, folder), self)
        self._starting.seen.connect(self._began)
        self._starting.failed.connect(self._not_begun)
        self._starting.look()
        remember_study(study)
        self._say("")

    def _began(self, folder: Path) -> None:
        self._starting = None
        self._proposed = self.form.folder.text()  # it is taken now: name the next one
        self._propose()
        self._update()
        self.started.emit(folder)

    def _not_begun(self, sentence: str) -> None:
        self._starting = None
        self._say(sentence)
        show_error(sentence)

    # Showing

    def _say(self, text: str) -> None:
        self._said = text
        self._update()

    def _state(self) -> SetupState:
        return SetupState(
            has_study=self.studies.current is not None,
            summary=self.studies.summary,
            study_problem=self.studies.problem,
            settings_problem=self._settings_problem(),
            folder_problem=RUN.problem(self.form.folder.text()),
            starting=self._starting is not None,
            estimating=self._job is not None,
        )

    def _settings_problem(self) -> str | None:
        try:
            self.config()
        except InputError as error:
            return str(error)
        return None

    def _update(self) -> None:
        state, form, summary = self._state(), self.form, self.studies.summary
        warning = summary.warning if summary is not None else None
        form.summary.setText(summary.lines if summary is not None else "")
        form.warning.setText(warning or "")
        form.warning.setVisible(bool(warning))
        form.estimate.setText("Stop estimate" if state.estimating else "Estimate")
        form.estimate.setEnabled(state.can_estimate or state.estimating)
        form.start.setEnabled(state.can_start)
        form.hint.setText(state.hint or self._said)


def _begin(config: TrainConfig, study: Path, folder: Path) -> Path:
    start_run(config, study, folder)
    return folder


def _estimate(config: TrainConfig, study: Path, progress: Progress, should_stop: ShouldStop) -> Forecast:
    from napari_micromri.training.forecast import forecast

    del progress
    return forecast(config, study, should_stop=should_stop)
