"""The fields and buttons for a new tuning; what they mean is decided in `new_page` and `new_model`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QFormLayout,
    QFrame,
    QLabel,
    QLineEdit,
    QMenu,
    QScrollArea,
    QSizePolicy,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_micromri.tuning.objectives import OBJECTIVES, at_length
from napari_micromri.widgets.shared.parts import button, column, row, small_button, text_line
from napari_micromri.widgets.training.fields import Choice
from napari_micromri.widgets.training.setup_form import TITLE_WIDTH, WARNING, StudyChoice
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
    from collections.abc import Iterable

    from qtpy.QtGui import QWheelEvent

IN_FOLDER, IN_DATABASE = "in the folder", "in a database"
DAY_MINUTES = 24 * 60
TOML = "Search spaces (*.toml)"


class Count(QSpinBox):
    """A whole number. The wheel belongs to the form."""

    def __init__(self, tooltip: str, low: int, high: int, value: int) -> None:
        super().__init__()
        self.setRange(low, high)
        self.setValue(value)
        self.setToolTip(tooltip)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Leave it to the form."""
        event.ignore()


class NewForm(QWidget):
    """Holds the widgets, in a part that scrolls and one that doesn't."""

    def __init__(self) -> None:
        super().__init__()
        self.study = StudyChoice("The pairs of scans to learn from: a folder NAME.mri.zarr.")
        self.browse_study = small_button("…", "Choose the folder of a study.")
        self.warning = text_line()
        self.warning.setStyleSheet(WARNING)
        self.base = Choice(
            "Settings of all that isn't searched: a preset, or what is filled in in the tab Set up now.",
            (*presets(), AS_SET_UP),
        )
        self.epochs = Count("Epochs of each trial. The best can be trained at full length afterwards.", 1, 100_000, 30)
        self._make_space()
        self._make_search()
        self.folder = QLineEdit()
        self.folder.setToolTip("A new folder for the tuning: its trials, each an ordinary run, and what was found.")
        self.browse_folder = small_button("…", "Choose where to make the tuning's folder.")
        self.hint = text_line()
        self.start = button("Start", "Tune in the background. napari can be closed meanwhile.")
        self._lay_out()

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
        self.trials = Count("How many trials to finish; pruned ones count, too.", 1, 100_000, TRIALS)
        self.workers = Count(
            "How many trials are trained at once on this computer, each by a process of its own.",
            1,
            MOST_WORKERS,
            1,
        )
        self.storage = Choice(
            "Where the trials are noted. A database lets workers on other computers join.", (IN_FOLDER, IN_DATABASE)
        )
        self.url = QLineEdit()
        self.url.setPlaceholderText("postgresql://user@server/database")
        self.url.setToolTip("Address of a database that Optuna can use, or of its proxy (grpc://server:13000).")
        self.password = QLineEdit()
        self.password.setEchoMode(QLineEdit.EchoMode.Password)
        self.password.setToolTip("Only kept in memory: it is written into no file and no log.")
        self.sampler = Choice("How settings are chosen.", tuple(SAMPLERS))
        self.pruner = Choice("How bad trials are ended early.", tuple(PRUNERS))
        self.seed = Count("Of the search; with one worker the same seed gives the same trials.", 0, 2**31 - 1, 0)
        self.timeout = Count("No trial begins after so many minutes.", 0, 365 * DAY_MINUTES, 0)
        self.timeout.setSpecialValueText("none")
        self.timeout.setSuffix(" min")
        self.more = QToolButton()
        self.more.setText("More")
        self.more.setToolTip("Show or hide how the search is done.")
        self.more.setCheckable(True)
        self.more.setAutoRaise(True)
        self.more.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.more.toggled.connect(self._show_parts)
        self.storage.currentIndexChanged.connect(self._show_parts)

    @property
    def counts(self) -> tuple[Count, ...]:
        """All numbers."""
        return self.epochs, self.trials, self.workers, self.seed, self.timeout

    @property
    def in_database(self) -> bool:
        """Whether the trials are noted in a database."""
        return self.storage.currentText() == IN_DATABASE

    def offer(self, labels: Iterable[tuple[str, str]]) -> None:
        """List settings, as (key, label), under the button that adds one."""
        self.addable.clear()
        for key, label in labels:
            self.addable.addAction(label).setData(key)
        self.add.setEnabled(not self.addable.isEmpty())

    def ask_study(self) -> Path | None:
        """Ask for a study."""
        path = QFileDialog.getExistingDirectory(self, "Choose a study (a folder that ends in .mri.zarr)")
        return Path(path) if path else None

    def ask_folder(self) -> Path | None:
        """Ask for the tuning's folder."""
        path, _ = QFileDialog.getSaveFileName(self, "Folder of the tuning", self.folder.text())
        return Path(path) if path else None

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
            self._rows.setRowVisible(field, self.more.isChecked())
        for line in (self.url, self.password):
            self._rows.setRowVisible(line, self.in_database)

    def _lay_out(self) -> None:
        top = _rows(
            ("Study", row(self.study, self.browse_study)),
            ("Settings", self.base),
            ("Epochs", self.epochs),
        )
        self._rows = _rows(
            ("Goals", column(*self.objectives.values())),
            ("Trials", self.trials),
            ("Workers", self.workers),
            ("Storage", self.storage),
            ("Address", self.url),
            ("Password", self.password),
            ("", self.more),
            ("Sampler", self.sampler),
            ("Pruner", self.pruner),
            ("Seed", self.seed),
            ("Time limit", self.timeout),
        )
        inside = QWidget()
        whole = QVBoxLayout(inside)
        whole.setContentsMargins(4, 4, 4, 4)
        whole.setSpacing(6)
        whole.addLayout(top)
        whole.addWidget(self.warning)
        whole.addWidget(self.space)
        whole.addWidget(self.about)
        whole.addWidget(row(self.add, self.load, self.save, self.usual))
        whole.addLayout(self._rows)
        whole.addStretch()
        inside.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        scroll = QScrollArea()
        scroll.setWidget(inside)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(scroll, 1)
        layout.addWidget(column(row(QLabel("Folder"), self.folder, self.browse_folder), self.hint, self.start))
        self._show_parts()


def _rows(*fields: tuple[str, QWidget]) -> QFormLayout:
    rows = QFormLayout()
    rows.setContentsMargins(0, 0, 0, 0)
    rows.setVerticalSpacing(4)
    rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
    for label, field in fields:
        title = QLabel(label)
        title.setFixedWidth(TITLE_WIDTH)
        title.setToolTip(field.toolTip())
        rows.addRow(title, field)
    return rows
