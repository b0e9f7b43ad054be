"""The top of the study dock: open, make, undo, and what to do next."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QMenu, QVBoxLayout, QWidget

from napari_micromri.widgets.shared.parts import ElidedLabel, button, row, small_button, text_line

MARKS = "Marks of a study (*.json)"


class Header(QWidget):
    """Buttons, the path, the hint and, where it matters, that the study can't be written."""

    def __init__(self) -> None:
        super().__init__()
        self.open = button("Open study…", "Open the folder of a study (extension .mri.zarr).")
        self.new = button("New study…", "Find pairs in folders of scans, or simulate them, and make a study of them.")
        self.more = button("Marks", "Export your marks as a small file for a colleague, or import theirs.")
        menu = QMenu(self.more)
        self.export_marks = menu.addAction("Export marks…")
        self.import_marks = menu.addAction("Import marks…")
        self.more.setMenu(menu)
        self.path = ElidedLabel("No study is open")
        self.undo = small_button("Undo", "Undo the last change of marks. Key: Ctrl+Z in this dock")
        self.redo = small_button("Redo", "Redo the change. Key: Ctrl+Shift+Z in this dock")
        self.read_only = text_line()
        self.read_only.setText("Read-only study: marks exist only in this window. Export them to keep them.")
        self.read_only.setStyleSheet("color: #e0a33a;")
        self.reopen = button("", "Open the last study again.")
        self.reopen.hide()
        self.hint = text_line()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 0)
        layout.setSpacing(4)
        layout.addWidget(row(self.open, self.new, self.more, stretch=(3, 3, 2)))
        layout.addWidget(row(self.path, self.undo, self.redo, stretch=(1, 0, 0)))
        layout.addWidget(self.read_only)
        layout.addWidget(self.hint)
        layout.addWidget(self.reopen)

    def ask_study(self) -> Path | None:
        """Ask for a study."""
        path = QFileDialog.getExistingDirectory(self, "Open a study (a folder with the extension .mri.zarr)")
        return Path(path) if path else None

    def ask_export(self, name: str) -> Path | None:
        """Ask where to write marks."""
        path, _ = QFileDialog.getSaveFileName(self, "Export marks as", f"{name}-marks.json", MARKS)
        return Path(path if path.endswith(".json") else f"{path}.json") if path else None

    def ask_import(self) -> Path | None:
        """Ask for a file of marks."""
        path, _ = QFileDialog.getOpenFileName(self, "Import marks", "", MARKS)
        return Path(path) if path else None
