"""The fields and buttons for a new tuning; what they mean is decided in `new_page` and `new_model`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from magicgui.widgets import ComboBox, SpinBox
from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import QCheckBox, QFileDialog, QLineEdit, QMenu, QSizePolicy, QToolButton

from napari_micromri.tuning.objectives import OBJECTIVES, at_length
from napari_micromri.widgets.shared.parts import button, column, row, text_line
from napari_micromri.widgets.training.fields import Choice
from napari_micromri.widgets.training.start_form import StartForm, rows_of
from napari_micromri.widgets.training.tuning.new_model import (
    AS_SET_UP,
    MOST_WORKERS,
    PRUNERS,
    SAMPLERS,
    TRIALS,
    presets,
)
from napari_micromri.widgets.training.tuning.space_table import SpaceTable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from magicgui.widgets.bases import ValueWidget
    from qtpy.QtWidgets import QWidget

IN_FOLDER, IN_DATABASE = "in the folder", "in a database"
DAY_MINUTES = 24 * 60
TOML = "Search spaces (*.toml)"

T = TypeVar("T", SpinBox, ComboBox)


class WheelGuard(QObject):
    """Leaves the wheel to the form, which is longer than the dock is high."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Let a field see all events but those of the wheel."""
        if event.type() != QEvent.Type.Wheel:
            return False
        event.ignore()
        return True


class NewForm(StartForm):
    """Adds what is searched, and how."""

    def __init__(self) -> None:
        super().__init__(
            "tuning",
            "A new folder for the tuning: its trials, each an ordinary run, and what was found.",
            "Tune in the background. napari can be closed meanwhile.",
        )
        self.base = Choice(
            "Settings of all that isn't searched: a preset, or what is filled in in the tab Set up now.",
            (*presets(), AS_SET_UP),
        )
        self._make_search()
        self._make_space()
        top = rows_of(
            ("Study", row(self.study, self.browse_study)),
            ("Settings", self.base),
            ("Epochs", self.epochs.native),
        )
        self._rows = rows_of(
            ("Goals", column(*self.objectives.values())),
            *_labelled(self.trials, self.workers, self.storage),
            ("Address", self.url),
            ("Password", self.password),
            ("", self.more),
            *_labelled(self.sampler, self.pruner, self.seed, self.timeout),
        )
        edit = row(self.add, self.load, self.save, self.usual)
        self._lay_out(top, self.warning, self.space, self.about, edit, self._rows)
        self._show_parts()

    def _make_space(self) -> None:
        self.space = SpaceTable()
        self.about = text_line()
        self.about.setMinimumHeight(2 * self.about.fontMetrics().lineSpacing())
        self.about.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.add = button("Add", "Search another setting, too.")
        self.addable = QMenu(self.add)
        self.add.setMenu(self.addable)
        self.load = button("Load…", "Read a search space from a file (.toml).")
        self.save = button("Save…", "Write the search space to a file that can be edited (.toml).")
        self.usual = button("Reset", "Search what the method's report searched.")

    def _make_search(self) -> None:
        self.objectives = {name: QCheckBox(at_length(name).removeprefix("Validation ")) for name in OBJECTIVES}
        for name, box in self.objectives.items():
            box.setToolTip(f"{OBJECTIVES[name].goal} With several goals there are several best trials.")
        self.objectives["mse"].setChecked(True)
        self.epochs = _count(
            "epochs", 30, "Epochs of each trial. The best can be trained at full length afterwards.", 1, 100_000
        )
        self.trials = _count("trials", TRIALS, "How many trials to finish; pruned ones count, too.", 1, 100_000)
        self.workers = _count(
            *("workers", 1),
            "How many trials are trained at once on this computer, each by a process of its own.",
            *(1, MOST_WORKERS),
        )
        self.storage = _choice(
            *("storage", dict.fromkeys((IN_FOLDER, IN_DATABASE), "")),
            "Where the trials are noted. A database lets workers on other computers join.",
        )
        self.url = QLineEdit()
        self.url.setPlaceholderText("postgresql://user@server/database")
        self.url.setToolTip("Address of a database that Optuna can use, or of its proxy (grpc://server:13000).")
        self.password = QLineEdit()
        self.password.setEchoMode(QLineEdit.EchoMode.Password)
        self.password.setToolTip("Only kept in memory: it is written into no file and no log.")
        self.sampler = _choice("sampler", SAMPLERS, "How settings are chosen.")
        self.pruner = _choice("pruner", PRUNERS, "How bad trials are ended early.")
        self.seed = _count(
            "seed", 0, "Of the search; with one worker the same seed gives the same trials.", 0, 2**31 - 1
        )
        self.timeout = _count("minutes", 0, "No trial begins after so many minutes.", 0, 365 * DAY_MINUTES)
        self.timeout.native.setSpecialValueText("none")
        self.more = QToolButton()
        self.more.setText("More")
        self.more.setToolTip("Show or hide how the search is done.")
        self.more.setCheckable(True)
        self.more.setAutoRaise(True)
        self.more.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.more.toggled.connect(self._show_parts)
        self.storage.changed.connect(self._show_parts)

    @property
    def fields(self) -> tuple[ValueWidget[Any], ...]:
        """All numbers and choices."""
        counts = (self.epochs, self.trials, self.workers, self.seed, self.timeout)
        return (*counts, self.storage, self.sampler, self.pruner)

    @property
    def in_database(self) -> bool:
        """Whether the trials are noted in a database."""
        return bool(self.storage.value == IN_DATABASE)

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

    def _show_parts(self) -> None:
        """Show only what counts now."""
        self.more.setArrowType(Qt.ArrowType.DownArrow if self.more.isChecked() else Qt.ArrowType.RightArrow)
        for field in (self.sampler, self.pruner, self.seed, self.timeout):
            self._rows.setRowVisible(field.native, self.more.isChecked())
        for line in (self.url, self.password):
            self._rows.setRowVisible(line, self.in_database)


def _count(name: str, value: int, about: str, low: int, high: int) -> SpinBox:
    return _guarded(SpinBox(name=name, value=value, min=low, max=high, tooltip=about))


def _choice(name: str, said: Mapping[str, str], about: str) -> ComboBox:
    made = _guarded(ComboBox(name=name, choices=tuple(said), tooltip=about))
    for number, words in enumerate(said.values()):
        made.native.setItemData(
            number, f"{words[:1].upper()}{words[1:]}." if words else "", Qt.ItemDataRole.ToolTipRole
        )
    return made


def _guarded(made: T) -> T:
    made.native.installEventFilter(WheelGuard(made.native))
    made.native.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    made.native.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    return made


def _labelled(*fields: ValueWidget[Any]) -> list[tuple[str, QWidget]]:
    return [(field.name.capitalize(), field.native) for field in fields]
