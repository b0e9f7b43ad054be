"""The fields and buttons for a new tuning; what they mean is decided in `new_page` and `new_model`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QCheckBox, QFileDialog, QLineEdit, QMenu, QWidget

from napari_micromri.tuning.objectives import OBJECTIVES, at_length
from napari_micromri.widgets.shared.parts import Fold, button, column, full_text_line, row
from napari_micromri.widgets.training.fields import Choice, as_field, make_field
from napari_micromri.widgets.training.start_form import StartForm, rows_of
from napari_micromri.widgets.training.tuning.new_model import AS_SET_UP, EXPLAINED, OPTIONS, USUAL, presets
from napari_micromri.widgets.training.tuning.space_table import SpaceTable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

IN_FOLDER, IN_DATABASE = "in the folder", "in a database"
MORE = ("sampler", "pruner", "seed", "timeout_minutes")
TOML = "Search spaces (*.toml)"


class NewForm(StartForm):
    """Adds what is searched, and how; ``changed`` is sent when the person changes how."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__(
            "tuning",
            "A new folder for the tuning: its trials, each an ordinary run, and its results.",
            "Tune in the background. You can close napari meanwhile.",
        )
        self.base = Choice(
            "All settings that aren't searched: a preset, or what is filled in in the tab Set up now.",
            (*presets(), AS_SET_UP),
        )
        self._make_options()
        self._make_space()
        top = rows_of(("Study", row(self.study, self.browse_study)), ("Settings", self.base), self._labelled("epochs"))
        self._rows = rows_of(
            ("Goals", column(*self.objectives.values())),
            *map(self._labelled, ("trials", "workers")),
            ("Storage", self.storage),
            ("Address", self.url),
            ("Password", self.password),
        )
        rarely = QWidget()
        rarely.setLayout(rows_of(*map(self._labelled, MORE)))
        edit = row(self.add, self.load, self.save, self.usual)
        self.more = Fold("More", rarely)
        self._lay_out(top, self.warning, self.space, self.about, edit, self._rows, self.more, rarely)
        self._show_storage()

    def _make_space(self) -> None:
        self.space = SpaceTable()
        self.about = full_text_line()
        self.add = button("Add", "Search another setting as well.")
        self.addable = QMenu(self.add)
        self.add.setMenu(self.addable)
        self.load = button("Load…", "Read a search space from a file (.toml).")
        self.save = button("Save…", "Write the search space to a file that can be edited (.toml).")
        self.usual = button("Reset", "Go back to the search space of the method's report.")

    def _make_options(self) -> None:
        self.objectives = {name: QCheckBox(at_length(name).removeprefix("Validation ")) for name in OBJECTIVES}
        for name, box in self.objectives.items():
            box.setToolTip(f"{OBJECTIVES[name].goal} With several goals there are several best trials.")
            box.toggled.connect(self.changed)
        self.objectives["mse"].setChecked(True)
        self.options = {key: make_field(setting, self.changed.emit) for key, setting in OPTIONS.items()}
        self.set_options(USUAL)
        for key, choices in EXPLAINED.items():
            for number, words in enumerate(choices.values()):
                cast("Choice", self.options[key]).setItemData(number, f"{words}.", Qt.ItemDataRole.ToolTipRole)
        self.storage = Choice(
            "Where to store the trials. With a database, workers on other computers can join.", (IN_FOLDER, IN_DATABASE)
        )
        self.storage.currentIndexChanged.connect(self._show_storage)
        self.url = QLineEdit()
        self.url.setPlaceholderText("postgresql://user@server/database")
        self.url.setToolTip("Address of a database that Optuna can use, or of its proxy (grpc://server:13000).")
        self.password = QLineEdit()
        self.password.setEchoMode(QLineEdit.EchoMode.Password)
        self.password.setToolTip("Kept in memory only; never written to a file or a log.")
        for line in (self.url, self.password):
            line.textChanged.connect(self.changed)

    def set_options(self, texts: Mapping[str, str]) -> None:
        """Show options without sending ``changed``."""
        for key, text in texts.items():
            as_field(self.options[key]).set_text(text)

    def texts(self) -> dict[str, str]:
        """Give the options as texts."""
        return {key: as_field(field).text() for key, field in self.options.items()}

    def goals(self) -> list[str]:
        """Give the objectives that are ticked."""
        return [name for name, box in self.objectives.items() if box.isChecked()]

    @property
    def in_database(self) -> bool:
        """Whether the trials are noted in a database."""
        return self.storage.text() == IN_DATABASE

    def offer(self, labels: Iterable[tuple[str, str]]) -> None:
        """List settings, as (key, label), under the button that adds one."""
        self.addable.clear()
        for key, label in labels:
            self.addable.addAction(label).setData(key)
        self.add.setEnabled(not self.addable.isEmpty())

    def ask_space(self) -> Path | None:
        """Ask for the file of a search space."""
        path, _ = QFileDialog.getOpenFileName(self, "Load a search space", "", TOML)
        return Path(path) if path else None

    def ask_space_to_save(self) -> Path | None:
        """Ask where to write a search space; that a file there is replaced is asked by the dialog."""
        path, _ = QFileDialog.getSaveFileName(self, "Save the search space", "space.toml", TOML)
        return Path(path) if path else None

    def _labelled(self, key: str) -> tuple[str, QWidget]:
        return OPTIONS[key].label, self.options[key]

    def _show_storage(self) -> None:
        for line in (self.url, self.password):
            self._rows.setRowVisible(line, self.in_database)
        self.changed.emit()
