"""The window "New study": from folders, files or tables to a study, by way of a plan that can be edited."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QDialog, QFileDialog, QWidget

from napari_micromri.study.plan import Plan, Source
from napari_micromri.widgets.background import BackgroundJob
from napari_micromri.widgets.shared.pace import Pace
from napari_micromri.widgets.shared.places import beside, place
from napari_micromri.widgets.study.new_study_form import NewStudyForm
from napari_micromri.widgets.study.planning import (
    ENDING,
    FIELDS,
    build_sentence,
    edited,
    find_plan,
    no_fast_scans,
    plan_sentence,
    repeated,
    sources_text,
    study_path,
    without,
)
from napari_micromri.widgets.study.table import RED, Cell

if TYPE_CHECKING:
    from qtpy.QtGui import QCloseEvent

    from napari_micromri.progress import Progress, ShouldStop
    from napari_micromri.study.build import BuildResult
    from napari_micromri.study.plan import PlannedPair


class NewStudyDialog(QDialog):
    """Finds pairs, lets the person name them, and builds; ``built`` is sent with the study's path."""

    built = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("New study")
        self.form = form = NewStudyForm(self)
        self.plan = Plan()
        self._job: BackgroundJob | None = None
        self._pace: Pace | None = None
        self.resize(720, 640)
        form.add_folder.clicked.connect(self._ask_folder)
        form.add_files.clicked.connect(self._ask_files)
        form.remove.clicked.connect(self._remove_source)
        form.find.clicked.connect(self.find_pairs)
        form.propose.clicked.connect(self._simulate)
        form.leave_out.clicked.connect(self._leave_out)
        form.pairs.rows_model.edited.connect(self._edit)
        form.pairs.selectionModel().selectionChanged.connect(self._update)
        form.browse.clicked.connect(self._ask_target)
        form.target.textChanged.connect(self._update)
        form.build.clicked.connect(self.build)
        form.stop.clicked.connect(self.stop)
        form.cancel.clicked.connect(self.close)
        form.simulate.toggled.connect(self._update)
        form.status.setText("Add the folders or files of your scans, then click Find pairs.")
        self._update()

    def add_sources(self, *paths: Path, target: Path | None = None) -> None:
        """Add folders, files or tables; the study is to be ``target``, or lies beside the first of them."""
        for path in paths:
            if path not in self.form.sources():
                self.form.source_list.addItem(str(path))
        if not self.form.target.text() and paths:
            self.form.target.setText(str(target or beside(paths[0], ENDING)))
        self._update()

    def find_pairs(self) -> None:
        """Look for pairs in a thread."""
        simulation = self.form.simulation()
        stopped = "Stopped. Find pairs begins again."
        self._start(partial(find_plan, self.form.sources(), simulation), "Find pairs", self._found, stopped)
        self.form.status.setText("Looking through the scans…")

    def _simulate(self) -> None:
        self.form.simulate.setChecked(True)
        self.find_pairs()

    def build(self) -> None:
        """Build the study in a thread; what is built already is left as it is."""
        path = study_path(self.form.target.text())
        if path is not None:
            stopped = "Stopped. Build continues from where it was."
            self._start(partial(_build, self.plan, path), f"Build {path.name}", self._built, stopped)
            self._pace = Pace("Building")
            self.form.status.setText("Building…")

    def stop(self) -> None:
        """Stop looking or building; finished pairs stay, and building again continues from there."""
        if self._job is not None:
            self._job.stop()
            self._pace = None
            self.form.status.setText("Stopping…")

    def closeEvent(self, event: QCloseEvent) -> None:
        """Stop when the window is closed."""
        if self._job is not None:
            self._job.stop()
        super().closeEvent(event)

    def _start(self, work: object, title: str, done: object, stopped: str) -> None:
        if self._job is not None:
            return
        self._job = job = BackgroundJob(work, title, self)  # type: ignore[arg-type]
        job.progressed.connect(self._show_progress)
        job.succeeded.connect(done)
        job.cancelled.connect(partial(self.form.status.setText, stopped))
        job.failed.connect(self.form.status.setText)
        job.ended.connect(self._ended)
        self.form.progress.setRange(0, 0)
        self._update()
        job.start()

    def _show_progress(self, done: int, total: int) -> None:
        self.form.progress.setRange(0, total)
        self.form.progress.setValue(done)
        if self._pace is not None:
            self.form.status.setText(self._pace.describe(done, total, time.monotonic()))

    def _found(self, plan: Plan) -> None:
        self.plan = plan
        self._show_plan()

    def _built(self, done: tuple[Path, BuildResult]) -> None:
        path, result = done
        self.form.status.setText(build_sentence(result))
        if result.added or result.already_there:
            self.built.emit(path)
        if result.failed:
            self.form.show_left_out([(str(pair), str(pair), why) for pair, why in result.failed])
        else:
            self.accept()

    def _ended(self) -> None:
        self._job = self._pace = None
        self.form.progress.setRange(0, 1)
        self.form.progress.setValue(0)
        self._update()

    def _show_plan(self) -> None:
        red = repeated(self.plan)
        self.form.pairs.rows_model.show_rows([_cells(pair, k in red) for k, pair in enumerate(self.plan.pairs)])
        left_out = [(Source(entry.path, entry.scan), entry.reason) for entry in self.plan.rejected]
        self.form.show_left_out([(place(source, folder=True), str(source), why) for source, why in left_out])
        self.form.propose.setVisible(no_fast_scans(self.plan) and self.form.simulation() is None)
        self.form.status.setText(plan_sentence(self.plan))
        self._update()

    def _edit(self, number: int, column: int, text: str) -> None:
        self.plan = edited(self.plan, number, FIELDS[column], text)
        self._show_plan()

    def _leave_out(self) -> None:
        self.plan = without(self.plan, {index.row() for index in self.form.pairs.selectionModel().selectedRows()})
        self._show_plan()

    def _update(self) -> None:
        free = self._job is None
        ready = bool(self.plan.pairs) and not repeated(self.plan) and study_path(self.form.target.text()) is not None
        self.form.enable(free=free, ready=ready)

    def _ask_folder(self) -> None:
        if path := QFileDialog.getExistingDirectory(self, "Add a folder of scans"):
            self.add_sources(Path(path))

    def _ask_files(self) -> None:
        paths, _ = QFileDialog.getOpenFileNames(self, "Add scans or a table (CSV)")
        self.add_sources(*map(Path, paths))

    def _remove_source(self) -> None:
        for item in self.form.source_list.selectedItems():
            self.form.source_list.takeItem(self.form.source_list.row(item))
        self._update()

    def _ask_target(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Where to put the study", self.form.target.text(), f"*{ENDING}")
        if path:
            self.form.target.setText(str(study_path(path)))


def _build(plan: Plan, path: Path, progress: Progress, should_stop: ShouldStop) -> tuple[Path, BuildResult]:
    from napari_micromri.study.build import build

    return path, build(plan, path, progress=progress, should_stop=should_stop)


def _cells(pair: PlannedPair, is_repeated: bool) -> tuple[Cell, ...]:
    colour = RED if is_repeated else None
    notes = "\n".join(pair.notes)
    where = f"LR: {pair.lr}\nHR: {pair.hr}"
    return (
        *(Cell(str(getattr(pair, name)), notes, colour) for name in FIELDS),
        Cell(str(pair.slice_count or ""), notes),
        Cell(sources_text(pair), f"{where}\n{notes}".strip()),
    )
