"""From a study to what trains on it in the background: what the tabs *Set up* and *Tune* share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_micromri.errors import InputError
from napari_micromri.widgets.shared.looking import Looking
from napari_micromri.widgets.training.remembered import remember_study
from napari_micromri.widgets.training.setup_model import StartState
from napari_micromri.widgets.training.study_chooser import StudyChooser

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_micromri.widgets.training.new_folder import NewFolder
    from napari_micromri.widgets.training.start_form import StartForm


class StartPage(QWidget):
    """Chooses a study and a folder, and starts; ``started`` is sent with the folder of what began."""

    started = Signal(object)

    def __init__(self, form: StartForm, place: NewFolder) -> None:
        super().__init__()
        self.form, self._place = form, place
        self.studies = StudyChooser(form.study)
        self._starting: Looking | None = None
        self._proposed = self._said = ""
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(form)
        self.studies.chosen.connect(self._study_chosen)
        self.studies.changed.connect(self._update)
        form.browse_study.clicked.connect(self._ask_study)
        form.browse_folder.clicked.connect(self._ask_folder)
        form.folder.textChanged.connect(self._update)
        form.start.clicked.connect(self.start)

    def config(self) -> Any:
        """Make the configuration that the fields describe.

        Raises
        ------
        InputError
            A value makes no sense.
        """
        raise NotImplementedError

    def _work(self, study: Path, folder: Path) -> Callable[[], Path]:
        """Give what begins it, in a thread."""
        raise NotImplementedError

    def _named_after(self) -> tuple[str, ...]:
        """Give what stands in the name of a new folder besides that of the study."""
        return ()

    def shut_down(self) -> None:
        """Stop what runs in threads; what began continues."""
        self.studies.stop()
        if self._starting is not None:
            self._starting.stop()

    # Choices

    def _study_chosen(self) -> None:
        self._propose()
        self._update()

    def _propose(self) -> None:
        """Name a folder, unless the person has named one."""
        study = self.studies.current
        if study is not None and self.form.folder.text() == self._proposed:
            self._proposed = str(self._place.propose(study, *self._named_after()))
            self.form.folder.setText(self._proposed)

    def _ask_study(self) -> None:
        if (path := self.form.ask_study()) is not None:
            self.studies.use(path)

    def _ask_folder(self) -> None:
        if (path := self.form.ask_folder()) is not None:
            self.form.folder.setText(str(path))

    def _folder(self) -> Path:
        return Path(self.form.folder.text().strip()).expanduser()

    # Start

    def start(self) -> None:
        """Begin, in processes of their own."""
        study = self.studies.current
        if study is None or not self._state().can_start:
            self._update()  # what it depends on may have changed unseen
            return
        self._starting = Looking(self._work(study, self._folder()), self)
        self._starting.seen.connect(self._began)
        self._starting.failed.connect(self._not_begun)
        self._starting.look()
        remember_study(study)
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

    def _settings_problem(self) -> str | None:
        try:
            self.config()
        except InputError as error:
            return str(error)
        return None

    def _state(self) -> StartState:
        return StartState(
            has_study=self.studies.current is not None,
            summary=self.studies.summary,
            study_problem=self.studies.problem,
            settings_problem=self._settings_problem(),
            folder_problem=self._place.problem(self.form.folder.text()),
            starting=self._starting is not None,
        )

    def _update(self) -> None:
        state, form, summary = self._state(), self.form, self.studies.summary
        warning = summary.warning if summary is not None else None
        form.warning.setText(warning or "")
        form.warning.setVisible(bool(warning))
        form.start.setEnabled(state.can_start)
        form.hint.setText(state.hint or self._said)
