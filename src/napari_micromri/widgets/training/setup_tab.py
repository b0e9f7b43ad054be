"""The tab "Set up": from a study to a training that runs."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from superqt.utils import signals_blocked

from napari_micromri.nn.families import FAMILIES
from napari_micromri.training.presets import PRESETS
from napari_micromri.training.process import start_run
from napari_micromri.widgets.background import BackgroundJob
from napari_micromri.widgets.training.new_folder import RUN
from napari_micromri.widgets.training.settings import Setting, settings_of_kind
from napari_micromri.widgets.training.settings_form import SettingsForm
from napari_micromri.widgets.training.setup_form import SetupForm
from napari_micromri.widgets.training.setup_model import (
    StartState,
    config_of,
    estimate_sentence,
    preset_texts,
)
from napari_micromri.widgets.training.start_chooser import StartChooser
from napari_micromri.widgets.training.start_page import StartPage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_micromri.nn.family import Family
    from napari_micromri.progress import Progress, ShouldStop
    from napari_micromri.training.config import TrainConfig
    from napari_micromri.training.forecast import Forecast


class SetupTab(StartPage):
    """Chooses study, model and settings; ``started`` is sent with the folder of a run that began."""

    form: SetupForm

    def __init__(self) -> None:
        form = SetupForm()
        super().__init__(form, RUN)
        self.start_from = StartChooser(form.start_from)
        self._job: BackgroundJob | None = None
        form.family.addItems([family.label for family in FAMILIES.values()])
        self._use_family()
        form.family.currentIndexChanged.connect(self._use_family)
        form.preset.currentIndexChanged.connect(self._use_preset)
        form.start_from.currentIndexChanged.connect(self._start_chosen)
        form.browse_model.clicked.connect(self._ask_model)
        form.estimate.clicked.connect(self.toggle_estimate)
        self.studies.refresh()

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
        """Stop what runs in threads; a training that began continues."""
        super().shut_down()
        if self._job is not None:
            self._job.stop()

    def _work(self, study: Path, folder: Path) -> Callable[[], Path]:
        return partial(_begin, self.config(), study, folder)

    def _named_after(self) -> tuple[str, ...]:
        return (self.form.preset.currentText(),)

    # Choices

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

    def _ask_model(self) -> None:
        if (path := self.form.ask_model()) is not None:
            self.start_from.use_file(path, self.family)

    # Estimate

    def toggle_estimate(self) -> None:
        """Begin an estimate, or stop the one that is under way."""
        study = self.studies.current
        if self._job is not None:
            self._job.stop()
        elif study is not None and self._state().can_estimate:
            config = self.config()
            self._job = job = BackgroundJob(partial(_estimate, config, study), "Estimate the training", self)
            job.succeeded.connect(lambda found: self._say(estimate_sentence(config, found)))
            job.failed.connect(self._say)
            job.cancelled.connect(partial(self._say, ""))
            job.ended.connect(self._estimated)
            self._say("Trying a few steps…")
            job.start()

    def _estimated(self) -> None:
        self._job = None
        self._update()

    # Showing

    def _state(self) -> StartState:
        return replace(super()._state(), estimating=self._job is not None)

    def _update(self) -> None:
        super()._update()
        state, form, summary = self._state(), self.form, self.studies.summary
        form.summary.setText(summary.lines if summary is not None else "")
        form.estimate.setText("Stop estimate" if state.estimating else "Estimate")
        form.estimate.setEnabled(state.can_estimate or state.estimating)


def _begin(config: TrainConfig, study: Path, folder: Path) -> Path:
    start_run(config, study, folder)
    return folder


def _estimate(config: TrainConfig, study: Path, progress: Progress, should_stop: ShouldStop) -> Forecast:
    from napari_micromri.training.forecast import forecast

    del progress
    return forecast(config, study, should_stop=should_stop)
