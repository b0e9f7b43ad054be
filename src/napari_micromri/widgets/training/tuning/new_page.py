"""From a study to a tuning that runs in the background."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from napari_micromri.errors import InputError
from napari_micromri.tuning import process
from napari_micromri.widgets.training.new_folder import TUNING
from napari_micromri.widgets.training.remembered import remember_workers, remembered_workers
from napari_micromri.widgets.training.start_page import StartPage
from napari_micromri.widgets.training.tuning.new_form import NewForm
from napari_micromri.widgets.training.tuning.new_model import (
    AS_SET_UP,
    advice,
    count_workers,
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


class NewPage(StartPage):
    """Chooses what to search; ``started`` is sent with the folder of a tuning that began.

    Parameters
    ----------
    set_up
        Gives the settings that are filled in in the tab Set up; raises `InputError` when they make no sense.
    """

    form: NewForm

    def __init__(self, set_up: Callable[[], TrainConfig]) -> None:
        form = NewForm()
        self._set_up = set_up
        super().__init__(form, TUNING)
        self.space = SpaceEditor(form, self.base)
        form.set_options({"workers": str(remembered_workers())})
        form.base.currentIndexChanged.connect(self._base_chosen)
        self.space.changed.connect(self._update)
        form.url.editingFinished.connect(self._hide_password)
        form.changed.connect(self._update)
        self.space.reset()
        self._base_chosen()
        self.studies.refresh()

    def showEvent(self, event: QShowEvent) -> None:
        """Judge again what may have changed in the tab Set up."""
        super().showEvent(event)
        self._update()

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
        form, study = self.form, self.studies.current or Path()
        return tune_config(study, self._folder(), self.base(), self.space.rows, form.goals(), form.texts())

    # Choices

    def _base_chosen(self) -> None:
        try:
            base = self.base()
        except InputError:  # told by the hint
            self._update()
            return
        self.form.set_options({"epochs": str(base.epochs)})
        self.space.refresh()

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
        super().start()

    def _work(self, study: Path, folder: Path) -> Callable[[], Path]:
        form = self.form
        url = with_password(form.url.text(), form.password.text()) if form.in_database else None
        workers = count_workers(form.texts()["workers"])
        remember_workers(workers)
        return partial(begin, folder, self.config(), workers, url)

    # Showing

    def _settings_problem(self) -> str | None:
        form = self.form
        if TUNING.problem(form.folder.text()) is not None:  # the tuning is named after its folder
            return None
        said = super()._settings_problem()
        return said or (storage_problem(form.url.text(), form.password.text()) if form.in_database else None)

    def _update(self) -> None:
        super()._update()
        if not self.form.hint.text():
            texts = self.form.texts()
            self.form.hint.setText(advice(self.form.goals(), texts["pruner"], count_workers(texts["workers"])))


def begin(path: Path, config: TuneConfig, workers: int, storage: str | None) -> Path:
    """Make a tuning and start its workers, in a thread; gives its folder.

    Raises
    ------
    MicroMRIError
        The folder is taken, the storage can't be reached, a worker can't be started.
    """
    process.create_tuning(path, config, storage=storage)
    process.start_workers(path, workers)
    return path
