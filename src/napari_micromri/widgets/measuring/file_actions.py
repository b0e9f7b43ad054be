"""The buttons of the measuring dock that save, load and copy."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from napari.utils.notifications import show_warning
from qtpy.QtWidgets import QApplication

from napari_micromri.errors import MicroMRIError
from napari_micromri.widgets.measuring import files
from napari_micromri.widgets.measuring.curves import save_curves
from napari_micromri.widgets.shared.places import result_of
from napari_micromri.words import counted

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qtpy.QtWidgets import QWidget

    from napari_micromri.widgets.measuring.dock import MeasureWidget


class FileActions:
    """What goes from the dock to files and to the clipboard, and back; each says in the dock what it did."""

    def __init__(self, dock: MeasureWidget) -> None:
        self._dock = dock
        form = dock.form
        form.export.clicked.connect(partial(self.ask, self._beside, self.export))
        form.export_as.clicked.connect(partial(self.ask, files.ask_table, self.export))
        form.save.clicked.connect(partial(self.ask, files.ask_rois_to_save, self.save_rois))
        form.load.clicked.connect(partial(self.ask, files.ask_rois_to_load, self.load_rois))
        form.copy.clicked.connect(self.copy)

    def ask(self, ask: Callable[[QWidget], Path | None], then: Callable[[Path], None]) -> None:
        """Ask for a path and do something with it; what goes wrong is said in a sentence."""
        path = ask(self._dock)
        if path is None:
            return
        try:
            then(path)
        except MicroMRIError as error:
            self._dock.note(str(error))
            show_warning(str(error))

    def _beside(self, parent: QWidget) -> Path | None:
        sources = (one.scan.info.source for one in self._dock.layers.compared)
        source = next(filter(None, sources), None)
        return files.ask_table(parent) if source is None else result_of(source, "_cnr.csv")

    def export(self, path: Path) -> None:
        """Save all rows as CSV, their settings beside it, and the profile or histogram that is shown."""
        replaced = path.exists()
        said = files.save_figures(self._dock.found, path)
        if self._dock.curves.shown is not None:
            said += f", and {save_curves(self._dock.curves.shown, path, overwrite=replaced).name}"
        self._dock.note(said)

    def save_rois(self, path: Path) -> None:
        """Save all regions."""
        dock = self._dock
        dock.note(files.save_regions(dock.reading.usable, path, dock.layers.finest()))

    def load_rois(self, path: Path) -> None:
        """Load regions and add them."""
        dock = self._dock
        dock.note(files.load_regions(path, dock.layers.finest(), dock.rois.add))

    def copy(self) -> None:
        """Copy all rows to the clipboard."""
        from napari_micromri.measure.table_file import rows_as_text

        if self._dock.found is not None:
            QApplication.clipboard().setText(rows_as_text(self._dock.found.rows))
            self._dock.note(f"Copied {counted(len(self._dock.found.rows), 'row')} to the clipboard.")
