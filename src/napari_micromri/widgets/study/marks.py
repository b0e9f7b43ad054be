"""Marks as a small file between colleagues: export and import from the dock."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from napari.utils.notifications import show_warning
from qtpy.QtCore import QObject

from napari_micromri.errors import MicroMRIError
from napari_micromri.widgets.background import BackgroundJob

if TYPE_CHECKING:
    from pathlib import Path

    from napari_micromri.progress import Progress, ShouldStop
    from napari_micromri.study.marks_file import MarksImport
    from napari_micromri.widgets.study.curator import Curator
    from napari_micromri.widgets.study.header import Header
    from napari_micromri.widgets.study.session import Session


class MarksControl(QObject):
    """Connects the menu "Marks" with the study."""

    def __init__(self, header: Header, curator: Curator) -> None:
        super().__init__(header)
        self.header, self.curator = header, curator
        header.export_marks.triggered.connect(self._ask_export)
        header.import_marks.triggered.connect(self._ask_import)

    def export_to(self, path: Path) -> None:
        """Write all marks of the study into a file."""
        from napari_micromri.study.marks_file import export_marks

        session = self.curator.session
        if session is None:
            return
        try:
            # The person has confirmed in the dialog that a file of this name is replaced.
            export_marks(session.study, path, overwrite=True)
        except MicroMRIError as error:
            self.curator.said.emit(str(error))
            show_warning(str(error))
            return
        self.curator.said.emit(f"The marks are in {path.name}.")

    def import_from(self, path: Path) -> None:
        """Add the marks of a file to the study, in a thread."""
        session = self.curator.session
        if session is None:
            return
        job = BackgroundJob(partial(_import, session, path), "Import marks", self)
        job.succeeded.connect(self._imported)
        job.failed.connect(self.curator.said)
        job.start()

    def _imported(self, done: tuple[Session, MarksImport]) -> None:
        session, result = done
        session.take_note(result)
        if session is self.curator.session:
            self.curator.refresh()
            self.curator.said.emit(import_sentence(result))

    def _ask_export(self) -> None:
        session = self.curator.session
        if session is None:
            return
        name = session.study.path.name.removesuffix(".zarr").removesuffix(".mri")
        if (path := self.header.ask_export(name)) is not None:
            self.export_to(path)

    def _ask_import(self) -> None:
        if (path := self.header.ask_import()) is not None:
            self.import_from(path)


def _import(session: Session, path: Path, progress: Progress, should_stop: ShouldStop) -> tuple[Session, MarksImport]:
    from napari_micromri.study.marks_file import import_marks
    from napari_micromri.study.store import Study

    del progress, should_stop
    study = session.study
    # The window keeps using its study meanwhile; only one that keeps marks in memory must be changed itself.
    return session, import_marks(study if study.read_only else Study.open(study.path), path)


def import_sentence(result: MarksImport) -> str:
    """Say what became of imported marks."""
    count = len(result.applied)
    parts = [f"{count} mark{'s' * (count != 1)} imported" if count else "This file contains no new marks"]
    if result.conflicts:
        parts.append(f"{len(result.conflicts)} differ from yours, which were kept: {result.conflicts[0]}")
    if result.unknown:
        parts.append(f"{len(result.unknown)} match nothing in this study: {result.unknown[0]}")
    return "; ".join(parts)
