"""Change the search space: reset it, load and save it, add a setting."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from napari.utils.notifications import show_error, show_info
from qtpy.QtCore import QObject, Signal

from napari_micromri.errors import InputError, WriteError
from napari_micromri.training.config import TrainConfig
from napari_micromri.widgets.training.tuning.space_rows import addable, is_brought, new_row, rows_of, space_of
from napari_micromri.widgets.training.tuning.words import setting_label

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from qtpy.QtGui import QAction

    from napari_micromri.widgets.training.tuning.new_form import NewForm
    from napari_micromri.widgets.training.tuning.space_rows import SpaceRow


class SpaceEditor(QObject):
    """Holds the search space of the form; ``changed`` is sent when it is another one.

    Parameters
    ----------
    base
        Gives the settings of what isn't searched; raises `InputError` when they make no sense.
    """

    changed = Signal()

    def __init__(self, form: NewForm, base: Callable[[], TrainConfig]) -> None:
        super().__init__(form)
        self._form, self._base, self._last = form, base, TrainConfig()
        self._kind = self._last.kind
        form.space.changed.connect(self.changed)
        form.space.described.connect(form.about.setText)
        form.load.clicked.connect(self._ask)
        form.save.clicked.connect(self._ask_where)
        form.usual.clicked.connect(self.reset)
        form.addable.triggered.connect(self._add)

    @property
    def rows(self) -> list[SpaceRow]:
        """What can be searched, and what is."""
        return self._form.space.rows

    def reset(self) -> None:
        """Search what is searched by default."""
        from napari_micromri.tuning.space import default_space

        self._kind = self._settings().kind
        self.show(rows_of(default_space(self._kind), self._kind))

    def show(self, rows: Sequence[SpaceRow]) -> None:
        """Show another search space."""
        form, starts_from_model = self._form, self._settings().init_from is not None
        form.space.show_rows(rows, [row.key for row in rows if starts_from_model and is_brought(row.key)])
        form.offer((key, setting_label(key)) for key in addable(rows, self._kind))
        self.changed.emit()

    def refresh(self) -> None:
        """Show it again, since other settings are beside it; another kind of model has another search space."""
        if self._settings().kind != self._kind:
            self.reset()
        else:
            self.show(self.rows)

    def load(self, path: Path) -> None:
        """Search what a file says; one that makes no sense is told."""
        from napari_micromri.tuning.space_file import read_space

        try:
            self.show(rows_of(read_space(path), self._kind))
        except InputError as error:
            show_error(str(error))

    def save(self, path: Path) -> None:
        """Write the search space."""
        from napari_micromri.tuning.space_file import write_space

        try:
            write_space(space_of(self.rows, self._base()), path, overwrite=True)
        except (InputError, WriteError) as error:
            show_error(str(error))
        else:
            show_info(f"The search space is in {path}.")

    def _settings(self) -> TrainConfig:
        """Give the settings of what isn't searched; while they make no sense, which the hint tells, those of before."""
        with suppress(InputError):
            self._last = self._base()
        return self._last

    def _add(self, action: QAction) -> None:
        self.show([*self.rows, new_row(action.data(), self._settings())])
        self._form.space.scrollToBottom()

    def _ask(self) -> None:
        if (path := self._form.ask_space()) is not None:
            self.load(path)

    def _ask_where(self) -> None:
        if (path := self._form.ask_space_to_save()) is not None:
            self.save(path)
